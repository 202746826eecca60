"""Insert rows or replace what is there: SQLite and PostgreSQL write it alike, SQLAlchemy keeps them apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def put_new(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row, unless there is one with its key, primary or unique; return whether it was inserted."""
    if connection.dialect.name == "postgresql":  # whose count of rows is not known where keys are given out
        new = postgresql.insert(table).values(row).on_conflict_do_nothing()
        return connection.execute(new.returning(*table.primary_key)).first() is not None
    return connection.execute(sqlite.insert(table).values(row).on_conflict_do_nothing()).rowcount > 0


def put(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, replace: Collection[str]
) -> None:
    """Insert rows; where one with the same primary key exists, replace these columns of it.

    Args:
        replace: names of columns; when empty, rows that exist are an error.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        to_postgresql = postgresql.insert(table)
        changed = {name: to_postgresql.excluded[name] for name in replace}
        connection.execute(to_postgresql.on_conflict_do_update(index_elements=table.primary_key, set_=changed)
                           if changed else to_postgresql, rows)  # fmt: skip
        return
    to_sqlite = sqlite.insert(table)
    changed = {name: to_sqlite.excluded[name] for name in replace}
    connection.execute(to_sqlite.on_conflict_do_update(index_elements=table.primary_key, set_=changed)
                       if changed else to_sqlite, rows)  # fmt: skip
