"""What the epochs of an optimizer cost beside those of the baseline, timed on a few batches of a copy of the task."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from statistics import median

from autoopt.catalogue.own import entry_of
from autoopt.recipe import Recipe
from autoopt.run import Run
from autoopt.tasks.samples import Samples
from autoopt.tasks.task import Batch, Task
from autoopt.training.plan import MANY, seconds_of
from autoopt.training.trainee import Trainee

SECONDS = 1.0  # for all that is timed together, after two looks at a step of each
STEPS = 10  # of an epoch that is timed; SOAP finds its bases anew every ten
ROUNDS = 3  # after one that does not count
BASELINE = ""  # among names of optimizers
SAME = 1.25  # a ratio up to this counts as none
GRID = (1.25, 1.5, 2.0, 3.0)  # then 4, 6, 8, 12, 16, 24 …


def charged(ratio: float) -> float:
    """Return what is charged for epochs that take so many times as long: coarse, to lose the noise of a machine.

    >>> [charged(ratio) for ratio in (0.4, 1.25, 1.4, 2.6, 5.2, 9.4, 1000.0)]
    [1.0, 1.0, 1.5, 3.0, 6.0, 8.0, 1024.0]
    """
    if not ratio > SAME:
        return 1.0
    doublings = [base * 2.0**k for k in range(1, 40) for base in GRID[2:]]
    return min((*GRID, *doublings), key=lambda step: abs(math.log(step / ratio)))


def measure_costs(
    task: Task, recipes: Mapping[str, Recipe], baseline: Recipe, device: str
) -> dict[str, float]:
    """Return how many of the baseline's epochs one of each recipe costs, rounded by ``charged``.

    An epoch is one of ten steps' rows, and as large a share of the validation data; the median of three, the recipes
    taking turns. Takes about two seconds, more only where single steps do, and then looks at one step of each.

    Args:
        recipes: by name of their optimizer; one that cannot be trained costs 1, and its runs will say what ails it.
    """
    everyone = {BASELINE: baseline, **recipes}
    looks = {
        name: seconds for name in everyone if (seconds := _look(task, everyone[name], device)) is not None
    }
    if BASELINE not in looks:
        return dict.fromkeys(recipes, 1.0)
    steps = min(STEPS, int(SECONDS / (ROUNDS + 1) / sum(looks.values())))
    if steps > 1:
        looks = _times(_part(task, steps), {name: everyone[name] for name in looks}, device)
    if BASELINE not in looks:
        return dict.fromkeys(recipes, 1.0)
    return {name: charged(looks[name] / looks[BASELINE]) if name in looks else 1.0 for name in recipes}


def _look(task: Task, recipe: Recipe, device: str) -> float | None:
    """Return how long a step takes; ``None`` where it cannot be taken."""
    try:
        epochs = _Epochs(_part(task, 1), recipe, device)
        first = epochs.seconds()  # with what libraries do but once
        return max(1e-9, first if first > SECONDS else epochs.seconds())
    except (Exception, SystemExit):  # the user's code
        return None


def _times(task: Task, recipes: Mapping[str, Recipe], device: str) -> dict[str, float]:
    """Return the median time of an epoch of each, in turns; one that fails on its way is left out."""
    epochs = {name: _Epochs(task, recipe, device) for name, recipe in recipes.items()}
    ends = time.monotonic() + SECONDS
    found: dict[str, list[float]] = {name: [] for name in epochs}
    for number in range(ROUNDS + 1):
        if number > 1 and time.monotonic() > ends:
            break
        for name, each in list(epochs.items()):
            try:
                seconds = each.seconds()
            except (Exception, SystemExit):  # the user's code
                del epochs[name], found[name]
                continue
            if number:
                found[name].append(seconds)
    return {name: max(1e-9, median(seconds)) for name, seconds in found.items() if seconds}


class _Epochs:
    """Epochs of one run that goes on; of a new one each where a step is a search of its own, which soon ends."""

    def __init__(self, task: Task, recipe: Recipe, device: str) -> None:
        self._task, self._device = task, device
        self._run = Run(0, recipe, seed=0, epochs=MANY)
        self._renewed = entry_of(recipe).batches == "whole"
        self._trainee = Trainee(task, self._run, device)

    def seconds(self) -> float:
        """Train for an epoch; return how long that took."""
        if self._renewed:
            self._trainee = Trainee(self._task, self._run, self._device)
        return seconds_of(self._trainee.train_epoch, self._device)


def _part(task: Task, steps: int) -> Task:
    """Return the task with the rows of so many steps, and as large a share of the rows to evaluate on."""
    size = task.train.fixed_batch_size or task.batch_size
    rows = steps * size * task.accumulate
    share = 1.0 if task.train.rows is None else min(1.0, rows / task.train.rows)
    evaluated = size if task.valid.rows is None else max(1, round(share * task.valid.rows))
    return replace(task, train=FirstRows(task.train, rows), valid=FirstRows(task.valid, evaluated), test=None,
                   epochs=MANY)  # fmt: skip


@dataclass(frozen=True)
class FirstRows:
    """The same samples, but an epoch ends after the batches of so many rows."""

    samples: Samples
    most: int

    @property
    def rows(self) -> int | None:
        return None if self.samples.rows is None else min(self.most, self.samples.rows)

    @property
    def fixed_batch_size(self) -> int | None:
        return self.samples.fixed_batch_size

    def steps_per_epoch(self, batch_size: int, *, drop_single: bool = False) -> int:
        return min(self._count(batch_size), self.samples.steps_per_epoch(batch_size, drop_single=drop_single))

    def batches(
        self, batch_size: int, *, shuffle_seed: int | None = None, drop_single: bool = False
    ) -> Iterator[Batch]:
        batches = self.samples.batches(batch_size, shuffle_seed=shuffle_seed, drop_single=drop_single)
        return islice(batches, self._count(batch_size))

    def _count(self, batch_size: int) -> int:
        return max(1, math.ceil(self.most / (self.fixed_batch_size or batch_size)))
