"""Steps whose size no gradient decides: only the sign of it, or of its running mean, is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autoopt.catalogue.adam import adam_arguments
from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, Value
from autoopt.catalogue.hyperparameters import BETA1, BETA2, DECOUPLED_DECAY, given, learning_rate
from autoopt.catalogue.rules.sign import LION_RULE, RPROP_RULE

SHRINK = Hyperparameter(
    "shrink", low=0.3, high=0.8, reference=0.5, legal="from 0 to below 1",
    says="What the step of a weight is multiplied by after its gradient turned. 0.5 in the paper and in "
    "torch; the range is a proposal.",
)  # fmt: skip

GROW = Hyperparameter(
    "grow", low=1.05, high=1.5, reference=1.2, legal="at least 1",
    says="What the step of a weight is multiplied by while its gradient keeps its sign. 1.2 in the paper and "
    "in torch; the range is a proposal.",
)  # fmt: skip


def _lion_arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
    both = {"beta1": 0.9, "beta2": 0.99, **settings} if settings.keys() & {"beta1", "beta2"} else settings
    return {**adam_arguments(both), "weight_decouple": True}


def _rprop_arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
    arguments = given(settings, "lr")
    if "shrink" in settings or "grow" in settings:
        arguments["etas"] = (settings.get("shrink", 0.5), settings.get("grow", 1.2))
    return arguments


LION = OptimizerEntry(
    name="lion",
    title="Lion",
    family="sign",
    target="pytorch_optimizer:Lion",
    hyperparameters=(
        learning_rate(
            6e-4,
            "A third to a tenth of AdamW's, for every weight moves by the whole rate. Tuned on language "
            "models (Fantastic Pretraining Optimizers, epfml, Sophia): geometric mean 6e-4, 80 % between 1e-4 "
            "and 1e-3.",
        ),
        replace(
            DECOUPLED_DECAY,
            high=1.0,
            reference=0.3,
            says="Shrinks the weights by rate × this at every step. Its authors want 3 to 10 times AdamW's, "
            "as the rate is so much smaller; tuned language models: 0.1 to 0.7.",
        ),
        BETA1,
        replace(
            BETA2,
            low=0.9,
            high=0.999,
            reference=0.98,
            says="How slowly the mean of the gradients forgets. 0.99 in the library, tuned language models "
            "0.95 to 0.99 with the median 0.98.",
        ),
    ),
    arguments=_lion_arguments,
    state_floats=1.0,
    rank=5,
    needs=frozenset({"dense_gradients"}),
    rule=LION_RULE,
    extra="optimizers",
    says="Moves every weight by the same amount, in the direction of a running mean's sign: half of Adam's "
    "memory and a cheap step. On language models level with AdamW (+0.005 nats, Fantastic Pretraining "
    "Optimizers); wants large batches, a small rate and a strong weight decay.",
    formula=r"g_t = \nabla L(\theta_{t-1}), \quad c_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \quad m_t = \beta_2 "
    r"m_{t-1} + (1-\beta_2) g_t, \quad \theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1} - \eta "
    r"\operatorname{sign} c_t",
    references=(
        "Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, arXiv:2302.06675",
        "Wen et al., Fantastic Pretraining Optimizers and Where to Find Them, 2025, arXiv:2509.02046",
    ),
)

RPROP = OptimizerEntry(
    name="rprop",
    title="Rprop",
    family="sign",
    target="torch.optim:Rprop",
    hyperparameters=(
        learning_rate(
            1e-2,
            "Only the first step of every weight; torch's default. From then on steps grow and shrink by "
            "themselves, and no schedule reaches them. No tuned data were found.",
        ),
        SHRINK,
        GROW,
    ),
    arguments=_rprop_arguments,
    state_floats=2.0,
    rank=4,
    needs=frozenset({"dense_gradients"}),
    batches="whole",
    takes_schedule=False,
    rule=RPROP_RULE,
    says="A step of its own for every weight, longer while the gradient keeps its sign and shorter when it "
    "turns. For gradients of the whole training set alone, so one step an epoch: the noise of mini-batches "
    "turns signs, and it stalls or diverges. No rate to tune, no weight decay, no schedule.",
    formula=r"g_t = \nabla L(\theta_{t-1}), \quad \Delta_0 = \eta, \quad \Delta_t = \begin{cases} \eta^+ "
    r"\Delta_{t-1} & g_t g_{t-1} > 0 \\ \eta^- \Delta_{t-1}, \; g_t := 0 & g_t g_{t-1} < 0 \\ \Delta_{t-1} & "
    r"\text{otherwise} \end{cases}, \quad \theta_t = \theta_{t-1} - \Delta_t \operatorname{sign} g_t",
    references=(
        "Riedmiller and Braun, A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP "
        "Algorithm, 1993",
    ),
)
