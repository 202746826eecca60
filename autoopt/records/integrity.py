"""Whether a database is sound: a quick look before anything is written to it, a thorough one when asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, and_, func, select
from sqlalchemy.exc import DatabaseError

from autoopt.records.tables import EPOCHS, LABELS, RUNS, SCHEMA, SITTINGS, STUDIES, VERDICTS
from autoopt.records.trouble import explained

MOST_FAULTS = 20  # of each kind that are told
WHOLE_UP_TO = 16 * 2**20  # bytes: larger files are not read whole each time that they are opened


def look_quickly(connection: Connection, path: Path) -> str | None:
    """Return what is wrong with the pages of a SQLite file, or ``None`` if a quick look finds nothing.

    Small files are checked whole, in some 10 ms; of large ones all tables but those of runs and epochs. A file
    that was cut off does not even get so far: SQLite refuses its first page.
    """
    if path.stat().st_size <= WHOLE_UP_TO:
        return next(_page_faults(connection, "quick_check(1)"), None)
    small = [table.name for table in (SCHEMA, STUDIES, VERDICTS, SITTINGS, LABELS)]
    there = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
    faults = (
        fault for name in small if name in there for fault in _page_faults(connection, f"quick_check({name})")
    )
    return next(faults, None)


def find_faults(connection: Connection, url: str) -> list[str]:
    """Look through the whole database and return what is wrong with it, in sentences; [] if it is sound.

    SQLite's own check of every page, index and reference first; then whether runs and their epochs fit together.
    Reads every page: about a second for each 100 MB.

    Args:
        connection: to read with, of a ``Store`` on this ``url``.
    """
    with explained(url, "check"):
        found: list[str] = []
        if connection.dialect.name == "sqlite":
            found = list(_page_faults(connection, f"integrity_check({MOST_FAULTS})")) or list(
                _strays(connection)
            )
        return found or list(_run_faults(connection))


def _page_faults(connection: Connection, check: str) -> Iterator[str]:
    try:
        for (line,) in connection.exec_driver_sql(f"PRAGMA {check}"):
            if line != "ok":
                yield line
    except DatabaseError as error:  # the check itself may stumble over what it looks for
        yield str(error.orig)


def _strays(connection: Connection) -> Iterator[str]:
    """Say how many rows belong to nothing; a server refuses such rows by itself."""
    counts = Counter(table for table, *_ in connection.exec_driver_sql("PRAGMA foreign_key_check"))
    for table, count in counts.items():
        yield f"{count} rows of {table} belong to nothing that exists"


def _run_faults(connection: Connection) -> Iterator[str]:
    """Say which runs count other epochs than are recorded, or lack epochs in between."""
    recorded = (
        select(
            EPOCHS.c.study_id,
            EPOCHS.c.run_id,
            func.count().label("rows"),
            func.max(EPOCHS.c.epoch).label("last"),
        )
        .group_by(EPOCHS.c.study_id, EPOCHS.c.run_id)
        .subquery()
    )
    joined = and_(RUNS.c.study_id == recorded.c.study_id, RUNS.c.id == recorded.c.run_id)
    rows, last = func.coalesce(recorded.c.rows, 0), func.coalesce(recorded.c.last, 0)
    query = (
        select(STUDIES.c.name, RUNS.c.id, RUNS.c.epochs_done, rows, last)
        .select_from(RUNS.join(STUDIES, STUDIES.c.id == RUNS.c.study_id).outerjoin(recorded, joined))
        .where((RUNS.c.epochs_done != rows) | (rows != last))
        .limit(MOST_FAULTS)
    )
    for name, run_id, done, count, newest in connection.execute(query):
        yield f"run {run_id} of study {name!r} counts {done} epochs; {count} are recorded, the last one is {newest}"
