"""Surrogate: a Gaussian process over mixed and conditional settings, at several lengths of training.

A covariance of three parts (shared by all values of the main choice, of one value alone, and a level of its own for
each value) lets a rate that is good for one optimizer speak for the next, as far as the data bear it out.

Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, chapters 2 and 5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.special import ndtr

Array = NDArray[np.float64]

UNLIKE = 0.5  # correlation left when a choice differs
ABSENT = 0.7  # … when a setting exists on one side only
LENGTH = 0.6  # of a number, as a share of its range, if nobody says otherwise
_SHARED, _OWN, _LEVEL, _NOISE = (0.1, 0.5, 1.5), (0.2, 1.0), (0.1, 0.5), (3e-3, 3e-2, 2e-1)


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
class _Parts:
    """Correlations between two tables: of all columns but the main one, and whether the main one agrees."""

    others: Array
    same: Array

    def weigh(self, weights: Sequence[float]) -> Array:
        shared, own, level = weights
        return (shared + own * self.same) * self.others + level * self.same


class Surrogate:
    """A Gaussian process fitted to scores, lower being better.

    Args:
        axes: what the columns of ``table`` are.
        table: settings tried, shape (n, columns).
        scores: their scores, shape (n,), standardised by the caller.

    Attributes:
        likelihood: the logarithm of the marginal likelihood of the scores.

    The weights of the covariance and the noise are those of the greatest marginal likelihood on a small grid: a
    grid cannot get stuck, and its cost is the same every time.
    """

    def __init__(self, axes: Axes, table: Array, scores: Array) -> None:
        self._axes, self._table, self._scores = axes, table, scores
        parts = _correlate(axes, table, table)
        self.likelihood = -math.inf
        for weights in product(_SHARED, _OWN, _LEVEL):
            covariance = parts.weigh(weights)
            for noise in _NOISE:
                factor = _factor(covariance, noise)
                likelihood = _log_likelihood(factor, scores)
                if likelihood > self.likelihood:
                    self.likelihood, self._weights, self._noise, self._factor = (
                        likelihood,
                        weights,
                        noise,
                        factor,
                    )

    def believe(self, table: Array) -> Surrogate:
        """Return the process that has also seen its own predictions at ``table``: where runs are under way."""
        if not len(table):
            return self
        other = object.__new__(Surrogate)
        other._axes, other._weights, other._noise = self._axes, self._weights, self._noise
        other._table = np.vstack([self._table, table])
        other._scores = np.concatenate([self._scores, self.predict(table)[0]])
        covariance = _correlate(self._axes, other._table, other._table).weigh(self._weights)
        other._factor = _factor(covariance, self._noise)
        return other

    def predict(self, table: Array) -> tuple[Array, Array]:
        """Return means and standard deviations of the noiseless score at each row, each of shape (rows,)."""
        cross = _correlate(self._axes, table, self._table).weigh(self._weights)
        mean = cross @ cho_solve((self._factor, True), self._scores)
        explained = solve_triangular(self._factor, cross.T, lower=True)
        variance = sum(self._weights) - (explained**2).sum(axis=0)
        return mean, np.sqrt(np.maximum(variance, 1e-12))


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


def _correlate(axes: Axes, left: Array, right: Array) -> _Parts:
    """Return the correlations between two tables, by products of matrices: thousands of pairs in a millisecond."""
    a, b = _Features(axes, left), _Features(axes, right)
    squares = a.squares @ b.there.T + a.there @ b.squares.T - 2 * a.numbers @ b.numbers.T
    unlike = a.chosen @ b.chosen.T - a.choices @ b.choices.T
    absent = a.present[:, None] + b.present[None, :] - 2 * (a.there @ b.there.T + a.chosen @ b.chosen.T)
    distance = 0.5 * squares - math.log(UNLIKE) * unlike - math.log(ABSENT) * absent
    return _Parts(np.exp(-np.maximum(distance, 0.0)), (a.main[:, None] == b.main[None, :]).astype(float))


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
