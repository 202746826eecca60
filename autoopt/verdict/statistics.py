"""Numbers only: how sure a mean, a gain and a best place are, from candidates trained on the same seeds.

A table has a row a candidate and a column a seed, all numbers finite. Every candidate was trained on every
seed, so what a seed does to all of them (initial weights, order of data) cancels in differences.

The noise of a run is what is left of the table after a mean for each row and each column, pooled over rows,
with (rows − 1)(columns − 1) degrees of freedom: with three seeds a candidate by itself would have only two.
Pooling assumes rows of about equal noise. Two safeguards keep false claims of a gain below 5 % where they
differ, up to ten times in simulation: a row far noisier than the others (F test, 1 %) is set aside and judged
by its own differences alone; and no gain is judged by less noise than its own differences show.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri, fdtri, ndtr, stdtrit

from autoopt.run import Direction

Table = NDArray[np.float64]
Verdict = Literal["better", "tie", "worse"]
Goal = Literal["decide", "halve"]

SET_ASIDE = 0.01  # chance that a row as noisy as the others is taken for a noisier one
ROUNDING = 1e-12  # differences below this share of the largest number are rounding, not noise
MOST_SEEDS = 1000
LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Interval:
    """A number with the bounds that it lies between; infinite where one seed tells nothing of the noise."""

    low: float
    middle: float
    high: float

    @property
    def bounded(self) -> bool:
        """Whether there is any knowledge of the noise."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def verdict(self) -> Verdict:
        """``better`` if the whole interval lies above zero, ``worse`` if below, else ``tie``."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "tie"


@dataclass(frozen=True)
class Noise:
    """Noise of single runs: ``deviation`` pooled over the rows in ``alike``; the other rows stand alone."""

    deviation: float
    degrees: int
    alike: frozenset[int]


@dataclass(frozen=True)
class Gain:
    """How much better one row is than another: positive is better, in the units of the scores.

    Attributes:
        standard_error: of the mean difference; infinite with one seed.
        own_error: the same from the differences of these two rows alone.
        degrees: of freedom behind ``standard_error``; 0 with one seed.
    """

    interval: Interval
    standard_error: float
    own_error: float
    degrees: int
    seeds: int


def mean_interval(scores: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean of scores over seeds with its t interval; one score has infinite bounds.

    >>> interval = mean_interval([1.0, 2.0, 3.0])
    >>> round(interval.low, 2), interval.middle, round(interval.high, 2)
    (-0.48, 2.0, 4.48)
    """
    (values,), scale = _scaled([scores])
    error = float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else math.inf
    return _interval(float(values.mean()), _floor(error), values.size - 1, confidence, scale)


def simultaneous_confidence(finalists: int, confidence: float = 0.95) -> float:
    """Return the confidence for each of several gains such that all of them hold together (Bonferroni).

    The best of several finalists was picked on the seeds that judge it, so each gain is judged more strictly.
    """
    return 1 - (1 - confidence) / max(1, finalists)


def row_noise(scores: ArrayLike) -> Noise:
    """Return the noise of single runs of a table, far noisier rows set aside; infinite if unknown."""
    table = _checked(scores)
    alike = list(range(len(table)))
    while len(alike) > 2 and table.shape[1] > 1:
        rows, _ = _scaled(table[alike])
        excess = [_excess_noise(rows, row) for row in range(len(alike))]
        noisiest = int(np.argmax(excess))
        if excess[noisiest] <= 1:
            break
        del alike[noisiest]
    rows, scale = _scaled(table[alike])
    variance, degrees = _residual_variance(rows)
    return Noise(_unscale(_floor(math.sqrt(variance)), scale), degrees, frozenset(alike))


def paired_gain(
    scores: ArrayLike, row: int, reference: int, direction: Direction, confidence: float = 0.95
) -> Gain:
    """Return how much better a row is than a reference row, with an interval of the given confidence."""
    table = _checked(scores)
    noise = row_noise(table)
    pair, scale = _scaled(table[[row, reference]])
    difference = pair[1] - pair[0] if direction == "minimize" else pair[0] - pair[1]
    seeds = difference.size
    middle = float(difference.mean())
    own = _floor(float(difference.std(ddof=1)) / math.sqrt(seeds)) if seeds > 1 else math.inf
    error, degrees = own, seeds - 1
    if {row, reference} <= noise.alike and noise.degrees > 0:
        error = max(own, noise.deviation / scale * math.sqrt(2 / seeds))
        degrees = noise.degrees
    interval = _interval(middle, error, degrees, confidence, scale)
    return Gain(interval, _unscale(error, scale), _unscale(own, scale), degrees, seeds)


def chance_best(scores: ArrayLike, direction: Direction) -> tuple[float, ...]:
    """Return the chance that each row's true mean is the best of all; the chances add up to 1.

    The true means follow a multivariate t around the rows' means: independent given the noise (``row_noise``,
    or for a row set aside its own), which itself is known only to its degrees of freedom. Integrated on a
    grid, so the same table gives the same answer. With one seed the noise is unknown, and all rows have the
    same chance.
    """
    table, _ = _scaled(scores)
    rows = len(table)
    if rows == 1 or table.shape[1] == 1:
        return (1 / rows,) * rows
    means = table.mean(axis=1) * (-1 if direction == "minimize" else 1)
    ahead = means[:, None] - means[None, :]
    ahead[np.abs(ahead) < ROUNDING * np.maximum(np.abs(means[:, None]), np.abs(means[None, :]))] = 0.0
    errors, degrees = _errors_of_means(table)
    # without any noise the smallest lead decides, and what is tied shares
    errors = np.maximum(errors, 1e-9 * np.min(np.abs(ahead), where=ahead != 0, initial=1.0))
    chances = [chance_ahead(ahead[row], errors, row, degrees) for row in range(rows)]
    total = math.fsum(chances)
    return tuple(chance / total for chance in chances)


def seeds_needed(gain: Gain, goal: Goal, confidence: float = 0.95) -> int | None:
    """Return about how many more seeds would settle a gain, if its middle and noise stay as they are.

    Args:
        goal: ``decide``: the interval excludes zero; ``halve``: the interval becomes half as wide.

    Returns:
        0 when that is so already; ``None`` when a thousand seeds would not do, or the noise is unknown.
    """
    middle = abs(gain.interval.middle)
    if gain.degrees < 1:
        return None
    if gain.standard_error == 0:
        return 0 if middle > 0 or goal == "halve" else None
    deviation = gain.standard_error * math.sqrt(gain.seeds)
    target = middle if goal == "decide" else gain.standard_error * _quantile(gain.degrees, confidence) / 2
    for seeds in range(gain.seeds, MOST_SEEDS):
        degrees = gain.degrees * (seeds - 1) // (gain.seeds - 1)
        if deviation / math.sqrt(seeds) * _quantile(degrees, confidence) < target:
            return seeds - gain.seeds
    return None


def _checked(scores: ArrayLike) -> Table:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise ValueError("a table needs a row a candidate, a column a seed, and finite numbers throughout")
    return table


def _scaled(scores: ArrayLike) -> tuple[Table, float]:
    """Return the table divided by its largest number, so that squares neither overflow nor vanish."""
    table = _checked(scores)
    scale = float(np.abs(table).max()) or 1.0
    return table / scale, scale


def _unscale(value: float, scale: float) -> float:
    """Undo the scaling; what is finite stays finite."""
    return value if math.isinf(value) else max(-LARGEST, min(LARGEST, value * scale))


def _floor(value: float) -> float:
    return 0.0 if abs(value) < ROUNDING else value


def _quantile(degrees: int, confidence: float) -> float:
    return float(stdtrit(degrees, (1 + confidence) / 2))


def _interval(middle: float, error: float, degrees: int, confidence: float, scale: float) -> Interval:
    middle = _floor(middle)
    reach = error * _quantile(degrees, confidence) if degrees > 0 else math.inf
    return Interval(*(_unscale(value, scale) for value in (middle - reach, middle, middle + reach)))


def _residual_variance(table: Table) -> tuple[float, int]:
    """Return variance and degrees of freedom of what is left after a mean for each row and each column."""
    rows, columns = table.shape
    degrees = (rows - 1) * (columns - 1)
    if degrees == 0:
        return math.inf, 0
    left = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    return float((left**2).sum()) / degrees, degrees


def _against_others(table: Table, row: int) -> tuple[float, Table]:
    """Return the variance of a row's differences from the mean of the others, and the others."""
    others = np.delete(table, row, axis=0)
    difference = table[row] - others.mean(axis=0)
    return float(difference.var(ddof=1)), others


def _excess_noise(table: Table, row: int) -> float:
    """Return the F ratio of a row's noise to that of the others, as a multiple of what chance allows."""
    own, others = _against_others(table, row)
    variance, degrees = _residual_variance(others)
    expected = variance * (1 + 1 / len(others)) * float(fdtri(table.shape[1] - 1, degrees, 1 - SET_ASIDE))
    if own <= ROUNDING**2:
        return 0.0
    return own / expected if expected > own * 1e-300 else math.inf


def _errors_of_means(table: Table) -> tuple[Table, int]:
    """Return the standard error of every row's mean, and the degrees of freedom behind them."""
    noise = row_noise(table)
    alike = sorted(noise.alike)
    deviations = np.full(len(table), noise.deviation)
    for row in set(range(len(table))) - noise.alike:
        deviations[row] = math.sqrt(_against_others(table[[row, *alike]], 0)[0])
    return deviations / math.sqrt(table.shape[1]), noise.degrees


def chance_ahead(ahead: Table, errors: Table, row: int, degrees: int) -> float:
    """Return the chance that a row's true mean is better than all others, given its lead over each.

    Args:
        ahead: by how much its mean is better than that of each row, shape (rows,).
        errors: standard errors of the rows' means, above 0, shape (rows,).
        degrees: of freedom that the errors are known to.
    """
    levels = (np.arange(200) + 0.5) / 200
    widen = 1 / np.sqrt(chdtri(degrees, levels) / degrees)[:, None]
    z = np.linspace(-7, 7, 561)
    wins = np.exp(-(z**2) / 2) * np.ones_like(widen)
    whole = float(wins.sum())
    for other in set(range(len(errors))) - {row}:
        with np.errstate(over="ignore"):
            wins *= ndtr((ahead[other] / widen + errors[row] * z) / errors[other])
    return float(wins.sum()) / whole
