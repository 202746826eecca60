"""Leases: who leads a study, who trains which of its runs, and who of them still lives.

Each process that works on a study has a row, and counts in it while it lives. What it has leased bears its token; every
write is made in one transaction with a look whether it still does. A process that is gone, or has not counted for long,
is struck off by whoever finds that, and what it had leased is free again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from autoopt.errors import LeaseLost
from autoopt.records import rows
from autoopt.records.alive import LEAD
from autoopt.records.outcomes import put_outcomes
from autoopt.records.owner import Owner
from autoopt.records.store import Store
from autoopt.records.tables import EPOCHS, LEASES, PROCESSES, RUNS
from autoopt.records.upsert import put, put_new
from autoopt.run import EpochReport, RunRecord

INSIDE, STRUCK_OUT = 3, 6
"""Strikes for the end of a process that was its run's own doing, where any other is one; and to give a run up."""


@dataclass(frozen=True)
class Lease:
    """A run that is to be trained.

    Attributes:
        owner: token of the process that trains it; ``None`` if nobody does.
        until: the epoch that it is to reach; ``reached`` as far as it is written down.
        strikes: for processes that ended while they trained it, since it came an epoch further last.
        trouble: how the last of them ended, in words.
    """

    run_id: int
    owner: str | None
    until: int
    reached: int
    strikes: int
    trouble: str


class Leases:
    """The leases of one study.

    Args:
        store: on a file or a server; no condition of it holds here, as leases are what such conditions are about.
    """

    def __init__(self, store: Store, study: str) -> None:
        self.store, self.study = store.on_condition(lambda _: None), study
        with self.store.reading() as connection:
            self._study_id = self.store.study_id(connection, study)

    # Processes

    def join(self, owner: Owner) -> None:
        """Write down that a process works on the study."""
        row = {**vars(owner), "study_id": self._study_id, "beat": 0}
        lead = {"run_id": LEAD, "place": 0, "until": 0, "reached": 0, "strikes": 0, "trouble": ""}
        with self.store.writing() as connection:
            connection.execute(insert(PROCESSES).values(row))
            put_new(connection, LEASES, {"study_id": self._study_id, **lead})

    def beat(self, token: str) -> bool:
        """Count on, and return whether the process is still on the list."""
        with self.store.writing() as connection:
            counted = update(PROCESSES).where(PROCESSES.c.token == token).values(beat=PROCESSES.c.beat + 1)
            return connection.execute(counted).rowcount > 0

    def processes(self) -> dict[Owner, int]:
        """Return who is at work, with what each has counted."""
        names = ("token", "host", "boot", "pid", "started", "crew")
        query = select(*(PROCESSES.c[name] for name in names), PROCESSES.c.beat)
        with self.store.reading() as connection:
            found = connection.execute(query.where(PROCESSES.c.study_id == self._study_id)).all()
        return {Owner(*row[:-1]): int(row[-1]) for row in found}

    def leave(self, token: str) -> None:
        """Strike a process off that ends in order; what it had leased is free."""
        with self.store.writing() as connection:
            connection.execute(delete(PROCESSES).where(PROCESSES.c.token == token))
            connection.execute(update(LEASES).where(self._of(token)).values(owner=None))

    def strike_off(self, token: str, beat: int | None, trouble: str, strikes: int = 1) -> bool:
        """Strike a process off that is over; the runs that it was training get strikes. Return whether it was there.

        Args:
            beat: what it had counted when it was found silent; where it has counted on, it stays. ``None`` where it
                is known to be over.
            trouble: how it ended, in words, such as ``"was killed by SIGSEGV"``.
        """
        gone = (
            [PROCESSES.c.token == token]
            if beat is None
            else [PROCESSES.c.token == token, PROCESSES.c.beat == beat]
        )
        with self.store.writing() as connection:
            if not connection.execute(delete(PROCESSES).where(*gone)).rowcount:
                return False
            training = and_(self._of(token), LEASES.c.run_id != LEAD)
            struck = {"strikes": LEASES.c.strikes + strikes, "trouble": trouble}
            connection.execute(update(LEASES).where(training).values(**struck))
            connection.execute(update(LEASES).where(self._of(token)).values(owner=None))
        return True

    # The lead

    def take_lead(self, token: str) -> bool:
        """Take the lead if nobody has it; return whether it is this process's now."""
        with self.store.writing() as connection:
            self._check_listed(connection, token)
            taken = update(LEASES).where(self._at(LEAD), LEASES.c.owner.is_(None)).values(owner=token)
            connection.execute(taken)
            return bool(connection.scalar(select(LEASES.c.owner).where(self._at(LEAD))) == token)

    def leader(self) -> str | None:
        """Return the token of the process that leads the study, if one does."""
        with self.store.reading() as connection:
            found: str | None = connection.scalar(select(LEASES.c.owner).where(self._at(LEAD)))
        return found

    def check_lead(self, connection: Connection, token: str) -> None:
        """Make sure, within a transaction, that a process has the lead, until the transaction ends.

        Raises:
            LeaseLost: it has not.
        """
        query = select(LEASES.c.owner).where(self._at(LEAD)).with_for_update()
        if connection.scalar(query) != token:
            raise LeaseLost(f"another process has taken over study {self.study!r}")

    # Runs

    def publish(self, token: str, goals: Mapping[int, tuple[int, int]]) -> None:
        """Say which runs are to be trained, and no others; those that are leased stay so, and go on.

        Args:
            goals: by run, in the order of their urgency: as far as it is written down, and where it is to go.
        """
        with self.store.writing() as connection:
            self.check_lead(connection, token)
            # its own leases are done with, as whoever publishes trains nothing at the moment
            old = and_(
                LEASES.c.run_id != LEAD, or_(LEASES.c.run_id.not_in(list(goals)), LEASES.c.owner == token)
            )
            connection.execute(delete(LEASES).where(LEASES.c.study_id == self._study_id, old))
            new = {"study_id": self._study_id, "owner": None, "strikes": 0, "trouble": ""}
            # Others may be ahead. Leases don't tell: a leader that was killed had not written all that it gave back.
            query = select(EPOCHS.c.run_id, func.max(EPOCHS.c.epoch).label("epoch")).where(
                EPOCHS.c.study_id == self._study_id, EPOCHS.c.run_id.in_(list(goals))
            )
            rows_of_runs = connection.execute(query.group_by(EPOCHS.c.run_id))
            written = {row.run_id: row.epoch for row in rows_of_runs}
            data = [
                {
                    **new,
                    "run_id": run_id,
                    "place": place,
                    "reached": max(reached, written.get(run_id, 0)),
                    "until": until,
                }
                for place, (run_id, (reached, until)) in enumerate(goals.items())
            ]
            put(connection, LEASES, data, replace=("place", "reached", "until"))

    def state(self) -> dict[int, Lease]:
        """Return all leases of runs, in the order of their urgency."""
        names = ("run_id", "owner", "until", "reached", "strikes", "trouble")
        query = select(*(LEASES.c[name] for name in names)).where(
            LEASES.c.study_id == self._study_id, LEASES.c.run_id != LEAD
        )
        with self.store.reading() as connection:
            found = [
                Lease(*row) for row in connection.execute(query.order_by(LEASES.c.place, LEASES.c.run_id))
            ]
        return {lease.run_id: lease for lease in found}

    def claim(
        self, token: str, preferred: Collection[int] = (), *, done: Sequence[int] = (), most: int = 1,
        struck: bool = True, among: Collection[int] | None = None,
    ) -> list[Lease]:  # fmt: skip
        """Lease runs that nobody trains, the preferred ones first; ``[]`` if there are none.

        A run that has strikes is leased alone: if it ends the next process as well, it is known who did it.

        Args:
            done: runs that this process has leased, and has trained as far as they were to go.
            most: how many.
            struck: whether it may be a run that has strikes.
            among: of which runs; ``None`` for all.

        Raises:
            LeaseLost: the process was struck off.
        """
        with self.store.writing() as connection:
            self._check_listed(connection, token)
            if done:
                given_back = and_(self._of(token), LEASES.c.run_id.in_(list(done)))
                connection.execute(
                    update(LEASES).where(given_back).values(owner=None, reached=LEASES.c.until)
                )
            free = [
                lease for lease in self._free(connection, preferred) if among is None or lease.run_id in among
            ]
            free = [lease for lease in free if lease.until == free[0].until]  # they are trained together
            chosen = [lease for lease in free if not lease.strikes][:most] or (free[:1] if struck else [])
            return [lease for lease in chosen if self._lease(connection, lease.run_id, token)]

    def save(self, token: str, reports: Sequence[EpochReport], records: Sequence[RunRecord]) -> None:
        """Write down what a process has trained, if it still has the leases.

        Raises:
            LeaseLost: it has not; nothing was written.
        """
        reached = {report.run_id: report for report in reports}
        with self.store.writing() as connection:
            for run_id, last in reached.items():
                mine = and_(self._at(run_id), LEASES.c.owner == token)
                so_far = {"reached": last.epoch, "strikes": 0, "trouble": ""}
                over = {"until": last.epoch} if last.over else {}
                if not connection.execute(update(LEASES).where(mine).values(**so_far, **over)).rowcount:
                    raise LeaseLost(f"run {run_id} of study {self.study!r} is trained by another process now")
            put_outcomes(connection, self._study_id, reports, records)

    def runs(self, run_ids: Collection[int]) -> list[RunRecord]:
        """Return these runs of the study."""
        ids = RUNS.c.id.in_(sorted(run_ids))
        query = select(*rows.RUN_COLUMNS).where(RUNS.c.study_id == self._study_id, ids)
        with self.store.reading() as connection:
            return [rows.read_run(row) for row in connection.execute(query)]

    def _free(self, connection: Connection, preferred: Collection[int]) -> list[Lease]:
        names = ("run_id", "owner", "until", "reached", "strikes", "trouble")
        query = select(*(LEASES.c[name] for name in names)).where(
            LEASES.c.study_id == self._study_id, LEASES.c.run_id != LEAD, LEASES.c.owner.is_(None),
            LEASES.c.reached < LEASES.c.until, LEASES.c.strikes < STRUCK_OUT,
        )  # fmt: skip
        found = [Lease(*row) for row in connection.execute(query.order_by(LEASES.c.place, LEASES.c.run_id))]
        return sorted(found, key=lambda lease: lease.run_id not in preferred)

    def _lease(self, connection: Connection, run_id: int, token: str) -> bool:
        free = and_(self._at(run_id), LEASES.c.owner.is_(None))
        return connection.execute(update(LEASES).where(free).values(owner=token)).rowcount > 0

    def _check_listed(self, connection: Connection, token: str) -> None:
        query = select(PROCESSES.c.token).where(PROCESSES.c.token == token).with_for_update()
        if connection.scalar(query) is None:
            raise LeaseLost(
                f"this process was silent for so long that others took over its part of {self.study!r}"
            )

    def _at(self, run_id: int) -> ColumnElement[bool]:
        return and_(LEASES.c.study_id == self._study_id, LEASES.c.run_id == run_id)

    def _of(self, token: str) -> ColumnElement[bool]:
        return and_(LEASES.c.study_id == self._study_id, LEASES.c.owner == token)
