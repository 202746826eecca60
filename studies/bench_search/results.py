"""What came out: the scores of winners, put on one scale so that tasks can be averaged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

WORST_REGRET = (
    2.0  # of a winner that diverged, or of no winner at all: twice as far from the best as the default
)


@dataclass(frozen=True)
class Row:
    """One winner: of a method, on a task, with a seed, after a budget.

    Attributes:
        scores: on fresh seeds; NaN where it diverged; empty where the method had no winner.
        runs: complete trainings spent by then.
        seconds, overhead: processor time by then, of the trainings and of the method itself.
    """

    method: str
    task: str
    seed: int
    budget: int
    scores: tuple[float, ...]
    test_scores: tuple[float, ...]
    recipe: Mapping[str, Any] | None
    runs: float
    seconds: float
    overhead: float

    @property
    def mean(self) -> float:
        """Mean score over fresh seeds; NaN if any diverged, or if there is no winner."""
        return float(np.mean(self.scores)) if self.scores else math.nan


def rows_of(results: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return a row a winner of what ``run_cell`` gave; refused cells give none."""
    return [
        Row(r["method"], r["task"], r["seed"], w["budget"], _numbers(w["scores"]), _numbers(w["test_scores"]),
            w["recipe"], w["runs"], w["seconds"], w["overhead"])
        for r in results if not r["refused"] for w in r["winners"]
    ]  # fmt: skip


def _numbers(values: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(math.nan if value is None else float(value) for value in values)


@dataclass(frozen=True)
class Scale:
    """Normalised regret on a task: 0 is the best mean score that any winner of any method had, 1 AdamW's defaults.

    As the normalised regret of HPO-B (Pineda Arango et al., NeurIPS Datasets and Benchmarks 2021), but for its 1: that
    is not the worst recipe but the one that a user has without any search, so that 1 is worth knowing.
    """

    best: float
    default: float

    def regret(self, scores: Sequence[float]) -> float:
        """Return the mean regret of scores, each at most ``WORST_REGRET``; that as well for NaN, and for no scores.

        >>> Scale(1.0, 3.0).regret([2.0, 1.0]), Scale(1.0, 3.0).regret([math.nan])
        (0.25, 2.0)
        """
        span = self.default - self.best
        each = [
            min(WORST_REGRET, (score - self.best) / span) if math.isfinite(score) else WORST_REGRET
            for score in scores
        ]
        return sum(each) / len(each) if each else WORST_REGRET


def scales(rows: Sequence[Row]) -> dict[str, Scale]:
    """Return the scale of every task that has a winner of the defaults; less is better on all tasks of the suite."""
    found = {}
    for task in dict.fromkeys(row.task for row in rows):
        means = [row.mean for row in rows if row.task == task and math.isfinite(row.mean)]
        defaults = [row.mean for row in rows if row.task == task and row.method == "adamw"]
        if defaults and defaults[0] > min(means, default=math.nan):
            found[task] = Scale(min(means), defaults[0])
    return found


@dataclass(frozen=True)
class Table:
    """Mean regrets: the methods' cells by (method, budget), each with a row a task and a column a seed.

    Attributes:
        regrets: (method, budget) → array (tasks, seeds); NaN where nothing was run.
        tasks: names of the rows.
    """

    regrets: Mapping[tuple[str, int], np.ndarray]
    tasks: tuple[str, ...]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Table:
        """Arrange rows, on the scales of their tasks."""
        known = scales(rows)
        tasks = tuple(known)
        seeds = 1 + max((row.seed for row in rows), default=0)
        regrets: dict[tuple[str, int], np.ndarray] = {}
        for row in rows:
            if row.task in known:
                cell = regrets.setdefault((row.method, row.budget), np.full((len(tasks), seeds), math.nan))
                cell[tasks.index(row.task), row.seed] = known[row.task].regret(row.scores)
        return cls(regrets, tasks)

    def complete(self, keys: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """Return those of the cells that have at least one seed on every task."""
        return [k for k in keys if k in self.regrets and not np.isnan(self.regrets[k]).all(axis=1).any()]

    def by_task(self, key: tuple[str, int]) -> np.ndarray:
        """Return the mean regret of a cell on each task."""
        return np.nanmean(self.regrets[key], axis=1)
