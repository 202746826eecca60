"""Optimizers that treat a matrix of weights as a matrix and not as so many numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autoopt.catalogue.adam import adam_arguments
from autoopt.catalogue.entry import OptimizerEntry, Value
from autoopt.catalogue.hyperparameters import BETA1, BETA2, DECOUPLED_DECAY, learning_rate
from autoopt.catalogue.rules.matrix import SOAP_RULE

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
