"""A row: one run between two epochs, as a stack holds it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoopt.catalogue.entry import UpdateRule
from autoopt.catalogue.own import entry_of
from autoopt.catalogue.rate import followed_factor, learning_rate_factor
from autoopt.run import Run
from autoopt.tasks.task import Task
from autoopt.training.build import build_optimizer
from autoopt.training.stack.general import FIELDS, FORMS, numbers
from autoopt.training.stack.layout import Layout
from autoopt.training.streams import RandomStreams

SAVED = ("weights", "fixed", "average", "m", "v", "state", "epoch", "steps", "gradient", "untrained_loss",
          "valid_losses")  # fmt: skip


@dataclass
class Row:
    """A run in a stack, waiting for its next epoch.

    Attributes:
        weights, m, v: (P); the optimizer's state where the general update moves the row.
        fixed: buffers and frozen parameters.
        average: of the weights; ``None`` where none is wanted, or no more.
        state: of a rule that is not the general update.
        streams: the random numbers of the run.
        base_rate: the rate before any schedule.
    """

    run: Run
    rule: UpdateRule
    streams: RandomStreams
    weights: Tensor
    fixed: list[Tensor]
    base_rate: float
    average: Tensor | None
    m: Tensor = field(init=False)
    v: Tensor = field(init=False)
    state: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    steps: int = 0
    gradient: Tensor | None = None  # what the observer looks back at, in short epochs
    untrained_loss: float = math.nan
    valid_losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.m, self.v = torch.zeros_like(self.weights), torch.zeros_like(self.weights)

    @property
    def is_general(self) -> bool:
        """Whether the general update moves it."""
        return self.rule in FORMS

    @property
    def nbytes(self) -> int:
        """Memory that it takes while it waits."""
        held = [self.weights, self.m, self.v, *self.fixed, *self.state.values()]
        return sum(t.nbytes for t in held) + (0 if self.average is None else self.average.nbytes)

    def state_dict(self) -> dict[str, Any]:
        """Return all that the epochs to come depend on, as plain data and tensors."""
        return {**{name: getattr(self, name) for name in SAVED}, "streams": self.streams.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another row of the same run stood, perhaps in another process, to the last bit the same."""
        for name in SAVED:
            setattr(self, name, state[name])
        self.streams.load_state_dict(state["streams"])

    def rates(self, steps: int) -> list[float]:
        """Return the learning rates of the coming epoch."""
        recipe, total = self.run.recipe, steps * self.run.epochs
        followed = followed_factor(recipe.schedule, recipe.schedule_settings, self.valid_losses)
        first = self.epoch * steps
        return [
            self.base_rate
            * (followed * learning_rate_factor(recipe.schedule, recipe.schedule_settings, step, total))
            for step in range(first, first + steps)
        ]

    def table(self, rates: list[float]) -> Any:
        """Return the numbers of the general update for the coming steps: (steps, fields, 2), of weights that may
        decay and of the others. A row that has a rule of its own is left as it is by them.
        """  # fmt: skip
        if not self.is_general:
            idle = np.zeros((len(rates), len(FIELDS), 2))
            for name in ("shrink", "root_scale", "epsilon"):
                idle[:, FIELDS.index(name)] = 1.0
            return idle
        settings = self.run.recipe.settings
        found = numbers(self.rule, settings, rates, self.steps + 1)
        rest = found
        if spares_some(self.run):
            rest = numbers(self.rule, {**settings, "weight_decay": 0.0}, rates, self.steps + 1)
        return np.stack([found, rest], axis=2)

    def decay(self, layout: Layout) -> Tensor | None:
        """Return the weight decay of every number of the row; ``None`` where the recipe sets none."""
        given = self.run.recipe.settings.get("weight_decay")
        if given is None:
            return None
        decay = torch.full_like(self.weights, float(given))
        if spares_some(self.run):
            decay[layout.decayed :] = 0.0
        return decay


def spares_some(run: Run) -> bool:
    """Return whether biases and normalisation are kept from weight decay, as ``parameter_groups`` does."""
    return bool(run.recipe.settings.get("weight_decay")) and not run.recipe.decay_all


def make_row(task: Task, run: Run, device: str) -> tuple[Row, Any]:
    """Return a run at its start as a row, and the model of which it has the weights.

    Raises:
        Exception: whatever the user's model raises, and what ``build_optimizer`` does.
    """
    streams = RandomStreams(run.seed, device)
    with task.surroundings(), streams.active():
        model = task.make_model().to(device)
        optimizer = build_optimizer(model, run.recipe)  # refuses what the serial path would
    rule = entry_of(run.recipe).rule
    assert rule is not None
    layout = Layout.of(model)
    weights = layout.weights_of(model)
    averaged = any(rung < run.epochs for rung in run.rungs)
    base_rate = float(optimizer.param_groups[0]["lr"])
    average = weights.clone() if averaged else None
    return Row(run, rule, streams, weights, layout.fixed_of(model), base_rate, average), model
