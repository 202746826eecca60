"""Ranges as people give them for an optimizer of their own: ``lr=1e-5..1e-2`` or ``{"lr": (1e-5, 1e-2)}``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from autoopt.catalogue.entry import Value
from autoopt.errors import SpaceError

HOW = "write NAME=LOW..HIGH, NAME=LOW..HIGH@BEST_GUESS, NAME=A,B,C to choose from, or NAME=VALUE"

_WORDS = re.compile(r"(?P<source>.*?)(?P<pairs>(\s+\w+=\S*)*)\s*", re.DOTALL)


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``; ``reference`` is the best guess, ``None`` if nobody said."""

    low: float
    high: float
    reference: float | None = None


@dataclass(frozen=True)
class Choices:
    """Values to choose from; a single one stands."""

    values: tuple[Value, ...]


Given = Range | Choices


def split_source(text: str) -> tuple[str, dict[str, str]]:
    """Return the place of a class, and what was written for each name behind it.

    >>> split_source("lions.py:MyLion lr=1e-5..1e-2 nesterov=true,false")
    ('lions.py:MyLion', {'lr': '1e-5..1e-2', 'nesterov': 'true,false'})

    Raises:
        SpaceError: a name comes twice.
    """
    found = _WORDS.fullmatch(text)
    assert found is not None  # both parts may be empty
    written: dict[str, str] = {}
    for pair in found["pairs"].split():
        name, _, value = pair.partition("=")
        if name in written:
            raise SpaceError(f"{name} is given twice: {name}={written[name]} and {pair}")
        written[name] = value
    return found["source"].strip(), written


def parse_range(name: str, written: str) -> Given:
    """Return what stands behind NAME= on the command line.

    >>> parse_range("lr", "1e-5..1e-2@3e-4")
    Range(low=1e-05, high=0.01, reference=0.0003)

    Raises:
        SpaceError: it is of none of the forms, or such a range makes no sense.
    """
    if ".." not in written:
        if not all(written.split(",")):
            raise SpaceError(f"{name}={written} says nothing: {HOW}")
        return read_range(name, [parse_value(part) for part in written.split(",")])
    bounds, at, reference = written.partition("@")
    low, _, high = bounds.partition("..")
    parts = [low, high, reference] if at else [low, high]
    if not all(parts):
        raise SpaceError(f"{name}={written} lacks one end of its range or its best guess: {HOW}")
    return read_range(name, tuple(parse_value(part) for part in parts))


def read_range(name: str, given: Any) -> Given:
    """Return what a Python program gives: (low, high), (low, high, best guess), a list of choices or a value.

    Raises:
        SpaceError: it is none of these, or such a range makes no sense.
    """
    if isinstance(given, Range | Choices):
        return given
    if isinstance(given, tuple) and len(given) in (2, 3) and all(is_number(part) for part in given):
        return _checked(name, Range(*given))
    values = tuple(given) if isinstance(given, list) else (given,)
    if not values or not all(map(is_plain, values)):
        raise SpaceError(
            f"the range of {name} is {given!r}: give (low, high), (low, high, best guess), a list of values "
            "to choose from, or one value; numbers finite, words without blanks"
        )
    return Choices(tuple(dict.fromkeys(values)))


def read_ranges(given: Mapping[str, Any] | None) -> dict[str, Given]:
    """Return the ranges by setting name; see ``read_range``."""
    if given is not None and not isinstance(given, Mapping):
        raise SpaceError(f"ranges must map names to ranges, such as {{'lr': (1e-5, 1e-2)}}, got {given!r}")
    return {str(name): read_range(str(name), value) for name, value in (given or {}).items()}


def _checked(name: str, given: Range) -> Range:
    shown = f"{name} from {given.low} to {given.high}"
    if not given.low < given.high:
        raise SpaceError(f"{shown} is no range: the low end must be less than the high one")
    if given.reference is not None and not given.low <= given.reference <= given.high:
        raise SpaceError(f"{shown} does not hold its best guess {given.reference}: widen it, or guess again")
    return given


def whole(values: Iterable[object]) -> bool:
    """Return whether these are whole numbers, written as such: 5, not 5.0 or true."""
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def parse_value(written: str) -> Value:
    """Return what a word means: true or false, a number, or itself."""
    if written.lower() in ("true", "false"):
        return written.lower() == "true"
    for number in (int, float):
        try:
            return number(written)
        except ValueError:
            continue
    return written


def is_number(value: object) -> TypeGuard[float]:
    """Return whether this is a finite number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_plain(value: object) -> bool:
    """Return whether a value can stand in recipes and in code: finite, or a word without blanks and brackets.

    >>> [is_plain(value) for value in (0.1, True, "fp32", "a (b)", float("inf"), None)]
    [True, True, True, False, False, False]
    """
    if isinstance(value, str):
        return re.fullmatch(r"[\w.+-]+", value) is not None
    return isinstance(value, bool) or is_number(value)
