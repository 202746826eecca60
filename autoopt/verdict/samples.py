"""Numbers only: intervals of shares and medians, and how often one group does better than another.

Where no formula is at hand the interval is a bootstrap's: drawn again 2,000 times with a fixed seed, so the same
runs give the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from autoopt.verdict.statistics import Interval

DRAWS = 2000
_Z = 1.959963985  # of 95 %


def share_interval(count: int, of: int) -> Interval | None:
    """Return a share with its 95 % Wilson interval, which stays within 0 and 1; ``None`` of nothing.

    >>> interval = share_interval(0, 10)
    >>> interval.low, interval.middle, round(interval.high, 2)
    (0.0, 0.0, 0.28)
    """
    if of == 0:
        return None
    share = count / of
    scale = 1 + _Z**2 / of
    centre = (share + _Z**2 / (2 * of)) / scale
    reach = _Z * math.sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2)) / scale
    return Interval(0.0 if count == 0 else centre - reach, share, 1.0 if count == of else centre + reach)


def median_interval(values: Sequence[float]) -> Interval | None:
    """Return a median with its 95 % bootstrap interval; one value has infinite bounds, none no median.

    >>> median_interval([2.0]).middle
    2.0
    """
    if not values:
        return None
    sample = np.asarray(values, dtype=np.float64)
    middle = float(np.median(sample))
    if sample.size == 1:
        return Interval(-math.inf, middle, math.inf)
    medians = np.median(sample[_draws(sample.size)], axis=1)
    return Interval(*_bounds(medians, middle))


def chance_better(pairs: Iterable[tuple[Sequence[float], Sequence[float]]]) -> Interval | None:
    """Return how often one of ours costs less than one of theirs, with its 95 % bootstrap interval.

    Mann and Whitney's statistic: 0.5 if the two groups do equally well, 1 if each of ours beats each of theirs.
    It needs no units, and infinity may stand for a run that diverged.

    Args:
        pairs: (our costs, their costs), lower is better; one pair a group of runs that compare with each other.

    Returns:
        ``None`` where nobody can be compared with anybody; infinite bounds where a side has a single run.

    >>> chance_better([([1.0, 2.0], [3.0, 4.0])])
    Interval(low=1.0, middle=1.0, high=1.0)
    """
    groups = [(np.asarray(ours), np.asarray(theirs)) for ours, theirs in pairs if len(ours) and len(theirs)]
    if not groups:
        return None
    wins = [
        (ours[:, None] < theirs[None, :]) + 0.5 * (ours[:, None] == theirs[None, :])
        for ours, theirs in groups
    ]
    of = sum(table.size for table in wins)
    middle = sum(float(table.sum()) for table in wins) / of
    if min(sum(table.shape[side] for table in wins) for side in (0, 1)) < 2:
        return Interval(-math.inf, middle, math.inf)
    totals = np.zeros(DRAWS)
    for number, table in enumerate(wins):
        rows, columns = _draws(table.shape[0], 2 * number), _draws(table.shape[1], 2 * number + 1)
        totals += table[rows[:, :, None], columns[:, None, :]].sum(axis=(1, 2))
    return Interval(*_bounds(totals / of, middle))


def _draws(size: int, stream: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.random.default_rng([size, stream]).integers(0, size, (DRAWS, size))


def _bounds(drawn: np.ndarray[tuple[int], np.dtype[np.float64]], middle: float) -> tuple[float, float, float]:
    low, high = (float(bound) for bound in np.quantile(drawn, (0.025, 0.975)))
    return min(low, middle), middle, max(high, middle)
