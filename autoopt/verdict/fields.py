"""Fields of a JSON document, read one by one; what is missing or wrong is named with its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from autoopt.errors import UsageError

T = TypeVar("T")


class Fields:
    """The fields of one JSON object. ``place`` is where it stands in the document: ``baseline.scores``."""

    def __init__(self, data: Any, place: str = "") -> None:
        if not isinstance(data, Mapping):
            where = place or "the document"
            raise UsageError(f"{where} must be a JSON object with named fields, got {_shown(data)}")
        self.data = data
        self.place = place

    def name(self, field: str) -> str:
        """Return the field's full name in the document."""
        return f"{self.place}.{field}" if self.place else field

    def wrong(self, field: str, wanted: str) -> UsageError:
        """Return the error that says what a field must be."""
        if field not in self.data:
            return UsageError(f"the recommendation has no field {self.name(field)!r}; it must be {wanted}")
        return UsageError(f"{self.name(field)} must be {wanted}, got {_shown(self.data[field])}")

    def text(self, field: str, default: str | None = None) -> str:
        """Return a text."""
        value = self.data.get(field, default)
        if not isinstance(value, str):
            raise self.wrong(field, "a text")
        return value

    def one_of(self, field: str, values: tuple[str, ...]) -> Any:
        """Return a text that is one of the given ones."""
        value = self.data.get(field)
        if value not in values:
            raise self.wrong(field, " or ".join(repr(each) for each in values))
        return value

    def number(self, field: str) -> float:
        """Return a finite number."""
        value = self.optional_number(field)
        if value is None:
            raise self.wrong(field, "a finite number")
        return value

    def optional_number(self, field: str) -> float | None:
        """Return a finite number, or ``None`` where the field is null or missing."""
        value = self.data.get(field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(field, "a finite number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.wrong(field, "a finite number")
        return number

    def optional_count(self, field: str) -> int | None:
        """Return a whole number from 1, or ``None`` where the field is null or missing."""
        value = self.data.get(field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.wrong(field, "a whole number from 1")
        return value

    def inner(self, field: str) -> Fields:
        """Return the fields of a JSON object within this one."""
        if field not in self.data:
            raise self.wrong(field, "a JSON object")
        return Fields(self.data[field], self.name(field))

    def each(self, field: str, read: Callable[[Fields], T]) -> tuple[T, ...]:
        """Read every JSON object of a list; a missing list is an empty one."""
        values = self.data.get(field, [])
        if not isinstance(values, list | tuple):
            raise self.wrong(field, "a list")
        return tuple(read(Fields(value, f"{self.name(field)}[{n}]")) for n, value in enumerate(values))

    def texts(self, field: str) -> tuple[str, ...]:
        """Return a list of texts; a missing list is an empty one."""
        values = self.data.get(field, [])
        if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
            raise self.wrong(field, "a list of texts")
        return tuple(values)

    def counts(self, field: str) -> tuple[int, ...]:
        """Return a list of whole numbers; a missing list is an empty one."""
        values = self.data.get(field, [])
        if not isinstance(values, list | tuple) or not all(type(value) is int for value in values):
            raise self.wrong(field, "a list of whole numbers")
        return tuple(values)

    def text_by_name(self, field: str) -> dict[str, str]:
        """Return texts by name; a missing object is an empty one."""
        inner = Fields(self.data.get(field, {}), self.name(field))
        return {str(name): inner.text(name) for name in inner.data}

    def number_by_name(self, field: str) -> dict[str, float]:
        """Return finite numbers by name; a missing object is an empty one."""
        inner = Fields(self.data.get(field, {}), self.name(field))
        return {str(name): inner.number(name) for name in inner.data}

    def by_seed(self, field: str, read: Callable[[Fields, str], T]) -> dict[int, T]:
        """Read values by seed, with ``read(fields, seed)``; a missing object is an empty one."""
        inner = Fields(self.data.get(field, {}), self.name(field))
        found = {}
        for seed in inner.data:
            try:
                found[int(seed)] = read(inner, seed)
            except ValueError:
                raise UsageError(
                    f"{inner.place} must have whole numbers (seeds) as names, got {seed!r}"
                ) from None
        return found


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
