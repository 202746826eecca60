"""Whose database this is, and which version of our tables it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, inspect, select, text, update

from autoopt.errors import StorageError
from autoopt.records.engine import open_engine
from autoopt.records.integrity import look_quickly
from autoopt.records.location import database_path, shown_url
from autoopt.records.tables import COLUMNS_SINCE, EPOCHS, METADATA, SCHEMA, TABLES_SINCE
from autoopt.records.trouble import check_place, explained


def _add_columns(since: int) -> Callable[[Connection], None]:
    """Return the migration that adds the columns of ``COLUMNS_SINCE`` to a database of the version before."""

    def add(connection: Connection) -> None:
        for column in (EPOCHS.c[name] for name in COLUMNS_SINCE[since]):
            kind = column.type.compile(connection.dialect)
            connection.execute(text(f"ALTER TABLE {EPOCHS.name} ADD COLUMN {column.name} {kind}"))

    return add


def _add_tables(since: int) -> Callable[[Connection], None]:
    """Return the migration that adds the tables of ``TABLES_SINCE``."""

    def add(connection: Connection) -> None:
        for table in TABLES_SINCE[since]:
            table.create(connection)

    return add


# The function at index i takes a database from version i + 1 to version i + 2, in one transaction.
MIGRATIONS: list[Callable[[Connection], None]] = [
    _add_columns(2),
    _add_tables(3),
    _add_columns(4),
    _add_tables(5),
]
OLDEST_READABLE = 1  # versions from here on can be read without being migrated

OPTUNA_TABLES = {"studies", "trials", "version_info"}
_LOCK = 0x6175746F6F7074  # "autoopt": PostgreSQL's advisory lock while tables are created


def schema_version() -> int:
    """Return the version that this autoopt writes."""
    return 1 + len(MIGRATIONS)


def found_version(connection: Connection, shown: str) -> int | None:
    """Return the version of our tables in a database; ``None`` if it has none and they may be created.

    Args:
        shown: how messages call the database.

    Raises:
        StorageError: a SQLite file of some other program, or tables of a newer autoopt.
    """
    names = set(inspect(connection).get_table_names())
    if SCHEMA.name not in names:
        if names and connection.dialect.name == "sqlite" and not names >= OPTUNA_TABLES:
            raise StorageError(
                f"{shown} was not made by autoopt, it has a table {min(names)!r}: use another file, or a "
                "name that does not exist yet"
            )
        return None
    version: int | None = connection.scalar(select(SCHEMA.c.version))
    if version is None:
        raise StorageError(
            f"{shown} is damaged, its {SCHEMA.name} is empty: restore it from a copy, or use another file"
        )
    if version > schema_version():
        raise StorageError(
            f"{shown} was written by a newer autoopt (its tables have version {version}, this one knows "
            f"{schema_version()}): pip install --upgrade autoopt, or use another file"
        )
    return version


def look_before_writing(url: str) -> None:
    """Refuse another program's file, or a damaged one, before opening it for writing changes anything in it.

    Raises:
        StorageError: see ``found_version``; or its pages are damaged, or only its last writes are left.
    """
    check_place(url, readonly=False)
    path = database_path(url)
    if path is None:
        return
    if not path.is_file() or path.stat().st_size == 0:
        _check_for_orphan(path)
        return
    engine = open_engine(url, readonly=True)
    try:
        with explained(url, "open"), engine.connect() as connection:
            found_version(connection, shown_url(url))
            if (fault := look_quickly(connection, path)) is not None:
                raise StorageError(
                    f"cannot open {path}: it is damaged ({fault}). Restore it from a copy, use another file, or save "
                    f"what can be read with: sqlite3 {path.name} .recover | sqlite3 saved.db"
                )
    finally:
        engine.dispose()


def _check_for_orphan(path: Path) -> None:
    """Refuse to begin anew where the last writes of a database lie that is gone: SQLite would delete them."""
    log = Path(f"{path}-wal")
    if log.is_file() and log.stat().st_size:
        state = "empty" if path.exists() else "gone"
        raise StorageError(
            f"the database {path} is {state}, but its last writes are still in {log}: put the database back beside "
            "it, or delete that file too to begin anew"
        )


def require_schema(engine: Engine, shown: str) -> None:
    """Make sure that there is something to read, written by this autoopt or an older one.

    Raises:
        StorageError: our tables are missing, newer, or too old.
    """
    with engine.connect() as connection:
        version = found_version(connection, shown)
    if version is None:
        raise StorageError(
            f"{shown} holds no studies of autoopt: nothing was saved there yet, or the path is another one"
        )
    if version < OLDEST_READABLE:
        raise StorageError(
            f"{shown} was written by an older autoopt (its tables have version {version}): open it once for "
            f"writing, with autoopt tune, to bring it to version {schema_version()}"
        )


def lay_schema(engine: Engine, shown: str) -> None:
    """Create our tables, or bring older ones up to date; many processes may do so at once.

    Raises:
        StorageError: see ``found_version``.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        version = found_version(connection, shown)
        if version is None:
            METADATA.create_all(connection)
            connection.execute(insert(SCHEMA).values(version=schema_version()))
        elif version < schema_version():
            for migrate in MIGRATIONS[version - 1 :]:
                migrate(connection)
            connection.execute(update(SCHEMA).values(version=schema_version()))
