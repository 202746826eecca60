"""Asking: hyperparameters of the user's own, asked for as in Optuna."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from autoopt.errors import LoopError, SpaceError
from autoopt.recipe import Recipe, Setting
from autoopt.space.extra import Extra, choice_extra, number_extra


class Asking:
    """What a loop may ask of a recipe beside its optimizer.

    Attributes:
        recipe: everything that is tried: optimizer, settings, schedule, clipping, and the loop's own.
        mistake: what the loop did that no study can work with, should it catch the error.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.mistake: LoopError | None = None

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False,
        default: float | None = None,
    ) -> float:  # fmt: skip
        """Return a number to try for a hyperparameter of your own, as in Optuna.

        Args:
            default: what the baseline has; the middle of the range if ``None``.
        """
        return float(
            self._suggest(lambda: number_extra(name, "float", low, high, step=step, log=log, default=default))
        )

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False, default: int | None = None
    ) -> int:
        """Return a whole number to try for a hyperparameter of your own, as in Optuna; see ``suggest_float``."""
        return int(
            self._suggest(lambda: number_extra(name, "int", low, high, step=step, log=log, default=default))
        )

    def suggest_categorical(
        self, name: str, choices: Sequence[Setting], *, default: Setting | None = None
    ) -> Any:
        """Return one of the choices for a hyperparameter of your own; the first is the default unless one is given."""
        return self._suggest(lambda: choice_extra(name, choices, default))

    def _suggest(self, asked: Callable[[], Extra]) -> Setting:
        try:
            extra = asked()
        except SpaceError as error:
            raise self.refuse(str(error)) from error
        return self._answer(extra)

    def _answer(self, extra: Extra) -> Setting:
        if extra.name not in self.recipe.extras:
            raise self.refuse(
                f"the loop asks for {extra.name!r}, which it did not ask for when it was tried: ask for all "
                "hyperparameters in every run, before trial.optimizer, also for those that are not used then"
            )
        value = self.recipe.extras[extra.name]
        if (extra.kind == "categorical") != isinstance(value, str | bool) and extra.value(value) != value:
            raise self.refuse(f"the loop asks for {extra.name!r} in other ways than when it was tried")
        return value

    def refuse(self, message: str) -> LoopError:
        """Return the error to raise, and remember it, should the loop catch it."""
        self.mistake = self.mistake or LoopError(message)
        return self.mistake
