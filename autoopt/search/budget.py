"""Budget: what a study may spend, how much of it the confirmation needs, and the ledger that keeps count.

The unit is one complete training of the task with the baseline, so that a budget means the same for every model and
machine. Optimizers whose epochs take several times as long are charged as many times as much (``training/cost.py``).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import monotonic

from autoopt.errors import BudgetError
from autoopt.recipe import Recipe
from autoopt.run import Purpose, RunRecord

LEAST_SEEDS = 3
LEAST_RUNS = 2
# (From this many runs on, finalists, seeds), measured in studies/2026-11-21-search: a finalist more is worth more than
# a wider search, since a search sees every recipe on one seed only.
_PLANS = (
    (40.0, 16, 5), (25.0, 8, 3), (20.0, 7, 3), (16.0, 5, 3), (12.0, 3, 3), (10.0, 2, 3), (7.0, 1, 3), (5.0, 2, 1),
    (0.0, 1, 1),
)  # fmt: skip
MOST_CONFIRMING = 0.85  # of a budget
GO_ON = 0.4  # of the finalists after each seed
LEAST_TO_FOLLOW = 8  # finalists, for some of them to be picked after complete trainings of the others
FIRST_PICKED = 0.7  # of them, by the search


@dataclass(frozen=True)
class Budget:
    """What may be spent; whichever limit is met first ends the search.

    Attributes:
        runs: complete trainings, search and confirmation together.
        seconds: wall-clock time over all sittings of the study, or ``None``.
        trials: recipes tried by the search, or ``None``.
        seeds: seeds a finalist, or ``None`` to let the budget decide: 3, from 40 runs on 5; under 7 runs only 1, and
            no comparison with the baseline.
    """

    runs: float = 30.0
    seconds: float | None = None
    trials: int | None = None
    seeds: int | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.runs) or self.runs <= 0:
            raise BudgetError(f"the budget must be a positive number of runs, got {self.runs:g}")
        if self.seconds is not None and not (math.isfinite(self.seconds) and self.seconds > 0):
            raise BudgetError(f"the timeout must be a positive number of seconds, got {self.seconds:g}")
        if self.trials is not None and self.trials < 1:
            raise BudgetError(f"the number of trials must be at least 1, got {self.trials}")
        if self.seeds is not None and self.seeds < LEAST_SEEDS:
            raise BudgetError(f"a confirmation needs at least {LEAST_SEEDS} seeds, got {self.seeds}")
        if self.seeds is not None and self.runs < 2 * self.seeds + 1:
            raise BudgetError(
                f"a budget of {self.runs:g} runs is too small: confirming one finalist and the baseline on "
                f"{self.seeds} seeds takes {2 * self.seeds}, and the search at least 1; give {2 * self.seeds + 1} or "
                "more"
            )
        if self.runs < LEAST_RUNS:
            raise BudgetError(
                f"a budget of {self.runs:g} runs is too small: the search takes at least 1, and one complete training "
                f"of what it finds another; give {LEAST_RUNS} or more, {2 * LEAST_SEEDS + 1} for a comparison with the "
                "baseline"
            )

    @property
    def confirmation(self) -> tuple[int, int]:
        """Number of finalists and of seeds that the final confirmation is planned with."""
        finalists, seeds = next((f, s) for least, f, s in _PLANS if self.runs >= least)
        seeds = self.seeds or seeds
        while finalists > 1 and self._cost(finalists, seeds) > MOST_CONFIRMING * self.runs:
            finalists -= 1
        return finalists, seeds

    @property
    def compares(self) -> bool:
        """Whether there is room for a comparison with the baseline; else the finalists only meet each other."""
        return self.runs >= 2 * LEAST_SEEDS + 1

    @property
    def confirm_runs(self) -> int:
        """Complete trainings set aside for the finalists and the baseline."""
        return self._cost(*self.confirmation)

    def _cost(self, finalists: int, seeds: int) -> int:
        return sum(race(finalists, seeds)) + (seeds if self.compares else 0)


def race(finalists: int, seeds: int) -> list[int]:
    """Return how many finalists are trained on each seed in turn: after each, the best two in five go on.

    >>> race(7, 3), race(16, 5), race(1, 3)
    ([7, 3, 2], [16, 7, 3, 2, 1], [1, 1, 1])
    """
    places = [finalists]
    while len(places) < seeds:
        places.append(max(1, math.ceil(GO_ON * places[-1] - 1e-9)))
    return places[:seeds]


def picked_by_search(finalists: int) -> int:
    """Return how many finalists the search picks; the others are picked one by one, as complete trainings tell.

    What the search saw of a recipe ends at a third of a training, and may favour what is quick over what is good in
    the end. Of few finalists none is left to that: measured in studies/2026-11-22-search.

    >>> picked_by_search(16), picked_by_search(7)
    (11, 7)
    """
    return finalists if finalists < LEAST_TO_FOLLOW else round(FIRST_PICKED * finalists)


def fits(prices: Sequence[float], finalists: int, seeds: int) -> bool:
    """Return whether a confirmation has room for finalists of which one training costs so much each.

    There is room for as many trainings as a race of ordinary ones takes; the dearest are taken to go on to the end.

    Args:
        finalists, seeds: as planned.
    """
    dearest = sorted(prices, reverse=True)
    cost = sum(sum(dearest[:places]) for places in race(len(dearest), seeds))
    return len(prices) <= finalists and cost <= sum(race(finalists, seeds)) + 1e-9


def affordable(prices: Sequence[float], finalists: int, seeds: int) -> tuple[list[int], int]:
    """Return which finalists a confirmation has room for, and on how many seeds each.

    Whoever does not fit in beside those before it is left out. Where nobody fits, the first one is trained on as many
    seeds as there is room for, and on one at least.

    Args:
        prices: complete trainings that one of each costs, best finalist first.
        finalists, seeds: as planned.

    >>> affordable([1, 1, 1], 2, 3), affordable([6, 1, 3], 3, 3), affordable([6], 2, 3), affordable([], 2, 3)
    (([0, 1], 3), ([1], 3), ([0], 1), ([], 3))
    """
    chosen: list[int] = []
    for place, price in enumerate(prices):
        if len(chosen) == finalists:
            break
        if fits([*(prices[k] for k in chosen), price], finalists, seeds):
            chosen.append(place)
    if chosen or not prices:
        return chosen, seeds
    return [0], max(1, min(seeds, int(sum(race(finalists, seeds)) / prices[0])))


@dataclass
class Ledger:
    """What has been spent so far, in complete trainings, seconds and trials.

    Attributes:
        epochs: length of one complete training of the task.
        seconds_before: wall-clock time of earlier sittings.
        search_epochs, confirm_epochs: spent so far; one that costs three counts three.
        costs: how many trainings of an ordinary optimizer one of these costs, by name; 1 where nothing is said.
    """

    budget: Budget
    epochs: int
    seconds_before: float = 0.0
    search_epochs: float = 0
    confirm_epochs: float = 0
    trials: int = 0
    costs: Mapping[str, float] = field(default_factory=dict)
    _epoch_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=99))
    _started: float = field(default_factory=lambda: monotonic())

    def charge(self, record: RunRecord, epochs: int, seconds: float) -> None:
        """Add trained epochs of a run, each for as many as it costs."""
        charged = epochs * self.price(record.run.recipe)
        if record.run.purpose is Purpose.SEARCH:
            self.search_epochs += charged
        else:
            self.confirm_epochs += charged
        if epochs:
            self._epoch_seconds.append(seconds / charged)

    def price(self, recipe: Recipe) -> float:
        """Return how many complete trainings one with this recipe costs."""
        return self.costs.get(recipe.optimizer, 1)

    @property
    def search_runs(self) -> float:
        """Spent on search, in complete trainings."""
        return self.search_epochs / self.epochs

    @property
    def confirm_runs(self) -> float:
        """Spent on confirmation, in complete trainings."""
        return self.confirm_epochs / self.epochs

    @property
    def seconds(self) -> float:
        """Wall-clock time over all sittings."""
        return self.seconds_before + monotonic() - self._started

    @property
    def seconds_a_run(self) -> float:
        """Time of one complete training, from the median of late epochs; 0 before three were measured.

        The first epoch of a process is no measure: torch loads parts of itself then, which takes seconds.
        """
        return median(self._epoch_seconds) * self.epochs if len(self._epoch_seconds) >= 3 else 0.0

    @property
    def left_for_search(self) -> float:
        """Complete trainings that the search may still spend."""
        return self.budget.runs - self.budget.confirm_runs - self.search_runs

    @property
    def trials_left(self) -> float:
        """Trials that may still be asked for."""
        return math.inf if self.budget.trials is None else self.budget.trials - self.trials

    @property
    def out_of_time(self) -> bool:
        """The time-out has passed."""
        return self.budget.seconds is not None and self.seconds >= self.budget.seconds

    @property
    def time_to_confirm(self) -> bool:
        """What is left of the time is needed for the confirmation."""
        if self.budget.seconds is None:
            return False
        return self.seconds + self.budget.confirm_runs * self.seconds_a_run >= self.budget.seconds

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time to the end, ``None`` before anything was measured."""
        if not self.seconds_a_run:
            return None
        left = (self.budget.runs - self.search_runs - self.confirm_runs) * self.seconds_a_run
        if self.budget.seconds is not None:
            left = min(left, self.budget.seconds - self.seconds)
        return max(0.0, left)
