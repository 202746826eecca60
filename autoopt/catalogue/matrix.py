"""Optimizers that treat a matrix of weights as a matrix and not as so many numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autoopt.catalogue.adam import adam_arguments
from autoopt.catalogue.entry import OptimizerEntry, Value
from autoopt.catalogue.hyperparameters import BETA1, BETA2, DECOUPLED_DECAY, given, learning_rate
from autoopt.catalogue.rules.matrix import MUON_RULE, SOAP_RULE
from autoopt.catalogue.sgd import MOMENTUM

LONGEST_SIDE = 2048
"""Longer sides of a matrix (vocabularies, as a rule) SOAP leaves as they are: a basis of n costs n² memory and n³ time.

The library's own limit is 10,000, which means minutes for one step on a CPU.
"""


def _soap_arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
    both = {"beta1": 0.95, "beta2": 0.95, **settings} if settings.keys() & {"beta1", "beta2"} else settings
    return {**adam_arguments(both), "max_precondition_dim": LONGEST_SIDE}


SOAP = OptimizerEntry(
    name="soap",
    title="SOAP",
    family="matrix",
    target="pytorch_optimizer:SOAP",
    hyperparameters=(
        learning_rate(
            3e-3,
            "The authors' figure; tuned language models (Fantastic Pretraining Optimizers, epfml, modded-nanogpt) "
            "have the geometric mean 4.5e-3, 80 % between 1e-3 and 8e-3.",
        ),
        DECOUPLED_DECAY,
        replace(
            BETA1, reference=0.95, says="How slowly the mean of the gradients forgets. 0.95 in the paper and in "
            "most tuned language models.",
        ),
        replace(
            BETA2, reference=0.95, says="How slowly the mean of the squared gradients and the two bases forget. "
            "0.95 in the paper; tuned language models 0.95 to 0.999, median 0.99.",
        ),
    ),
    arguments=_soap_arguments,
    state_floats=6.0,
    rank=20,
    needs=frozenset({"dense_gradients"}),
    rule=SOAP_RULE,
    extra="optimizers",
    says="AdamW along the axes in which the gradients of a matrix vary independently, found anew every ten steps "
    "(Shampoo's bases). Best beside Muon on language models of 130 to 520 million parameters (−0.023 nats against "
    "AdamW, Fantastic Pretraining Optimizers). Memory and time grow with the sides of the matrices: a step costs a "
    "CPU about a thousand plain SGD steps (1 million parameters). Vectors are moved as by AdamW; the first step "
    "only looks.",
    formula=r"G_t = \nabla L(\theta_{t-1}), \quad L_t = \beta_2 L_{t-1} + (1-\beta_2) G_t G_t^\top, \quad R_t = "
    r"\beta_2 R_{t-1} + (1-\beta_2) G_t^\top G_t, \quad L = Q_L \Lambda_L Q_L^\top, \; R = Q_R \Lambda_R Q_R^\top, "
    r"\quad M_t = \beta_1 M_{t-1} + (1-\beta_1) G_t, \quad V_t = \beta_2 V_{t-1} + (1-\beta_2) (Q_L^\top G_t Q_R)^2, "
    r"\quad \theta_t = (1 - \eta \lambda) \left(\theta_{t-1} - \eta \, Q_L \frac{Q_L^\top \hat M_t Q_R}{\sqrt{\hat "
    r"V_t} + \epsilon} Q_R^\top\right)",
    references=(
        "Vyas et al., SOAP: Improving and Stabilizing Shampoo using Adam, 2024, arXiv:2409.11321",
        "Wen et al., Fantastic Pretraining Optimizers and Where to Find Them, 2025, arXiv:2509.02046",
    ),
)  # fmt: skip

MUON = OptimizerEntry(
    name="muon",
    title="Muon",
    family="matrix",
    target="autoopt.training.muon:MuonAdamW",
    hyperparameters=(
        learning_rate(
            2e-3,
            "AdamW's, of which it is also the rate: steps of the matrices are scaled to the same size (0.2 √(longer "
            "side)). epfml's tuned language models have 1e-3 in this form; the AdamW part of those of Fantastic "
            "Pretraining Optimizers 1.2e-3 to 3.2e-3. In Muon's own units their rates are 4e-3 to 1.6e-2.",
        ),
        replace(
            DECOUPLED_DECAY, reference=0.1, says="Shrinks the weights by rate × this at every step. 0.1 in nearly "
            "all tuned language models, 0.01 to 0.05 in modded-nanogpt and in its author's advice.",
        ),
        replace(
            MOMENTUM, low=0.8, high=0.99, reference=0.95, says="How slowly the mean of the gradients of a matrix "
            "forgets, with Nesterov's look-ahead. 0.95 to 0.98 in all tuned language models.",
        ),
        replace(
            BETA1, says="Of AdamW, for what is no hidden matrix: how slowly the mean of the gradients forgets. 0.8 "
            "in most tuned language models, 0.9 elsewhere.",
        ),
        replace(
            BETA2, says="Of AdamW, for what is no hidden matrix: how slowly the mean of the squared gradients "
            "forgets. 0.98 to 0.999 in tuned language models.",
        ),
    ),
    arguments=lambda settings: {**adam_arguments(settings), **given(settings, "momentum")},
    state_floats=1.0,
    rank=19.5,
    needs=frozenset({"dense_gradients", "hidden_matrices"}),
    rule=MUON_RULE,
    says="Moves a matrix by the nearest orthogonal one to its averaged gradient, so that all its directions move "
    "alike; AdamW moves embeddings, the last layer, kernels of convolutions, biases and normalisation. Best on "
    "language models of 130 to 520 million parameters (−0.027 nats against AdamW), with an edge that shrinks with "
    "size (−0.004 at 1.2 billion; Fantastic Pretraining Optimizers). Half of AdamW's memory for the matrices; a "
    "step costs a CPU about 500 plain SGD steps (1 million parameters), a GPU far less.",
    formula=r"G_t = \nabla L(\theta_{t-1}), \quad M_t = \mu M_{t-1} + (1-\mu) G_t, \quad O_t = "
    r"\operatorname{NS}_5\left(\mu M_t + (1-\mu) G_t\right) \approx U V^\top \text{ of its singular value "
    r"decomposition } U \Sigma V^\top, \quad \theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1} - 0.2 \, \eta "
    r"\sqrt{\max(\text{rows}, \text{columns})} \, O_t",
    references=(
        "Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024, "
        "https://kellerjordan.github.io/posts/muon/",
        "Liu et al., Muon is Scalable for LLM Training, 2025, arXiv:2502.16982",
        "Wen et al., Fantastic Pretraining Optimizers and Where to Find Them, 2025, arXiv:2509.02046",
    ),
)  # fmt: skip
