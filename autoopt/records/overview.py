"""Overview: figures of a study, filtered, sorted and added up by the database, for whoever looks at large studies."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Float,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    type_coerce,
)

from autoopt.errors import StorageError
from autoopt.records import rows
from autoopt.records.store import Store
from autoopt.records.tables import EPOCHS, RUNS, STUDIES, VERDICTS
from autoopt.run import Purpose, RunRecord, RunState

_LARGEST = sys.float_info.max
ORDERS = ("score", "id", "epochs_done", "seconds", "lr", "optimizer", "state")


@dataclass(frozen=True)
class Wanted:
    """Which runs of a study, and in which order. What is empty asks for nothing.

    Attributes:
        optimizers, states, purposes: names; a run must have one of each.
        text: part of the note or of the recipe as JSON, in either case.
        order: one of ``ORDERS``; runs without such a value come last either way.
    """

    optimizers: tuple[str, ...] = ()
    states: tuple[RunState, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    text: str = ""
    order: str = "score"
    descending: bool = False


@dataclass(frozen=True)
class Tally:
    """Runs of one optimizer, purpose and state: how many, and what they cost.

    Attributes:
        epochs: trained, over all of them; ``seconds`` likewise.
        lowest, highest: finite scores; ``None`` without one.
    """

    optimizer: str
    purpose: Purpose
    state: RunState
    runs: int
    epochs: int
    seconds: float
    lowest: float | None
    highest: float | None


@dataclass(frozen=True)
class Level:
    """A cohort at an epoch: how many of its runs came that far, and their best scores."""

    cohort: int
    epoch: int
    runs: int
    lowest: float | None
    highest: float | None


class Overview:
    """Reads a store. Each method is one look at the database and changes nothing.

    Example:
        >>> Overview(Store.open(":memory:")).verdicts()
        {}
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def stamp(self, study: str) -> str:
        """Return a text that changes with everything that is saved to the study: its key and its last saving.

        Raises:
            StorageError: there is no such study.
        """
        with self.store.reading() as connection:
            study_id = self.store.study_id(connection, study)
            updated = connection.scalar(select(STUDIES.c.updated).where(STUDIES.c.id == study_id))
        return f"{study_id} {updated}"

    def names(self) -> list[str]:
        """Return the names of all studies, the last one saved to first."""
        with self.store.reading() as connection:
            return list(
                connection.scalars(select(STUDIES.c.name).order_by(STUDIES.c.updated.desc(), STUDIES.c.id))
            )

    def verdicts(self) -> dict[str, dict[str, Any]]:
        """Return the newest verdict of every study that has one, by name of the study."""
        newest = select(func.max(VERDICTS.c.id)).group_by(VERDICTS.c.study_id)
        query = select(STUDIES.c.name, VERDICTS.c.document).where(
            VERDICTS.c.study_id == STUDIES.c.id, VERDICTS.c.id.in_(newest)
        )
        with self.store.reading() as connection:
            return {row.name: row.document for row in connection.execute(query)}

    def tallies(self, study: str) -> list[Tally]:
        """Return the runs of a study counted by optimizer, purpose and state."""
        with self.store.reading() as connection:
            optimizer = member(connection, "optimizer")
            kinds = (optimizer, RUNS.c.purpose, RUNS.c.state)
            query = select(
                *kinds, func.count(), func.sum(RUNS.c.epochs_done), func.sum(RUNS.c.seconds),
                func.min(_finite(RUNS.c.score)), func.max(_finite(RUNS.c.score)),
            ).where(RUNS.c.study_id == self.store.study_id(connection, study))  # fmt: skip
            found = connection.execute(query.group_by(*kinds).order_by(*kinds)).all()
        return [Tally(name, Purpose(purpose), RunState(state), runs, int(epochs), float(seconds), low, high)
                for name, purpose, state, runs, epochs, seconds, low, high in found]  # fmt: skip

    def levels(self, study: str, epochs: Collection[int]) -> list[Level]:
        """Return the cohorts of the search at these epochs, in the order in which they were trained."""
        score = _finite(EPOCHS.c.score)
        with self.store.reading() as connection:
            study_id = self.store.study_id(connection, study)
            reached = and_(EPOCHS.c.study_id == study_id, EPOCHS.c.run_id == RUNS.c.id,
                           EPOCHS.c.epoch.in_(sorted(set(epochs))))  # fmt: skip
            query = (
                select(RUNS.c.cohort, EPOCHS.c.epoch, func.count(), func.min(score), func.max(score))
                .join_from(RUNS, EPOCHS, reached)
                .where(RUNS.c.study_id == study_id, RUNS.c.purpose == str(Purpose.SEARCH))
                .group_by(RUNS.c.cohort, EPOCHS.c.epoch)
                .order_by(RUNS.c.cohort, EPOCHS.c.epoch)
            )
            return [Level(*row) for row in connection.execute(query)]

    def scores_at(self, study: str, epoch: int) -> dict[int, float]:
        """Return the finite scores after an epoch by run, of those runs that came so far."""
        score = _finite(EPOCHS.c.score)
        with self.store.reading() as connection:
            query = select(EPOCHS.c.run_id, score).where(
                EPOCHS.c.study_id == self.store.study_id(connection, study), EPOCHS.c.epoch == epoch,
                score.is_not(None),
            )  # fmt: skip
            return {run_id: value for run_id, value in connection.execute(query)}  # noqa: C416

    def columns(self, study: str, purposes: Collection[Purpose] = (Purpose.SEARCH,)) -> dict[str, list[Any]]:
        """Return what charts need of all runs, as columns by name, without what makes rows large."""
        with self.store.reading() as connection:
            wanted: dict[str, ColumnElement[Any]] = {
                **{name: RUNS.c[name] for name in ("id", "cohort", "seed", "epochs", "epochs_done", "purpose",
                                                   "state", "score", "seconds")},
                **{name: member(connection, name) for name in ("optimizer", "schedule")},
                "batch_size": cast(member(connection, "batch_size"), Float),
                **{name: cast(member(connection, "settings", name), Float)
                   for name in ("lr", "momentum", "weight_decay", "beta1", "beta2")},
                "warmup": cast(member(connection, "schedule_settings", "warmup"), Float),
            }  # fmt: skip
            query = select(*wanted.values()).where(
                RUNS.c.study_id == self.store.study_id(connection, study),
                RUNS.c.purpose.in_([str(purpose) for purpose in purposes]),
            )
            found = connection.execute(query.order_by(RUNS.c.id)).all()
        return (
            dict(zip(wanted, map(list, zip(*found, strict=True)), strict=True))
            if found
            else {n: [] for n in wanted}
        )

    def count(self, study: str, wanted: Wanted) -> int:
        """Return how many runs there are of those that are wanted."""
        with self.store.reading() as connection:
            query = self._filtered(connection, study, wanted, select(func.count()).select_from(RUNS))
            return int(connection.scalar(query) or 0)

    def page(self, study: str, wanted: Wanted, offset: int, limit: int) -> list[RunRecord]:
        """Return a page of the runs that are wanted; of equal scores those trained longest come first.

        Raises:
            StorageError: the order is not one of ``ORDERS``.
        """
        if wanted.order not in ORDERS:
            raise StorageError(f"runs cannot be sorted by {wanted.order!r}: choose {', '.join(ORDERS)}")
        with self.store.reading() as connection:
            query = self._filtered(connection, study, wanted, select(*rows.RUN_COLUMNS))
            key = _order(connection, wanted.order)
            first = case((key.is_(None), 1), else_=0)
            by = [first, key.desc() if wanted.descending else key.asc()]
            if wanted.order == "score":
                by.append(RUNS.c.epochs_done.desc())
            query = query.order_by(*by, RUNS.c.id)
            return [rows.read_run(row) for row in connection.execute(query.offset(offset).limit(limit))]

    def runs(self, study: str, run_ids: Collection[int]) -> list[RunRecord]:
        """Return the runs with these ids by ascending id; ids that do not exist are left out."""
        with self.store.reading() as connection:
            study_id = self.store.study_id(connection, study)
            query = select(*rows.RUN_COLUMNS).where(
                RUNS.c.study_id == study_id, RUNS.c.id.in_(sorted(set(run_ids)))
            )
            return [rows.read_run(row) for row in connection.execute(query.order_by(RUNS.c.id))]

    def spread(self, study: str, most: int) -> list[int]:
        """Return the ids of at most so many runs of the search, evenly spread, and of all that confirm."""
        with self.store.reading() as connection:
            query = select(RUNS.c.id, RUNS.c.purpose).order_by(RUNS.c.id)
            found = connection.execute(query.where(RUNS.c.study_id == self.store.study_id(connection, study)))
            search: list[int] = []
            others: list[int] = []
            for run_id, purpose in found:
                (search if purpose == Purpose.SEARCH else others).append(run_id)
        part = min(most, len(search))
        return sorted([*(search[k * len(search) // part] for k in range(part)), *others])

    def span(self, study: str) -> tuple[int, int] | None:
        """Return the first and the last id of the runs of a study; ``None`` where there are none."""
        with self.store.reading() as connection:
            own = RUNS.c.study_id == self.store.study_id(connection, study)
            first, last = connection.execute(
                select(func.min(RUNS.c.id), func.max(RUNS.c.id)).where(own)
            ).one()
        return None if first is None else (first, last)

    def _filtered(
        self, connection: Connection, study: str, wanted: Wanted, query: Select[Any]
    ) -> Select[Any]:
        query = query.where(RUNS.c.study_id == self.store.study_id(connection, study))
        if wanted.optimizers:
            query = query.where(member(connection, "optimizer").in_(wanted.optimizers))
        if wanted.states:
            query = query.where(RUNS.c.state.in_([str(state) for state in wanted.states]))
        if wanted.purposes:
            query = query.where(RUNS.c.purpose.in_([str(purpose) for purpose in wanted.purposes]))
        if wanted.text:
            recipe = type_coerce(RUNS.c.recipe, Text)
            query = query.where(
                or_(*(part.icontains(wanted.text, autoescape=True) for part in (RUNS.c.note, recipe)))
            )
        return query


def member(connection: Connection, *path: str) -> ColumnElement[Any]:
    """Return a member of a run's recipe, which is kept as JSON text; NULL where there is none."""
    document = type_coerce(RUNS.c.recipe, Text)
    if connection.dialect.name == "sqlite":
        return func.json_extract(document, "$." + ".".join(path))
    return func.json_extract_path_text(cast(document, JSON), *path)


def _finite(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((column.between(-_LARGEST, _LARGEST), column))


def _order(connection: Connection, order: str) -> ColumnElement[Any]:
    if order == "optimizer":
        return member(connection, "optimizer")
    if order == "lr":
        return cast(member(connection, "settings", "lr"), Float)
    return _finite(RUNS.c.score) if order == "score" else RUNS.c[order]
