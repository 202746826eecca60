"""Numbers as the dashboard writes them: three significant digits, units, signs of gains, short rates."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from autoopt.verdict.statistics import Interval

UNKNOWN = "–"


def show(value: float | None, digits: int = 3) -> str:
    """Write a number with three significant digits.

    >>> show(0.07431), show(1234567.0), show(None), show(20.0), show(38_692.0) == grouped(38_692)
    ('0.0743', '1.23e6', '–', '20', True)
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value and not 1e-3 <= abs(value) < 10**5:
        return _exponential(value, digits)
    if abs(value) >= 10**4:
        return grouped(round(value))
    text = f"{value:#.{digits}g}"
    if "e" in text:
        text = f"{value:.0f}"
    text = text.rstrip(".")
    return text.rstrip("0").rstrip(".") if "." in text and float(text) == round(value) else text


def show_rate(value: float | None) -> str:
    """Write a learning rate.

    >>> show_rate(0.003), show_rate(0.03378), show_rate(0.1)
    ('3e-3', '3.4e-2', '0.1')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{value:.2g}" if 0.1 <= value < 100 else _exponential(value, 2)


def _exponential(value: float, digits: int) -> str:
    head, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    head = head.rstrip("0").rstrip(".") if "." in head else head
    return f"{head}e{int(exponent)}"


def show_setting(name: str, value: object) -> str:
    """Write a setting of a recipe: rates short, shares in percent, the rest as it is."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float | int):
        if name in ("lr", "final_lr"):
            return show_rate(float(value))
        if name == "warmup":
            return f"{100 * value:.3g} %"
        return f"{value:.4g}" if name.startswith("beta") else f"{value:.3g}"
    return str(value)


def show_interval(interval: Interval | None, scale: float = 1.0) -> str:
    """Write a mean with its bounds, with as many decimals as their distance deserves.

    >>> show_interval(Interval(0.0671, 0.0725, 0.0779))
    '0.0725 [0.0671, 0.0779]'
    """
    if interval is None:
        return UNKNOWN
    if not interval.bounded:
        return show(scale * interval.middle)
    low, middle, high = (scale * value for value in (interval.low, interval.middle, interval.high))
    width = high - low
    if not 1e-5 < width < 1e5:
        return f"{show(middle)} [{show(low)}, {show(high)}]"
    places = max(0, 1 - math.floor(math.log10(width / 2)))
    return f"{middle:.{places}f} [{low:.{places}f}, {high:.{places}f}]"


def show_gain(interval: Interval | None, relative: Interval | None, objective: str) -> str:
    """Write a gain with its sign, in percent of the baseline or else in units of the objective.

    >>> show_gain(Interval(0.01, 0.02, 0.03), Interval(0.32, 0.44, 0.56), "loss")
    '+44 % [+32, +56]'
    """
    shown, scale, unit = (relative, 100.0, " %") if relative is not None else (interval, 1.0, f" {objective}")
    if shown is None:
        return UNKNOWN
    middle = scale * shown.middle
    if not shown.bounded:
        return f"{_signed(middle)}{unit}"
    width = scale * (shown.high - shown.low)
    places = max(0, 1 - math.floor(math.log10(width / 2))) if 1e-5 < width < 1e5 else 3
    low, high = (f"{scale * bound:+.{places}f}" for bound in (shown.low, shown.high))
    return f"{middle:+.{places}f}{unit} [{low}, {high}]"


def _signed(value: float) -> str:
    return f"+{show(value)}" if value >= 0 else show(value)


def show_percent(share: float | None) -> str:
    """Write a share in percent, never 0 % or 100 % of what is only nearly so.

    >>> show_percent(0.934), show_percent(0.0004), show_percent(0.9999)
    ('93 %', '< 1 %', '> 99 %')
    """
    if share is None or not math.isfinite(share):
        return UNKNOWN
    if 0 < share < 0.005:
        return "< 1 %"
    if 0.995 < share < 1:
        return "> 99 %"
    return f"{100 * share:.0f} %"


def show_duration(seconds: float | None) -> str:
    """Write a duration with its two largest units.

    >>> show_duration(0.25), show_duration(41.2), show_duration(3700), show_duration(200_000)
    ('0.25 s', '41 s', '1 h 2 min', '2 d 8 h')
    """
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 10:
        return f"{show(max(0.0, seconds), 2)} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    for size, unit, below, name in (
        (3600, "min", 60, "s"),
        (86400, "h", 3600, "min"),
        (math.inf, "d", 86400, "h"),
    ):
        if seconds < size:
            part = {"s": 1, "min": 60, "h": 3600}[name]
            whole, rest = divmod(round(seconds / part), below // part)
            return f"{whole} {unit} {rest} {name}" if rest else f"{whole} {unit}"
    return UNKNOWN


def show_ago(moment: datetime) -> str:
    """Write how long ago something was."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    return "just now" if seconds < 3 else f"{show_duration(seconds)} ago"


def for_spreadsheet(text: str) -> str:
    """Keep a spreadsheet from taking text for a formula.

    >>> for_spreadsheet("=1+1"), for_spreadsheet("a note")
    ("'=1+1", 'a note')
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    >>> counted(1, "run"), counted(2, "study")
    ('1 run', '2 studies')
    """
    if number != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{grouped(number)} {noun}"


def grouped(number: int) -> str:
    """Write a whole number with its thousands apart."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
