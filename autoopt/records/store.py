"""Store: everything that is kept of studies, written in bulk and read back as values."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Self

from sqlalchemy import Connection, Engine, delete, func, insert, select

from autoopt.errors import StorageError, unknown_name
from autoopt.records import rows, totals
from autoopt.records.alive import interrupted_studies
from autoopt.records.engine import open_engine
from autoopt.records.guard import Guard
from autoopt.records.location import MEMORY, shown_url, storage_url
from autoopt.records.mend import keeping, merge_unsaved
from autoopt.records.outcomes import add_runs, put_outcomes, touch
from autoopt.records.place import warn_of_network
from autoopt.records.schema import lay_schema, look_before_writing, require_schema
from autoopt.records.sqlite import READING
from autoopt.records.study import StudyRecord, StudyState, StudySummary
from autoopt.records.tables import EPOCHS, RUNS, SCHEMA, STUDIES, TABLES_SINCE, VERDICTS
from autoopt.records.trouble import explained
from autoopt.records.unsaved import Identity, identity
from autoopt.records.upsert import put_new
from autoopt.run import EpochReport, Run, RunRecord

Condition = Callable[[Connection], None]
_IDS_A_QUERY = 10_000  # SQLite takes 32,766 values in one statement


class Store:
    """The studies in one database, safe for many threads and processes; unpickled, it opens the file again.

    Example:
        >>> with Store.open(":memory:") as store:
        ...     store.studies()
        []

    Attributes:
        url: of the database, as ``storage_url`` gives it.
        engine: of this database; safe to be shared.
        readonly: whether every writing method is refused.
    """

    def __init__(self, url: str, engine: Engine, *, readonly: bool) -> None:
        self.url, self.engine, self.readonly = url, engine, readonly
        self._condition: Condition | None = None
        self._reader = engine.execution_options(**{READING: True})
        self._guard = Guard(url, engine)
        self._identities: dict[str, Identity] = {}  # by name of the study

    @classmethod
    def open(cls, url: str | os.PathLike[str], *, readonly: bool = False) -> Store:
        """Open a database, and create it if need be; what earlier faults kept from it is put into it first.

        Args:
            url: a path or URL; see ``storage_url``.
            readonly: create and change nothing. What an older autoopt wrote can be read as it is; without
                ``readonly`` it is brought up to date.

        Raises:
            StorageError: it cannot be opened, is damaged, was not made by autoopt, or by a newer one.
        """
        url = storage_url(url)
        if not readonly:
            look_before_writing(url)
            warn_of_network(url)
        engine = open_engine(url, readonly=readonly)
        try:
            with explained(url, "open"):
                (require_schema if readonly else lay_schema)(engine, shown_url(url))
            store = cls(url, engine, readonly=readonly)
            if not readonly and url != MEMORY:
                merge_unsaved(store)
        except BaseException:
            engine.dispose()
            raise
        return store

    def close(self) -> None:
        """Close all connections; what was kept in memory is gone."""
        self.engine.dispose()

    def on_condition(self, condition: Condition) -> Store:
        """Return this store with a condition, which is looked at first in every transaction that writes.

        Args:
            condition: raises a StorageError where nothing may be written any more.
        """
        other: Store = object.__new__(Store)  # copy() would open the file again, and nobody would close that
        other.__dict__.update(self.__dict__, _condition=condition)
        return other

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({shown_url(self.url)!r}, readonly={self.readonly})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.url == MEMORY:
            raise StorageError(
                "a store in memory cannot go to another process: open it on a file, such as autoopt.db"
            )
        return _reopen, (self.url, self.readonly)

    # Studies

    def create_study(self, record: StudyRecord) -> None:
        """Write down a new study.

        Raises:
            StorageError: a study of that name exists.
        """
        if not self.add_study(record):
            raise StorageError(
                f"a study {record.name!r} exists already in {shown_url(self.url)}: take another name"
            )

    def add_study(self, record: StudyRecord) -> bool:
        """Write down a new study, unless one of that name exists; return whether it was written."""
        with self.writing() as connection:
            return put_new(connection, STUDIES, rows.study_row(record))

    def study(self, name: str) -> StudyRecord | None:
        """Return the study of that name, or ``None``."""
        with self.reading() as connection:
            query = select(*rows.STUDY_COLUMNS, STUDIES.c.id).where(STUDIES.c.name == name)
            if (row := connection.execute(query).one_or_none()) is None:
                return None
            over = row.state == "running" and row.id in interrupted_studies(connection)
            return replace(rows.read_study(row), state="interrupted") if over else rows.read_study(row)

    def studies(self) -> list[StudySummary]:
        """Return all studies with their totals, the last one saved to first."""
        with self.reading() as connection:
            return totals.summarize(connection)

    def update_study(self, name: str, *, state: StudyState | None = None) -> None:
        """Note that a study is alive, and its new state if there is one."""
        with self.writing() as connection:
            touch(connection, self.study_id(connection, name), **({} if state is None else {"state": state}))

    def delete_study(self, name: str) -> None:
        """Delete a study with all that belongs to it; Optuna's study of that name is left alone."""
        with self.writing() as connection:
            study_id = self.study_id(connection, name)
            later = [table for tables in TABLES_SINCE.values() for table in tables]
            for table in (*later, VERDICTS, EPOCHS, RUNS):
                connection.execute(delete(table).where(table.c.study_id == study_id))
            connection.execute(delete(STUDIES).where(STUDIES.c.id == study_id))

    # Runs and their epochs

    def save(
        self, study: str, *, runs: Sequence[Run] = (), reports: Sequence[EpochReport] = (),
        records: Sequence[RunRecord] = (),
    ) -> None:  # fmt: skip
        """Save all of this in one transaction: either everything is kept or nothing.

        Saving the same again changes nothing. A report of an epoch that was saved before replaces it, and so
        does a record; but what a run is, its recipe and seed, never changes.

        Args:
            runs: new runs, to be written before they are trained.
            reports: epochs of runs that were saved earlier or in ``runs``.
            records: how runs stand now.

        Raises:
            StorageFault: the database fails; all of this is kept in a file, and goes into it at the next start.
            StorageError: there is no such study, or another process took these run ids.
        """
        whose, new = self._identities.get(study), [RunRecord(run) for run in runs]
        with (
            keeping(self.url, whose, runs=new, reports=reports, records=records),
            self.writing() as connection,
        ):
            study_id = self.study_id(connection, study)
            if runs:
                add_runs(connection, study_id, runs, f"study {study!r} in {shown_url(self.url)}")
            put_outcomes(connection, study_id, reports, records)

    def add_runs(self, study: str, runs: Sequence[Run]) -> None:
        """Write down new runs; see ``save``."""
        self.save(study, runs=runs)

    def add_reports(self, study: str, reports: Sequence[EpochReport]) -> None:
        """Write down what epochs showed; see ``save``."""
        self.save(study, reports=reports)

    def save_records(self, study: str, records: Sequence[RunRecord]) -> None:
        """Write down how runs stand; see ``save``."""
        self.save(study, records=records)

    def next_run_id(self, study: str) -> int:
        """Return the smallest id above those of all runs of the study."""
        with self.reading() as connection:
            study_id = self.study_id(connection, study)
            last = connection.scalar(select(func.max(RUNS.c.id)).where(RUNS.c.study_id == study_id))
        return 0 if last is None else int(last) + 1

    def runs(self, study: str) -> list[RunRecord]:
        """Return all runs of a study by ascending id."""
        with self.reading() as connection:
            study_id = self.study_id(connection, study)
            query = select(*rows.RUN_COLUMNS).where(RUNS.c.study_id == study_id).order_by(RUNS.c.id)
            return [rows.read_run(row) for row in connection.execute(query)]

    def reports(self, study: str, run_ids: Collection[int] | None = None) -> dict[int, list[EpochReport]]:
        """Return what the epochs of runs showed, in order; a run without epochs is left out.

        Args:
            run_ids: which runs; ``None`` for all.
        """
        with self.reading() as connection:
            study_id = self.study_id(connection, study)
            # asked each time: somebody else may bring the database up to date while it is open for reading
            version = int(connection.scalar(select(SCHEMA.c.version)) or 0)
            query = select(*rows.report_columns(version)).where(EPOCHS.c.study_id == study_id)
            query = query.order_by(EPOCHS.c.run_id, EPOCHS.c.epoch)
            queries = [query]
            if run_ids is not None:
                ids = sorted(set(run_ids))
                parts = [ids[k : k + _IDS_A_QUERY] for k in range(0, len(ids), _IDS_A_QUERY)]
                queries = [query.where(EPOCHS.c.run_id.in_(part)) for part in parts]
            reports = (rows.read_report(row) for query in queries for row in connection.execute(query))
            return {run_id: list(group) for run_id, group in groupby(reports, key=lambda r: r.run_id)}

    # Verdicts

    def save_verdict(self, study: str, document: dict[str, Any]) -> None:
        """Keep a verdict, plain data for JSON; earlier ones stay in the database. Raises as ``save`` does."""
        now = datetime.now(UTC)
        lost = {"created": now.isoformat(), "document": document}
        with keeping(self.url, self._identities.get(study), verdict=lost), self.writing() as connection:
            study_id = self.study_id(connection, study)
            connection.execute(insert(VERDICTS).values(study_id=study_id, created=now, document=document))
            touch(connection, study_id)

    def verdict(self, study: str) -> dict[str, Any] | None:
        """Return the newest verdict of a study, or ``None`` before the first."""
        with self.reading() as connection:
            study_id = self.study_id(connection, study)
            query = select(VERDICTS.c.document).where(VERDICTS.c.study_id == study_id)
            found: dict[str, Any] | None = connection.scalar(query.order_by(VERDICTS.c.id.desc()).limit(1))
        return found

    # How the above reach the database

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection to write with, in one transaction; what the database raises becomes a StorageError."""
        if self.readonly:
            raise StorageError(
                f"{shown_url(self.url)} was opened for reading only: nothing can be saved to it"
            )
        self._guard.check()
        with explained(self.url, "write"), self.engine.begin() as connection:
            if self._condition is not None:
                self._condition(connection)
            yield connection
        self._guard.check()  # a file that was replaced meanwhile took the transaction along
        self._guard.remember_log()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with; what the database raises becomes a StorageError."""
        self._guard.check()
        with explained(self.url, "read"), self._reader.connect() as connection:
            yield connection

    def study_id(self, connection: Connection, name: str) -> int:
        """Return the key of a study, or raise StorageError with the nearest name."""
        columns = (STUDIES.c.id, STUDIES.c.fingerprint, STUDIES.c.created)
        found = connection.execute(select(*columns).where(STUDIES.c.name == name)).one_or_none()
        if found is not None:
            self._identities[name] = identity(name, found.fingerprint, found.created)
            return int(found.id)
        names = list(connection.scalars(select(STUDIES.c.name)))
        if not names:
            raise StorageError(f"there is no study {name!r}: {shown_url(self.url)} holds none yet")
        raise StorageError(f"{unknown_name('study', name, names)} (in {shown_url(self.url)})")


def _reopen(url: str, readonly: bool) -> Store:
    return Store.open(url, readonly=readonly)
