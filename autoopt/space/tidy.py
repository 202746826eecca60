"""Numbers as a person would choose them: as many digits as make a difference, and no more."""

from __future__ import annotations

import math

STEPS = 500  # values that a range is worth: the next one differs by less than any training could tell


def tidy(value: float, low: float, high: float, *, log: bool) -> float:
    """Return the number with the fewest digits near a value of a range; it stays inside the range.

    Tidying twice changes nothing, and neither does the noise of the last digits.

    >>> tidy(0.012345678, 1e-5, 1.0, log=True), tidy(0.012345678, 0.0, 1.0, log=False)
    (0.0123, 0.012)
    """
    if high <= low or not math.isfinite(value) or not math.isfinite(high - low):
        return value
    if log:
        digits = 1 + max(0, math.ceil(-math.log10(math.log(high / low) / STEPS)))
        rounded = float(f"{value:.{digits}g}")
    else:
        rounded = round(value, -math.floor(math.log10((high - low) / STEPS)))
    return min(max(rounded, low), high)
