"""Endings: how far the trials of a search came, and why they ended early, added up by the database."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from autoopt.records.overview import member
from autoopt.records.store import Store
from autoopt.records.tables import RUNS
from autoopt.run import Purpose, RunState


@dataclass(frozen=True)
class Way:
    """How far some trials of the search came: their optimizer, the epochs that each was trained for, their number."""

    optimizer: str
    epochs: int
    runs: int


@dataclass(frozen=True)
class Ending:
    """Why some trials of the search ended before their last epoch: their state, what was noted, their number."""

    state: RunState
    note: str
    runs: int


def read_ways(store: Store, study: str) -> list[Way]:
    """Return how far the trials of the search came, by optimizer and epochs trained."""
    with store.reading() as connection:
        kinds = (member(connection, "optimizer"), RUNS.c.epochs_done)
        query = select(*kinds, func.count()).where(
            RUNS.c.study_id == store.study_id(connection, study), RUNS.c.purpose == str(Purpose.SEARCH)
        )
        return [Way(*row) for row in connection.execute(query.group_by(*kinds).order_by(*kinds))]


def read_endings(store: Store, study: str, most: int) -> list[Ending]:
    """Return why trials of the search were stopped, diverged or failed: so many notes, the most frequent first."""
    early = (RunState.STOPPED, RunState.DIVERGED, RunState.FAILED)
    kinds, many = (RUNS.c.state, RUNS.c.note), func.count()
    with store.reading() as connection:
        query = select(*kinds, many).where(
            RUNS.c.study_id == store.study_id(connection, study), RUNS.c.purpose == str(Purpose.SEARCH),
            RUNS.c.state.in_([str(state) for state in early]),
        )  # fmt: skip
        query = query.group_by(*kinds).order_by(many.desc(), *kinds).limit(most)
        return [Ending(RunState(state), note, runs) for state, note, runs in connection.execute(query)]
