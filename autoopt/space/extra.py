"""Extra: a hyperparameter of the user's own training loop, searched with those of the optimizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autoopt.errors import SpaceError
from autoopt.recipe import Setting
from autoopt.space.question import Question

RESERVED = frozenset({"optimizer", "schedule", "lr_relative", "batch_size", "clip", "warmup"})
"""Names by which the walk through the space asks for its own settings."""


@dataclass(frozen=True)
class Extra:
    """One of the user's own hyperparameters, as ``trial.suggest_…`` asks for it.

    Attributes:
        default: what the baseline has, and the first trials.
        step: numbers are ``low`` plus a multiple of it; ``None`` for any number.
        choices: of a categorical.
    """

    name: str
    kind: Literal["float", "int", "categorical"]
    default: Setting
    low: float = 0.0
    high: float = 1.0
    step: float | None = None
    log: bool = False
    choices: tuple[Setting, ...] = ()

    @property
    def question(self) -> Question:
        """What a chooser is asked."""
        # a chooser knows whole numbers without steps and logarithms only; others are rounded afterwards
        plain = self.kind != "int" or (self.step == 1 and not self.log)
        kind = self.kind if plain else "float"
        return Question(self.name, kind, self.default, self.low, self.high, self.log, self.choices)

    def value(self, answer: Any) -> Setting:
        """Return the value that an answer stands for."""
        if self.kind == "categorical":
            return next(choice for choice in self.choices if choice == answer)
        number = float(answer)
        if self.step is not None:
            number = self.low + round((number - self.low) / self.step) * self.step
            number = min(number, self.low + math.floor((self.high - self.low) / self.step + 1e-9) * self.step)
        return round(number) if self.kind == "int" else round(min(max(number, self.low), self.high), 12)

    def check(self, value: object) -> Setting:
        """Return a value that somebody gives instead of searching it.

        Raises:
            SpaceError: it has the wrong type.
        """
        if self.kind == "categorical":
            if value in self.choices:
                return self.value(value)
            raise SpaceError(f"{self.name} must be one of {', '.join(map(str, self.choices))}, got {value!r}")
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise SpaceError(f"{self.name} must be a number, got {value!r}")
        return round(value) if self.kind == "int" else float(value)


def number_extra(
    name: str,
    kind: Literal["float", "int"],
    low: float,
    high: float,
    *,
    step: float | None = None,
    log: bool = False,
    default: float | None = None,
) -> Extra:
    """Return a number to search, with the middle of its range as default unless one is given.

    Raises:
        SpaceError: the name or the range makes no sense.
    """
    _check_name(name)
    called = f"suggest_{kind}({name!r}, {low!r}, {high!r})"
    numbers = (low, high) if default is None else (low, high, default)
    if not all(_is_number(number) and (kind == "float" or number == int(number)) for number in numbers):
        raise SpaceError(f"trial.{called} needs {'whole ' if kind == 'int' else ''}numbers")
    if low >= high or (default is not None and not low <= default <= high):
        of = "" if default is None else f" with the default {default!r} between them"
        raise SpaceError(f"trial.{called} needs a low end below the high one{of}")
    if log and (low <= 0 or step not in (None, 1)):
        raise SpaceError(f"trial.{called} with log=True needs numbers above 0 and no step")
    if step is not None and not (_is_number(step) and step > 0):
        raise SpaceError(f"trial.{called} needs a step above 0, got {step!r}")
    middle = math.sqrt(low * high) if log else (low + high) / 2
    step = 1 if kind == "int" and step is None else step
    rough = Extra(name, kind, 0.0, low, high, step, log)
    return Extra(name, kind, rough.value(middle if default is None else default), low, high, step, log)


def choice_extra(name: str, choices: Sequence[Setting], default: Setting | None = None) -> Extra:
    """Return something to choose, with the first of the choices as default unless one is given.

    Raises:
        SpaceError: the name or the choices make no sense.
    """
    _check_name(name)
    if not choices or isinstance(choices, str) or not all(isinstance(each, Setting) for each in choices):
        raise SpaceError(
            f"trial.suggest_categorical({name!r}, …) needs a list of texts, numbers, True or False, got {choices!r}"
        )
    if default is not None and default not in choices:
        raise SpaceError(f"trial.suggest_categorical({name!r}, …): the default {default!r} is no choice")
    return Extra(name, "categorical", choices[0] if default is None else default, choices=tuple(choices))


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise SpaceError(f"a hyperparameter needs a name, got {name!r}")
    if name in RESERVED or "." in name:
        raise SpaceError(
            f"{name!r} is a name that the search has for its own: call yours otherwise, without a dot"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
