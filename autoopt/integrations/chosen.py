"""Chosen: a recipe in the place of a trial, for the training after the search."""

from __future__ import annotations

import math
from typing import Any

from torch import nn
from torch.optim import Optimizer

from autoopt.catalogue import SCHEDULES
from autoopt.recipe import Recipe
from autoopt.training.build import build_optimizer, build_scheduler, build_warmup
from autoopt.training.gradients import clip_gradients, clip_values


class Chosen:
    """Gives the optimizer, schedule and clipping of a recipe in the words of a ``Trial``; stops nothing."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._follows: Any = None  # a scheduler that is stepped with the loss of every epoch

    def optimizer(self, model: nn.Module, total_steps: int) -> tuple[Optimizer, Any]:
        """Return the optimizer and what to step after every batch."""
        optimizer = build_optimizer(model, self.recipe)
        scheduler = build_scheduler(optimizer, self.recipe, total_steps)
        if SCHEDULES[self.recipe.schedule].follow is None:
            return optimizer, scheduler
        self._follows = scheduler
        return optimizer, build_warmup(optimizer, self.recipe, total_steps) or _Nothing()

    def clip(self, model: nn.Module) -> None:
        """Clip the gradients where the recipe says so."""
        parameters = list(model.parameters())
        if self.recipe.clip_norm is not None:
            clip_gradients(parameters, self.recipe.clip_norm)
        if self.recipe.clip_value is not None:
            clip_values(parameters, self.recipe.clip_value)

    def report(self, value: float, **metrics: float) -> None:  # noqa: ARG002
        """Take the validation loss of an epoch, for a schedule that follows it."""
        if self._follows is not None and math.isfinite(value):
            self._follows.step(value)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the scheduler out, which belongs to one training."""
        return {**self.__dict__, "_follows": None}


class _Nothing:
    def step(self) -> None:
        """Change nothing."""
