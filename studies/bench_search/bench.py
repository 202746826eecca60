"""Bench: all that a method is given, so that every method pays for its trainings in the same coin."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import process_time

from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.space.build import SearchSpace
from autoopt.tasks.task import Task
from studies.bench_search.evaluator import CachedCohort, Charge, Evaluator
from studies.bench_search.suite import space_of

SEEDS_A_SEARCH = 1000  # a search with seed s trains with seed 1000·s, as autoopt's does


class BudgetSpentError(Exception):
    """Nothing is left to train with; whoever runs the method catches it."""


@dataclass(frozen=True)
class Event:
    """A look at a recipe, and what had been spent by then.

    Attributes:
        runs: complete trainings spent so far.
        seconds: processor time of training so far.
        overhead: processor time of the method itself so far.
        epoch: how long the recipe had been trained.
        score: the objective then; NaN if it diverged.
    """

    runs: float
    seconds: float
    overhead: float
    recipe: Recipe
    epoch: int
    score: float


class Bench:
    """A task, its space, a budget and a seed, with a till.

    Args:
        evaluator: of the task.
        budget: complete trainings that may be spent.
        seed: of the search.
    """

    def __init__(self, evaluator: Evaluator, budget: float, seed: int) -> None:
        self._evaluator, self.budget, self.seed = evaluator, budget, seed
        self.task: Task = evaluator.task
        self.space: SearchSpace = space_of(self.task)
        self.events: list[Event] = []
        self._charge = Charge()
        self._began, self._inside_before = process_time(), evaluator.seconds_inside

    @property
    def sign(self) -> int:
        """1 where less is better, −1 where more is."""
        return 1 if self.task.direction == "minimize" else -1

    @property
    def spent(self) -> float:
        """Complete trainings spent so far."""
        return self._charge.epochs / self.task.epochs

    @property
    def training_seconds(self) -> float:
        """Processor time of the trainings that were paid for, whenever they were really done."""
        return self._charge.seconds

    @property
    def overhead_seconds(self) -> float:
        """Processor time of everything but training."""
        return process_time() - self._began - (self._evaluator.seconds_inside - self._inside_before)

    def start(self, recipe: Recipe) -> Training:
        """Begin to train a recipe; its epochs are paid for as they are asked for."""
        return Training(self, recipe)

    def cohort(self, runs: Sequence[Run]) -> CachedCohort:
        """Begin to train runs side by side, as autoopt does."""
        return CachedCohort(self._evaluator, runs, self._charge)

    def pay_for(self, recipe: Recipe, done: int, upto: int) -> Sequence[EpochReport]:
        """Train a recipe from epoch ``done`` to ``upto`` and note what came out.

        Raises:
            BudgetSpentError: less than that is left.
        """
        if self.spent + (upto - done) / self.task.epochs > self.budget + 1e-9:
            raise BudgetSpentError
        curve = self._evaluator.curve(recipe, self.seed * SEEDS_A_SEARCH, upto)
        new = curve.reports[done:upto]
        self._charge(len(new), sum(curve.cpu_seconds[done:upto]))
        self.note(recipe, new[-1])
        return new

    def note(self, recipe: Recipe, report: EpochReport) -> None:
        """Remember a look at a recipe, for the anytime curve."""
        score = math.nan if report.over else report.score
        self.events.append(
            Event(self.spent, self.training_seconds, self.overhead_seconds, recipe, report.epoch, score)
        )


class Training:
    """A recipe in training with the seed of the search."""

    def __init__(self, bench: Bench, recipe: Recipe) -> None:
        self._bench, self._recipe = bench, recipe
        self.reports: list[EpochReport] = []

    def upto(self, epoch: int) -> EpochReport:
        """Return the report of that epoch, or the last one if it diverged before.

        Raises:
            BudgetSpentError: the budget does not reach as far.
        """
        if len(self.reports) < epoch and not self.over:
            self.reports += self._bench.pay_for(self._recipe, len(self.reports), epoch)
        return self.reports[min(epoch, len(self.reports)) - 1]

    def to_the_end(self) -> EpochReport:
        """Return the report of the last epoch."""
        return self.upto(self._bench.task.epochs)

    @property
    def over(self) -> bool:
        """It diverged or failed."""
        return bool(self.reports) and self.reports[-1].over


Search = Callable[[Bench], Recipe | None]
"""A method: it trains through the bench and returns its winner, or ``None`` to take the best that it finished."""


def incumbent(events: Sequence[Event], runs: float, sign: int) -> Recipe | None:
    """Return the best recipe after so many complete trainings: of those trained longest, the best score."""
    seen = [e for e in events if e.runs <= runs + 1e-9 and math.isfinite(e.score)]
    if not seen:
        return None
    return min(seen, key=lambda e: (-e.epoch, sign * e.score)).recipe
