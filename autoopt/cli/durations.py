"""Durations as people write and read them: ``90s``, ``10m``, ``1h30m``."""

from __future__ import annotations

import math
import re

from autoopt.errors import BudgetError

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = r"(\d+(?:\.\d+)?)([dhms])"


def parse_seconds(text: str) -> float:
    """Read a duration and return it in seconds; a bare number is in seconds.

    >>> parse_seconds("1h30m")
    5400.0

    Raises:
        BudgetError: it cannot be read, or is not above zero.
    """
    compact = re.sub(r"\s+", "", text.lower())
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        compact += "s"
    parts = re.findall(_PART, compact)
    units = [unit for _, unit in parts]
    in_order = units == sorted(set(units), key=list(_SECONDS).index)
    seconds = sum((float(number) * _SECONDS[unit] for number, unit in parts), 0.0)
    if not re.fullmatch(f"({_PART})+", compact) or not in_order or not 0 < seconds < math.inf:
        raise BudgetError(f"{text!r} is not a duration: write for example 90s, 10m, 2h or 1h30m")
    return seconds


def show_seconds(seconds: float) -> str:
    """Write a duration with its two largest units.

    >>> show_seconds(5400), show_seconds(0.25), show_seconds(61)
    ('1h30m', '0.2s', '1m01s')
    """
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m{whole % 60:02}s"
    whole = round(seconds / 60)
    if whole < 24 * 60:
        return f"{whole // 60}h{whole % 60:02}m"
    whole = round(seconds / 3_600)
    return f"{whole // 24}d{whole % 24:02}h"
