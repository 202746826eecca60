"""Hands: who works on a study, as somebody sees it who only reads."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from autoopt.records.alive import LEAD
from autoopt.records.margin import has_table
from autoopt.records.owner import Owner
from autoopt.records.store import Store
from autoopt.records.tables import LEASES, PROCESSES


@dataclass(frozen=True)
class Hand:
    """A process that works on a study.

    Attributes:
        beat: what it has counted since it began; it counts while it lives.
        leads: whether it decides what is trained.
        runs: ids of those that it trains.
    """

    owner: Owner
    beat: int
    leads: bool
    runs: tuple[int, ...]


def read_crew(store: Store, study: str) -> list[Hand] | None:
    """Return who is on the list of those who work on a study; ``None`` where the database is too old to have one."""
    names = ("token", "host", "boot", "pid", "started", "crew")
    with store.reading() as connection:
        study_id = store.study_id(connection, study)
        if not has_table(connection, PROCESSES):
            return None
        listed = select(*(PROCESSES.c[name] for name in names), PROCESSES.c.beat).where(
            PROCESSES.c.study_id == study_id
        )
        leased = select(LEASES.c.owner, LEASES.c.run_id).where(
            LEASES.c.study_id == study_id, LEASES.c.owner.is_not(None)
        )
        rows = connection.execute(listed).all()
        leases = connection.execute(leased.order_by(LEASES.c.run_id)).all()
    held = {token: [run for owner, run in leases if owner == token] for token, *_ in rows}
    hands = [
        Hand(
            Owner(*row[:-1]), int(row[-1]), LEAD in held[row[0]], tuple(r for r in held[row[0]] if r != LEAD)
        )
        for row in rows
    ]
    return sorted(hands, key=lambda hand: (not hand.leads, hand.owner.host, hand.owner.pid))
