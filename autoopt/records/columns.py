"""Column types that bring values back exactly as they went in, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from operator import index
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Text, TypeDecorator
from sqlalchemy.types import UserDefinedType


class Number(UserDefinedType[float]):
    """A float, NaN and infinities included.

    SQLite keeps infinities but turns NaN into NULL, which already means "not known". So NaN is written there
    as the text ``NaN``, which a column of floats leaves as it is; in comparisons it is then larger than every
    number, as it is in PostgreSQL.
    """

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "DOUBLE PRECISION"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        nan: float | str = "NaN" if dialect.name == "sqlite" else math.nan

        def to_database(value: Any) -> float | str | None:
            if value is None:
                return None
            number = float(value)
            return nan if number != number else number

        return to_database

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:  # noqa: ARG002
        return _from_sqlite if dialect.name == "sqlite" else None


def _from_sqlite(value: float | str | None) -> float | None:
    return float(value) if isinstance(value, str) else value


class Whole(TypeDecorator[int]):
    """An integer of at most 64 bits; NumPy's are taken too, which SQLite would keep as bytes."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else index(value)


class Words(TypeDecorator[str]):
    """Text. What databases refuse, a zero character or half of a surrogate pair, is written as its escape."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.replace("\0", r"\x00").encode(errors="backslashreplace").decode()


class Document(TypeDecorator[Any]):
    """Plain data as JSON text; NaN and infinities in it survive, as Python writes and reads them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        return json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return None if value is None or value == "null" else json.loads(value)  # most epochs have no metrics


class Moment(TypeDecorator[datetime]):
    """A point in time, kept in UTC without a zone and returned with one."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC)
