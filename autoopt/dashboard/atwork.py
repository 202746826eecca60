"""At work: who trains a study right now, and whether they live, as far as that is seen from here."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from autoopt.records.hands import Hand, read_crew
from autoopt.records.owner import is_gone
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.sharing.member import SILENT_SECONDS, Silence

QUIET_SECONDS = (
    300  # without anything saved for so long, a study of which nobody is listed is at work no more
)


@dataclass(frozen=True)
class Seen:
    """A process on the list.

    Attributes:
        silent: seconds since it was last seen to count, while somebody looked.
        gone: it is surely over.
    """

    hand: Hand
    silent: float
    gone: bool


@cache
def _silence(url: str, study: str) -> tuple[Silence, threading.Lock]:  # noqa: ARG001
    return Silence(), threading.Lock()


def look(store: Store, study: str) -> list[Seen] | None:
    """Return who is listed to work on a study; ``None`` where the database has no such list."""
    crew = read_crew(store, study)
    if crew is None:
        return None
    silence, lock = _silence(store.url, study)
    with lock:
        silent = silence.look({hand.owner.token: hand.beat for hand in crew}, time.monotonic())
    return [Seen(hand, silent[hand.owner.token], is_gone(hand.owner)) for hand in crew]


def state_of(study: StudyRecord, crew: Sequence[Seen] | None) -> str:
    """Return the state of a study as it is, where the database may still have it running.

    Returns:
        ``silent`` if nobody has been heard of for long, ``interrupted`` if whoever worked on it is surely over.
    """
    if study.state != "running":
        return study.state
    quiet = (datetime.now(UTC) - study.updated).total_seconds() > QUIET_SECONDS
    if crew is None:
        return "silent" if quiet else "running"
    living = [seen for seen in crew if not seen.gone]
    if not living:
        return "interrupted" if crew or quiet else "running"
    return "silent" if all(seen.silent >= SILENT_SECONDS for seen in living) else "running"
