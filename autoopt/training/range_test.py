"""A learning-rate range test: a few dozen steps at a rising rate show where training sets in and where it breaks.

After Smith, Cyclical Learning Rates for Training Neural Networks, 2017 (section 3.3). A single test is known to
mislead, as one spike of the loss looks like the border. So several fresh models take it, each on batches in an
order of its own; what counts is the median of their losses at each rate, smoothed by a running median. And as
batches differ by more than a few steps change, each loss is held against that of the untrained weights on the same
batch.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, islice
from typing import Any

import torch
from torch import nn

from autoopt.catalogue.own import entry_of
from autoopt.catalogue.rate import learning_rate
from autoopt.recipe import Recipe
from autoopt.run import Run
from autoopt.tasks.samples import Samples
from autoopt.tasks.task import Batch, BatchLoss, Task
from autoopt.training.health import LOSS_BOUND, describe_failure
from autoopt.training.range_curve import breaks, is_clear, lowest, merge
from autoopt.training.trainee import Trainee

STEPS = 100
SEEDS = (9001, 9002, 9003)
SPAN = (1e-3, 1e3)
"""Lowest and highest rate, as multiples of the optimizer's reference rate."""


@dataclass(frozen=True)
class RangeTest:
    """What a range test has shown.

    Attributes:
        rates: those gone through, ascending; plain learning rates, as torch takes them.
        losses: training loss at each, as if every batch were as hard as the first: the median of all models,
            smoothed; infinite beyond divergence.
        best: where the loss was lowest; ``None`` if nothing was learned at any rate. In short trainings with
            a decaying schedule the best peak lies near it (studies/2026-11-21-range-test).
        border: the lowest rate at which training broke; ``None`` if none did.
        note: what went wrong or should be known, else empty.
    """

    rates: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    best: float | None = None
    border: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; losses that are not finite become ``None``."""
        losses = [loss if math.isfinite(loss) else None for loss in self.losses]
        return {**vars(self), "rates": list(self.rates), "losses": losses}


def reference_rate(recipe: Recipe) -> float:
    """Return the rate that is good for the optimizer more often than any other; of one's own, the recipe's.

    Raises:
        SpaceError: there is no such optimizer.
    """
    entry = entry_of(recipe)
    return float(recipe.settings["lr"]) if entry.own else learning_rate(entry, 1.0, recipe.settings)


def range_test(
    task: Task, recipe: Recipe, device: str = "cpu", *, steps: int = STEPS, seeds: Sequence[int] = SEEDS,
    seconds: float | None = None,
) -> RangeTest:  # fmt: skip
    """Find the rates at which a recipe's optimizer trains a task, in a few dozen steps on fresh models.

    The steps go through the same loop as every run, with the recipe's other settings, batch size and
    clipping; its schedule is left out. The answer depends on the arguments alone, unless ``seconds`` cuts it short.

    Args:
        steps: at as many rates, evenly spaced on a log scale over ``SPAN``.
        seeds: one fresh model each.
        seconds: after which nothing further is begun; the first model always goes all the way.

    Raises:
        SpaceError: there is no such optimizer.
    """
    entry = entry_of(recipe)
    if "lr" not in recipe.settings:
        return RangeTest(note="it has no learning rate")
    if entry.batches == "whole" and not entry.takes_schedule:
        return RangeTest(
            note="it finds its own rates, whatever the first one was, so there is no range to test"
        )
    ends = math.inf if seconds is None else time.monotonic() + seconds
    curves: list[list[float]] = []
    rates: list[float] = []
    for seed in seeds:
        if curves and time.monotonic() > ends:
            break
        climb = _Climb(task, recipe, device, steps)
        try:
            climb.go(seed)
        except (Exception, SystemExit) as error:
            return RangeTest(note=f"the test failed: {describe_failure(error)}")
        curves.append(list(climb.seen.values()))
        rates = max(rates, list(climb.seen), key=len)
    cut = "" if len(curves) == len(seeds) else f"{len(curves)} of {len(seeds)} models in the time given"
    return read_curves(rates, curves, note=cut)


def read_curves(rates: Sequence[float], curves: Sequence[Sequence[float]], note: str = "") -> RangeTest:
    """Return what losses at rising rates say, one curve a model; a curve that is shorter diverged at its end."""
    losses = merge(curves)
    deepest = lowest(losses)
    if deepest is None:
        note = "; ".join(filter(None, ["the loss came down at no rate", note]))
        return RangeTest(tuple(rates), tuple(losses), note=note)
    broken = breaks(losses, deepest)
    if not is_clear(losses, broken):
        note = "; ".join(filter(None, ["the loss hardly came down, and broke at no rate", note]))
        return RangeTest(tuple(rates), tuple(losses), note=note)
    border = None if broken is None else rates[broken]
    return RangeTest(tuple(rates), tuple(losses), rates[deepest], border, note)


class _Climb:
    """One fresh model trained at a rising rate, its losses written down by rate."""

    def __init__(self, task: Task, recipe: Recipe, device: str, steps: int) -> None:
        self.seen: dict[float, float] = {}
        self.start: float | None = None
        self._batch_loss = task.batch_loss
        low, high = SPAN
        first = low * reference_rate(recipe)
        rising = {"final_fraction": high / low, "warmup": 0.0}
        self._recipe = replace(recipe, settings={**recipe.settings, "lr": first}, schedule="exponential",
                               schedule_settings=rising)  # fmt: skip
        self._task = replace(task, batch_loss=self._watch, train=_Endless(task.train, steps),
                             valid=_OneBatch(task.valid), test=None)  # fmt: skip
        self._device = device
        self._trainee: Trainee | None = None
        self._untrained: nn.Module | None = None

    def go(self, seed: int) -> None:
        """Take the steps, until the loss is beyond hope."""
        self._trainee = Trainee(self._task, Run(0, self._recipe, seed, 1), self._device)
        self._untrained = copy.deepcopy(self._trainee.model).train()
        try:
            self._trainee.train_epoch()
        except _BeyondHopeError:
            pass
        finally:
            self._trainee = self._untrained = None

    def _watch(self, model: nn.Module, batch: Batch) -> BatchLoss:
        found = self._batch_loss(model, batch)
        if not model.training or self._trainee is None or self._untrained is None:
            return found
        # an optimizer may look at the loss several times in a step: the first time counts
        rate = float(self._trainee.optimizer.param_groups[0]["lr"])
        if rate not in self.seen:
            with torch.no_grad() if not self._task.grad_in_evaluation else torch.enable_grad():
                before = float(self._batch_loss(self._untrained, batch).loss.detach())
            self.start = before if self.start is None else self.start
            self.seen[rate] = self.start + float(found.loss.detach()) - before
            if not abs(self.seen[rate]) <= LOSS_BOUND * (1 + abs(self.start)):
                raise _BeyondHopeError
        return found


class _BeyondHopeError(Exception):
    """Ends a climb."""


@dataclass(frozen=True)
class _Endless:
    """The same samples, epoch after epoch, as one long epoch."""

    samples: Samples
    steps: int

    @property
    def rows(self) -> int | None:
        return self.samples.rows

    @property
    def fixed_batch_size(self) -> int | None:
        return self.samples.fixed_batch_size

    def steps_per_epoch(self, batch_size: int, *, drop_single: bool = False) -> int:  # noqa: ARG002
        return self.steps

    def batches(
        self, batch_size: int, *, shuffle_seed: int | None = None, drop_single: bool = False
    ) -> Iterator[Batch]:
        first = shuffle_seed or 0
        epochs = (
            self.samples.batches(batch_size, shuffle_seed=(first + n) % 2**32, drop_single=drop_single)
            for n in count()
        )
        return islice(chain.from_iterable(epochs), self.steps)


@dataclass(frozen=True)
class _OneBatch(_Endless):
    """The same samples, of which an evaluation sees the first batch only."""

    steps: int = 1
