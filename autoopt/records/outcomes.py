"""What came of runs, written within a transaction of somebody else's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select, update

from autoopt.errors import StorageError
from autoopt.records import rows
from autoopt.records.tables import EPOCHS, RUNS, STUDIES
from autoopt.records.upsert import put
from autoopt.run import EpochReport, Run, RunRecord


def add_runs(connection: Connection, study_id: int, runs: Sequence[Run], study: str) -> None:
    """Write down new runs; those that are there stay as they are.

    Args:
        study: how messages call it.

    Raises:
        StorageError: there is another run of that id.
    """
    ids = [run.id for run in runs]
    query = select(*rows.RUN_COLUMNS).where(
        RUNS.c.study_id == study_id, RUNS.c.id.between(min(ids), max(ids))
    )
    taken = {record.run.id: record.run for record in map(rows.read_run, connection.execute(query))}
    for run in runs:
        if taken.get(run.id, run) != run:
            raise StorageError(
                f"run {run.id} of {study} has another recipe or seed: is another process at work on this study?"
            )
    new = [RunRecord(run) for run in runs if run.id not in taken]
    put(connection, RUNS, rows.run_rows(study_id, new), replace=())


def put_outcomes(
    connection: Connection, study_id: int, reports: Sequence[EpochReport], records: Sequence[RunRecord]
) -> None:
    """Write down what epochs showed and how runs stand; see ``Store.save``."""
    put(connection, RUNS, rows.run_rows(study_id, records), replace=rows.OUTCOME)
    put(connection, EPOCHS, rows.report_rows(study_id, reports), replace=rows.REPORT_VALUES)
    touch(connection, study_id)


def touch(connection: Connection, study_id: int, **columns: Any) -> None:
    """Note that a study is alive, and set columns of it."""
    connection.execute(
        update(STUDIES).where(STUDIES.c.id == study_id).values(updated=datetime.now(UTC), **columns)
    )
