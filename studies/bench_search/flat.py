"""The space as a list of questions, for samplers that want to know it before they are asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from autoopt.space.build import SearchSpace
from autoopt.space.choose import suggest
from autoopt.space.question import Question


@dataclass(frozen=True)
class Answers:
    """A chooser whose answers stand already."""

    by_name: Mapping[str, Any]

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:  # noqa: ARG002
        """Answer with the number of that name, within its bounds."""
        return min(max(float(self.by_name[name]), low), high)

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Answer with the whole number of that name, within its bounds."""
        return min(max(int(self.by_name[name]), low), high)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Answer with the choice of that name."""
        return next(choice for choice in choices if choice == self.by_name[name])


class _Listener:
    """Answers so that a given optimizer and schedule are walked, and writes down what it is asked."""

    def __init__(self, optimizer: str, schedule: str) -> None:
        self._given = {"optimizer": optimizer, "schedule": schedule}
        self.heard: dict[str, Question] = {}

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self.heard[name] = Question(name, "float", high, low, high, log)
        return (low * high) ** 0.5 if log else (low + high) / 2

    def suggest_int(self, name: str, low: int, high: int) -> int:
        self.heard[name] = Question(name, "int", high, low, high)
        return high

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.heard[name] = Question(name, "categorical", choices[0], choices=tuple(choices))
        return self._given.get(name, choices[-1])


def questions_of(space: SearchSpace) -> list[Question]:
    """Return every question that any walk through the space asks, ``optimizer`` and ``schedule`` first.

    A question belongs to the optimizer or schedule before its dot, ``adamw.weight_decay`` to AdamW; those without a
    dot are asked on every walk.
    """
    found: dict[str, Question] = {}
    for optimizer, schedule in product(space.optimizers, space.schedules):
        listener = _Listener(optimizer, schedule)
        suggest(space, listener)
        found |= {name: question for name, question in listener.heard.items() if name not in found}
    return list(found.values())


def space_digest(space: SearchSpace) -> str:
    """Return six digits that change with what is asked, and in which order: a sampler's draws depend on both."""
    return hashlib.sha256(repr(questions_of(space)).encode()).hexdigest()[:6]
