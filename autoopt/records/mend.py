"""Mend: what could not be written at one time is kept, and put into the database at the next start."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, select, update

from autoopt.errors import AutooptWarning, StorageError, StorageFault
from autoopt.records import rows, unsaved
from autoopt.records.location import MEMORY
from autoopt.records.tables import EPOCHS, RUNS, STUDIES, VERDICTS
from autoopt.records.unsaved import Identity, Unsaved
from autoopt.records.upsert import put
from autoopt.run import EpochReport, RunRecord, RunState

if TYPE_CHECKING:
    from autoopt.records.store import Store

_SETTING = ("recipe", "seed", "epochs", "purpose", "trial", "cohort", "rungs")  # what a run is: never changes


@contextmanager
def keeping(
    url: str, study: Identity | None, *, runs: Iterable[RunRecord] = (), reports: Iterable[EpochReport] = (),
    records: Iterable[RunRecord] = (), verdict: Mapping[str, Any] | None = None,
) -> Iterator[None]:  # fmt: skip
    """Keep all of this in a file if the database fails meanwhile; the fault then says where.

    Args:
        study: whose it is; nothing is kept of a study that nobody has looked up, or of one in memory.
        runs: new ones.

    Raises:
        StorageFault: the database failed.
    """
    try:
        yield
    except StorageFault as fault:
        if study is None or url == MEMORY:
            raise
        lost = Unsaved(
            study, rows.run_rows(0, runs), rows.report_rows(0, reports), rows.run_rows(0, records), verdict
        )
        path = unsaved.keep(url, lost)
        if path is None:
            raise StorageFault(
                f"{fault}\nNowhere else could it be kept either, so this is trained again: {lost}"
            ) from fault
        raise StorageFault(
            f"{fault}\nWhat could not be written ({lost}) is kept in {path}, and goes into the database at the next "
            "start"
        ) from fault


def merge_unsaved(store: Store) -> None:
    """Put what earlier faults left unwritten into the database, and remove the files once that is done.

    What the database holds already stays as it is, so doing it twice changes nothing. A file that cannot be used stays
    where it is, and a warning says why.
    """
    for path in unsaved.find(store.url):
        try:
            with store.writing() as connection:  # first: of two processes, one then finds no file any more
                found = unsaved.read(path, store.url)
                _merge(connection, found)
        except FileNotFoundError:
            continue
        except StorageFault:
            raise
        except StorageError as error:
            warnings.warn(
                f"{error}\nIt may hold what could not be written to the database earlier; delete it once you do not "
                "need it",
                AutooptWarning,
                stacklevel=4,
            )
            continue
        with suppress(OSError):
            path.unlink()


def _merge(connection: Connection, found: Unsaved) -> None:
    """Add what is new: runs, epochs that go on where the recorded ones end, outcomes that are further on, a verdict."""
    study_id = _study_id(connection, found)
    records = _records(connection, study_id)
    for row in found.runs:
        known = records.get(row["id"])
        if known is not None and any(known[name] != row[name] for name in _SETTING):
            raise StorageError(
                f"run {row['id']} of study {found.study[0]!r} has another recipe or seed by now"
            )
    added = [{"study_id": study_id, **row} for row in found.runs if row["id"] not in records]
    put(connection, RUNS, added, replace=())
    records |= {row["id"]: row for row in added}
    last = _last_epochs(connection, study_id, {row["run_id"] for row in found.reports})
    reports = []
    for row in sorted(found.reports, key=lambda each: (each["run_id"], each["epoch"])):
        if row["run_id"] in records and row["epoch"] == last.get(row["run_id"], 0) + 1:
            last[row["run_id"]] = row["epoch"]
            reports.append({"study_id": study_id, **row})
    put(connection, EPOCHS, reports, replace=())
    for row in found.records:
        known = records.get(row["id"])
        on = (
            known is not None
            and known["state"] == RunState.RUNNING
            and row["epochs_done"] >= known["epochs_done"]
        )
        if on and row["epochs_done"] <= last.get(row["id"], known["epochs_done"] if known else 0):
            outcome = {name: row[name] for name in rows.OUTCOME}
            at = (RUNS.c.study_id == study_id, RUNS.c.id == row["id"])
            connection.execute(update(RUNS).where(*at).values(outcome))
    if found.verdict is not None:
        _add_verdict(connection, study_id, found.verdict)


def _study_id(connection: Connection, found: Unsaved) -> int:
    name, fingerprint, created = found.study
    query = select(STUDIES.c.id, STUDIES.c.created).where(
        STUDIES.c.name == name, STUDIES.c.fingerprint == fingerprint
    )
    for row in connection.execute(query):
        if row.created.isoformat() == created:
            return int(row.id)
    raise StorageError(f"its study {name!r} of {created[:16]} is not in this database")


def _records(connection: Connection, study_id: int) -> dict[int, Mapping[str, Any]]:
    columns = (RUNS.c.id, RUNS.c.state, RUNS.c.epochs_done, *(RUNS.c[name] for name in _SETTING))
    found = connection.execute(select(*columns).where(RUNS.c.study_id == study_id))
    return {row.id: dict(row._mapping) for row in found}


def _last_epochs(connection: Connection, study_id: int, run_ids: Collection[int]) -> dict[int, int]:
    last: dict[int, int] = {}
    for run_id in run_ids:
        at = (EPOCHS.c.study_id == study_id, EPOCHS.c.run_id == run_id)
        last[run_id] = connection.scalar(select(func.max(EPOCHS.c.epoch)).where(*at)) or 0
    return last


def _add_verdict(connection: Connection, study_id: int, verdict: Mapping[str, Any]) -> None:
    created = datetime.fromisoformat(verdict["created"])
    newest = connection.scalar(select(func.max(VERDICTS.c.created)).where(VERDICTS.c.study_id == study_id))
    if newest is None or newest < created:
        values = {"study_id": study_id, "created": created, "document": verdict["document"]}
        connection.execute(insert(VERDICTS).values(values))
