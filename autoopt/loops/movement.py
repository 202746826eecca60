"""An optimizer at work in the user's own loop: its schedule, and what its steps show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from autoopt.catalogue import SCHEDULES
from autoopt.catalogue.rate import followed_factor, learning_rate_factor
from autoopt.recipe import Recipe
from autoopt.training.build import build_scheduler
from autoopt.training.observer import StepObserver


class Movement:
    """An optimizer with its schedule, watched by hooks.

    Args:
        total_steps: of ``epochs`` epochs.
        values: what the loop has reported so far; a schedule that follows the loss reads it.
    """

    def __init__(
        self, optimizer: Optimizer, recipe: Recipe, total_steps: int, epochs: int, values: Sequence[float]
    ) -> None:
        self.optimizer = optimizer
        self.scheduler = _scheduler(optimizer, recipe, total_steps, values)
        self._expected = total_steps / epochs
        self._total = total_steps
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        sharded = any(
            hasattr(p, "full_tensor") for p in parameters
        )  # each look would be work for all processes
        self._observer = None if sharded else StepObserver(parameters)
        self._rate = 0.0
        self._steps = 0
        self.begin_epoch()
        optimizer.register_step_pre_hook(self._before)
        optimizer.register_step_post_hook(self._after)

    @property
    def parts(self) -> list[Any]:
        """What has a state of its own."""
        return [part for part in (self.optimizer, self.scheduler, self._observer) if part is not None]

    def begin_epoch(self) -> None:
        """Forget what the last epoch showed."""
        self._steps = 0
        if self._observer is not None:
            self._observer.begin_epoch(round(self._expected))

    def numbers(self) -> dict[str, Any]:
        """Return what the steps of the epoch showed, as fields of the epoch's report."""
        seen = {} if self._observer is None else self._observer.numbers()
        return {"learning_rate": self._rate, "steps": self._steps, **seen}

    def complaint(self) -> str | None:
        """Return what is wrong with the schedule after the first epoch; ``None`` if nothing."""
        taken: int = self.scheduler.last_epoch
        if self._steps and self._expected >= 2 and taken <= 1:
            return (
                f"scheduler.step() was called {taken} times in the first epoch, and total_steps={self._total} asks for "
                f"about {self._expected:.0f}: call it after every optimizer.step(), or no schedule takes effect"
            )
        return None

    def _before(self, *_: Any) -> None:
        self._rate = float(self.optimizer.param_groups[0]["lr"])
        if self._observer is not None:
            self._observer.before_step(None)

    def _after(self, *_: Any) -> None:
        self._steps += 1
        if self._observer is not None:
            self._observer.after_step()


def _scheduler(
    optimizer: Optimizer, recipe: Recipe, total_steps: int, values: Sequence[float]
) -> LRScheduler:
    """Return the recipe's schedule, to step after every batch, one that follows the loss included."""
    if SCHEDULES[recipe.schedule].follow is None:
        return build_scheduler(optimizer, recipe, total_steps)
    name, settings = recipe.schedule, recipe.schedule_settings
    return LambdaLR(
        optimizer,
        lambda step: (
            followed_factor(name, settings, values) * learning_rate_factor(name, settings, step, total_steps)
        ),
    )
