"""Ladder: where the first rates were all too low, or all too high, further ones until they are not.

The first trials try every optimizer at two rates. Where all of them did better at the higher one, good rates may lie
beyond what is known of other tasks, and likewise below. Then the best few optimizers are looked at a step further, as
long as most of them gain. A reference that is wrong by a hundred costs a training or so in place of the whole search
(studies/2026-11-22-search).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

STEP = 4.0  # from one rate to the next
CLIMBERS = 3  # optimizers that are looked at further on
FARTHEST = 1e4  # times the reference, or a part of it


@dataclass(frozen=True)
class Ladder:
    """How far rates were followed.

    Attributes:
        rate: at which most did best, as a multiple of the reference; ``None`` where the first rates hold.
        next: what to look at now, as a rate for each optimizer; empty at the end.
    """

    rate: float | None = None
    next: Mapping[str, float] | None = None


def climb(looks: Mapping[str, Mapping[float, float]], low: float, high: float) -> Ladder:
    """Return where good rates seem to lie, and what is to be looked at to know better.

    Args:
        looks: by optimizer and rate, a first look at what it gives: the lower, the better; infinite where it
            diverged.
        low, high: the first rates.

    >>> climb({"sgd": {1: 0.5, 4: 0.3}, "adam": {1: 0.4, 4: 0.2}}, 1, 4)
    Ladder(rate=4, next={'adam': 16.0, 'sgd': 16.0})
    >>> climb({"sgd": {1: 0.5, 4: 0.3}, "adam": {1: 0.4, 4: 0.6}}, 1, 4)
    Ladder(rate=None, next=None)
    """
    both = {name: seen for name, seen in looks.items() if low in seen and high in seen}
    if not both:
        return Ladder()
    if all(_gains(seen, low, high) for seen in both.values()):
        rate, step = high, STEP
    elif all(_gains(seen, high, low) for seen in both.values()):
        rate, step = low, 1 / STEP
    else:
        return Ladder()
    going = sorted(both, key=lambda name: both[name][rate])[:CLIMBERS]
    while 1 / FARTHEST < rate * step < FARTHEST:
        if left := {name: rate * step for name in going if rate * step not in both[name]}:
            return Ladder(rate, left)
        if 2 * sum(_gains(both[name], rate, rate * step) for name in going) <= len(going):
            break
        rate *= step
    return Ladder(rate)


def _gains(seen: Mapping[float, float], old: float, new: float) -> bool:
    """Whether a rate is better than another; a lower one also where both diverged, for only such are left then."""
    return seen[new] < seen[old] or (new < old and math.isinf(seen[new]))
