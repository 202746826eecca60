"""Hyperparameters that several optimizers share: learning rate, weight decay, the betas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoopt.catalogue.entry import Hyperparameter, Value

RELATIVE_RATES = (0.03, 30.0)
"""The searched learning rates of every optimizer, as multiples of its reference rate."""


def learning_rate(reference: float, says: str) -> Hyperparameter:
    """Return the learning rate of an optimizer whose best rates lie around ``reference``."""
    low, high = (reference * multiple for multiple in RELATIVE_RATES)
    return Hyperparameter(
        "lr", low=low, high=high, scale="log", reference=reference, legal="above 0", says=says
    )  # fmt: skip


def given(settings: Mapping[str, Value], *names: str) -> dict[str, Any]:
    """Return those of the named settings that were set; for the others the target keeps its own default."""
    return {name: settings[name] for name in names if name in settings}


COUPLED_DECAY = Hyperparameter(
    "weight_decay", low=1e-6, high=2e-2, scale="log", reference=0.0, or_zero=True,
    says="Adds this multiple of the weights to the gradient (an L2 penalty), so an adaptive rate rescales "
    "it too. D2 names it against overfitting; tuned Adam runs use none (DeepOBS), image nets 5e-4 with SGD.",
)  # fmt: skip

DECOUPLED_DECAY = Hyperparameter(
    "weight_decay", low=1e-3, high=0.5, scale="log", reference=0.05, or_zero=True,
    says="Shrinks the weights by rate × this at every step, apart from the gradient. Tuned AdamW and NAdamW: "
    "median 0.05, 0.1 to 0.2 for language models, none for many small tasks (AlgoPerf, Fantastic Pretraining "
    "Optimizers, TaskSet).",
)  # fmt: skip

BETA1 = Hyperparameter(
    "beta1", low=0.5, high=0.99, scale="one_minus_log", reference=0.9, legal="from 0 to below 1",
    says="How slowly the mean of the gradients forgets. 0.9 in D1–D5; 80 % of the tuned AdamW and NAdamW "
    "settings of AlgoPerf and TaskSet lie between 0.5 and 0.99.",
)  # fmt: skip

BETA2 = Hyperparameter(
    "beta2", low=0.8, high=0.9999, scale="one_minus_log", reference=0.999, legal="from 0 to below 1",
    says="How slowly the mean of the squared gradients forgets. 0.999 in D1–D5, 0.98 for language models "
    "(Fantastic Pretraining Optimizers); AlgoPerf and TaskSet: 0.76 to 0.9999.",
)  # fmt: skip
