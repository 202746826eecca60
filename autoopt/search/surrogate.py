"""Surrogate: a Gaussian process over mixed and conditional settings, at several lengths of training.

A covariance of four parts. What all values of the main choice share, what one value has alone, and a level of its own
for each value let a rate that is good for one optimizer speak for the next, as far as the data bear it out. What a run
has alone lets a training that does better than its settings promise after a third do so at its end.

Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, chapters 2 and 5; that the deviations of one run
hang together along its curve is from Swersky, Snoek and Adams, Freeze-Thaw Bayesian Optimization, 2014.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.special import ndtr

Array = NDArray[np.float64]

UNLIKE = 0.5  # correlation left when a choice differs
ABSENT = 0.7  # … when a setting exists on one side only
LENGTH = 0.6  # of a number, as a share of its range, if nobody says otherwise
PASSES = 2  # over the grid of weights


@dataclass(frozen=True)
class Axes:
    """What the columns of a table of settings are.

    Numbers run from 0 to 1 over their range, choices are indices, and NaN stands for what does not exist.

    Attributes:
        names: of the columns, in order.
        choices: names of those that are choices.
        main: the choice that the others hang on, such as the optimizer; ``None`` if there is none.
        lengths: length scales of numbers, as a share of the range.
        most_choices: that any of the choices has.
    """

    names: tuple[str, ...]
    choices: frozenset[str] = frozenset()
    main: str | None = None
    lengths: Mapping[str, float] | None = None
    most_choices: int = 2


@dataclass(frozen=True)
class Weights:
    """Variances of the parts: shared, a main choice's own, its level, a run's own, and what no two scores share."""

    shared: float = 0.5
    own: float = 0.2
    level: float = 0.1
    run: float = 0.2
    noise: float = 0.05

    @property
    def process(self) -> float:
        """Variance of the score of settings, whatever run they are trained in."""
        return self.shared + self.own + self.level


GRID = {
    "shared": (0.1, 0.5, 1.5), "own": (0.2, 1.0), "level": (0.1, 0.5), "run": (3e-3, 0.03, 0.2, 0.6),
    "noise": (3e-3, 5e-2),
}  # fmt: skip


@dataclass(frozen=True)
class _Parts:
    """Correlations between two tables: of all columns but the main one, and whether main one and run agree."""

    others: Array
    same: Array
    same_run: Array

    def weigh(self, by: Weights) -> Array:
        return (by.shared + by.own * self.same + by.run * self.same_run) * self.others + by.level * self.same


class Surrogate:
    """A Gaussian process that has seen scores, lower being better.

    Args:
        axes: what the columns of ``table`` are.
        table: settings tried, shape (n, columns).
        scores: their scores, shape (n,), standardised by the caller.
        runs: which run each score is of, shape (n,); each of its own if ``None``.
        weights: of the covariance; ``likeliest`` finds them.

    Attributes:
        likelihood: the logarithm of the marginal likelihood of the scores, but for a constant.
    """

    def __init__(
        self,
        axes: Axes,
        table: Array,
        scores: Array,
        runs: Array | None = None,
        weights: Weights | None = None,
    ) -> None:
        self.axes, self.table, self.scores = axes, table, scores
        self.runs = np.arange(len(table), dtype=float) if runs is None else runs
        self.weights = weights or Weights()
        self._parts = _correlate(axes, table, table, self.runs, self.runs)
        self._solve()

    def _solve(self) -> None:
        self._factor = _factor(self._parts.weigh(self.weights), self.weights.noise)
        self.likelihood = _log_likelihood(self._factor, self.scores)

    def tuned(self) -> Surrogate:
        """Return the likeliest process that is found by going through the grid, one weight after the other."""
        best = self
        for _ in range(PASSES):
            for name, values in GRID.items():
                for value in values:
                    other = best._weighted(replace(best.weights, **{name: value}))
                    best = other if other.likelihood > best.likelihood else best
        return best

    def _weighted(self, weights: Weights) -> Surrogate:
        if weights == self.weights:
            return self
        other: Surrogate = object.__new__(Surrogate)
        other.__dict__.update(self.__dict__)
        other.weights = weights
        other._solve()
        return other

    def believe(self, table: Array) -> Surrogate:
        """Return the process that has also seen its own predictions at ``table``: where runs are under way."""
        if not len(table):
            return self
        guesses, _ = self.predict(table)
        new = self.runs.max(initial=0.0) + 1 + np.arange(len(table))
        return Surrogate(self.axes, np.vstack([self.table, table]), np.concatenate([self.scores, guesses]),
                         np.concatenate([self.runs, new]), self.weights)  # fmt: skip

    def likeness(self, table: Array, others: Array) -> Array:
        """Return how much each row is like the likest of other rows with its main choice: 1 equal, 0 like none."""
        if not len(others):
            return np.zeros(len(table))
        parts = _correlate(self.axes, table, others, np.zeros(len(table)), np.zeros(len(others)))
        found: Array = (parts.others * parts.same).max(axis=1)
        return found

    def predict(self, table: Array, runs: Array | None = None) -> tuple[Array, Array]:
        """Return means and standard deviations of the noiseless score at each row, each of shape (rows,).

        Args:
            runs: which run each row is of, for those that go on; runs nobody has seen yet if ``None``, and then what
                a run has alone is left out: it is no merit of the settings.
        """
        at = np.full(len(table), -1.0) if runs is None else runs
        cross = _correlate(self.axes, table, self.table, at, self.runs).weigh(self.weights)
        mean = cross @ cho_solve((self._factor, True), self.scores)
        explained = solve_triangular(self._factor, cross.T, lower=True)
        whole = self.weights.process + (0.0 if runs is None else self.weights.run)
        return mean, np.sqrt(np.maximum(whole - (explained**2).sum(axis=0), 1e-12))


def likeliest(variants: Sequence[tuple[Axes, Array]], scores: Array, runs: Array) -> Surrogate:
    """Return the process of the greatest marginal likelihood, over ways to look at the same trials and over weights.

    From one weight to the next on a small grid: a few dozen factorisations, the same number every time.
    """
    first = max((Surrogate(*variant, scores, runs) for variant in variants), key=lambda each: each.likelihood)
    weights = first.tuned().weights
    return max(
        (Surrogate(*variant, scores, runs, weights) for variant in variants), key=lambda e: e.likelihood
    )


def expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """Return by how much each of some scores is expected to fall below ``best``.

    Jones, Schonlau and Welch, Efficient Global Optimization of Expensive Black-Box Functions, 1998.
    """
    ahead = (best - mean) / deviation
    density = np.exp(-0.5 * ahead**2) / math.sqrt(2 * math.pi)
    gain: Array = deviation * (ahead * ndtr(ahead) + density)
    return gain


def _factor(covariance: Array, noise: float) -> Array:
    noisy = covariance.copy()
    np.fill_diagonal(noisy, noisy.diagonal() + noise)
    return np.asarray(np.linalg.cholesky(noisy), dtype=np.float64)


def _log_likelihood(factor: Array, scores: Array) -> float:
    return float(-0.5 * scores @ cho_solve((factor, True), scores) - np.log(np.diag(factor)).sum())


def _correlate(axes: Axes, left: Array, right: Array, left_runs: Array, right_runs: Array) -> _Parts:
    """Return the correlations between two tables, by products of matrices: thousands of pairs in a millisecond."""
    a, b = _Features(axes, left), _Features(axes, right)
    squares = a.squares @ b.there.T + a.there @ b.squares.T - 2 * a.numbers @ b.numbers.T
    unlike = a.chosen @ b.chosen.T - a.choices @ b.choices.T
    absent = a.present[:, None] + b.present[None, :] - 2 * (a.there @ b.there.T + a.chosen @ b.chosen.T)
    distance = 0.5 * squares - math.log(UNLIKE) * unlike - math.log(ABSENT) * absent
    return _Parts(
        np.exp(-np.maximum(distance, 0.0)),
        (a.main[:, None] == b.main[None, :]).astype(float),
        (left_runs[:, None] == right_runs[None, :]).astype(float),
    )


class _Features:
    """A table taken apart: numbers in units of their lengths, choices as ones and zeros, and what is there."""

    def __init__(self, axes: Axes, table: Array) -> None:
        lengths = axes.lengths or {}
        main = axes.names.index(axes.main) if axes.main in axes.names else None
        choices = [i for i, name in enumerate(axes.names) if name in axes.choices and i != main]
        numbers = [i for i, name in enumerate(axes.names) if name not in axes.choices and i != main]
        scale = np.array([lengths.get(axes.names[i], LENGTH) for i in numbers])
        self.main = np.zeros(len(table)) if main is None else table[:, main]
        self.there = (~np.isnan(table[:, numbers])).astype(float)
        self.numbers = np.nan_to_num(table[:, numbers]) / scale
        self.squares = self.numbers**2
        self.chosen = (~np.isnan(table[:, choices])).astype(float)
        most = max(axes.most_choices, 1)
        self.choices = np.concatenate(
            [table[:, [i]] == np.arange(most) for i in choices] or [np.zeros((len(table), 0))], axis=1
        ).astype(float)
        self.present = self.there.sum(axis=1) + self.chosen.sum(axis=1)
