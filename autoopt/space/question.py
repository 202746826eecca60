"""Question: one thing that a chooser is asked, and what its answer means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from autoopt.catalogue.entry import Hyperparameter
from autoopt.recipe import Setting

ZERO_SPAN = 10.0
"""A range that holds zero as well starts this factor lower; every answer below its true low end means zero.

One decade: a quarter of the draws of a decoupled weight decay, a fifth of a coupled one. Decays this small do
next to nothing, so for a model of the answers zero lies where it belongs, beside the small values; no switch.
"""


class Chooser(Protocol):
    """Whoever answers: an Optuna trial, or anything with these three methods of it."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Answer with a number from ``low`` to ``high``."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Answer with a whole number from ``low`` to ``high``."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Answer with one of the choices."""


@dataclass(frozen=True)
class Question:
    """One thing to choose, in the units in which a chooser walks it.

    Attributes:
        name: what the chooser sees.
        kind: which of its methods is called.
        low, high, log: of a number, as walked.
        choices: of a categorical.
        reference: the answer that stands for the reference value.
    """

    name: str
    kind: Literal["float", "int", "categorical"]
    reference: Any
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[Any, ...] = ()

    def ask(self, chooser: Chooser) -> Any:
        """Let the chooser answer."""
        if self.kind == "categorical":
            return chooser.suggest_categorical(self.name, self.choices)
        if self.kind == "int":
            return chooser.suggest_int(self.name, int(self.low), int(self.high))
        return chooser.suggest_float(self.name, self.low, self.high, log=self.log)


def question_for(hyperparameter: Hyperparameter, owner: str) -> Question:
    """Return the question about a hyperparameter of an optimizer or schedule called ``owner``."""
    walked = hyperparameter.name
    if hyperparameter.kind in ("bool", "choice"):
        choices = (False, True) if hyperparameter.kind == "bool" else hyperparameter.choices
        return Question(f"{owner}.{walked}", "categorical", hyperparameter.reference, choices=choices)
    reference = float(hyperparameter.reference)
    low, high = hyperparameter.low, hyperparameter.high
    if hyperparameter.kind == "int":
        return Question(f"{owner}.{walked}", "int", int(reference), low, high)
    if hyperparameter.scale == "one_minus_log":
        walked = f"one_minus_{walked}"
        low, high, reference = (_one_minus(value) for value in (high, low, reference))
    elif hyperparameter.or_zero:
        reference = reference or low / math.sqrt(ZERO_SPAN)
        low /= ZERO_SPAN
    return Question(f"{owner}.{walked}", "float", reference, low, high, log=hyperparameter.scale != "linear")


def setting_for(hyperparameter: Hyperparameter, answer: Any) -> Setting:
    """Return the value of the hyperparameter that an answer to its question stands for."""
    if hyperparameter.kind == "float":
        value = _one_minus(answer) if hyperparameter.scale == "one_minus_log" else float(answer)
        if hyperparameter.or_zero and value < hyperparameter.low:
            return 0.0
        # 1 − x rounds, and a value must not leave its range by that
        return min(max(value, hyperparameter.low), hyperparameter.high)
    setting: Setting = answer
    return setting


def _one_minus(value: float) -> float:
    """Return 1 − value without the noise of its last digits: 0.005, not 0.0050000000000000044."""
    return round(1 - value, 12)
