"""What the curve of a range test says: where training is best, and where it breaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

SMOOTHED = 5  # losses in a running median
LASTS = 3  # losses that must be up one after the other, or it was a spike
NEAR = 0.03  # of the whole fall: what is so near the lowest loss is as good
SHALLOW = 0.25  # a fall by less than this share of the loss is believed only if higher rates break
LEARNS = 0.01  # the loss must come down by this share of itself, or nothing was learned


def merge(curves: Sequence[Sequence[float]]) -> list[float]:
    """Return one curve: the median of several at each rate, and of its neighbours there; NaN counts as infinite.

    A curve that ended early has diverged there.
    """
    longest = max(map(len, curves))
    middle = [
        median(_finite(curve[k]) if k < len(curve) else math.inf for curve in curves) for k in range(longest)
    ]
    half = SMOOTHED // 2
    return [median(middle[max(0, k - half) : k + half + 1]) for k in range(longest)]


def _finite(loss: float) -> float:
    return math.inf if math.isnan(loss) else loss


def lowest(losses: Sequence[float]) -> int | None:
    """Return the first place where the smoothed losses are as good as lowest; ``None`` if they never came down."""
    opening = _opening(losses)
    start = median(losses[:opening])
    least = min(losses[opening:], default=math.inf)
    if not math.isfinite(start) or not start - least > LEARNS * abs(start):
        return None
    enough = least + NEAR * (start - least)
    return next(k for k in range(opening, len(losses)) if losses[k] <= enough)


def is_clear(losses: Sequence[float], broken: int | None) -> bool:
    """Return whether the fall is more than the wavering of a loss that nothing touches."""
    start = median(losses[: _opening(losses)])
    return broken is not None or start - min(losses) > SHALLOW * abs(start)


def breaks(losses: Sequence[float], after: int) -> int | None:
    """Return from where on the losses are back above their beginning, for good; ``None`` if they never are."""
    start = median(losses[: _opening(losses)])
    for k in range(after, len(losses)):
        if all(loss > start for loss in losses[k : k + LASTS]):
            return k
    return None


def _opening(losses: Sequence[float]) -> int:
    """How many of the first losses are as good as untrained."""
    return max(1, len(losses) // 10)
