"""Member: this process as one of those that work on a study, for as long as it lives."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from sqlalchemy import Connection

from autoopt.errors import StorageError
from autoopt.records.leases import Leases
from autoopt.records.owner import Owner, is_at_work, is_gone, this_process
from autoopt.records.store import Store

BEAT_SECONDS = 2.0
SILENT_SECONDS = 60.0
"""Whoever does not count for so long is taken to be over."""
BUSY_SECONDS = 600.0
"""The same of a process of this machine that lives: code of the user's may let no other thread of it work."""


@dataclass
class Silence:
    """How long others have not counted, as seen from here, by a clock that nobody sets.

    A process that was halted itself has seen nothing meanwhile: between two looks at most so much is counted.

    Attributes:
        most: seconds between two looks that count.
    """

    most: float = 2.5 * BEAT_SECONDS
    _beats: dict[str, int] = field(default_factory=dict)
    _silent: dict[str, float] = field(default_factory=dict)
    _looked: float | None = None

    def look(self, beats: dict[str, int], now: float) -> dict[str, float]:
        """Take what each has counted by now, and return for how many seconds each of them has been silent."""
        gone_by = 0.0 if self._looked is None else min(self.most, max(0.0, now - self._looked))
        self._looked = now
        self._silent = {
            token: self._silent[token] + gone_by if self._beats.get(token) == beat else 0.0
            for token, beat in beats.items()
        }
        self._beats = dict(beats)
        return self._silent


class Member:
    """Joins a study, counts while it lives, and looks whether the others do; a context manager.

    Args:
        owner: this process; a new one if left out.
    """

    def __init__(self, store: Store, study: str, owner: Owner | None = None) -> None:
        self.store, self.study = store, study
        self.leases = Leases(store, study)
        self._owner = owner or this_process()
        self._silence = Silence()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="autoopt heartbeat", daemon=True)

    @property
    def token(self) -> str:
        """What its leases bear."""
        if os.getpid() != self._owner.pid:
            os._exit(
                1
            )  # a copy that the user's code has forked and let return: it must not do this one's work
        return self._owner.token

    def __enter__(self) -> Self:
        self.leases.join(self._owner)
        self.look_round()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(BEAT_SECONDS)
        with suppress(StorageError):  # then it will be found silent
            self.leases.leave(self.token)

    def join_again(self) -> None:
        """Begin anew after it was struck off: nothing that it had leased is its own any more."""
        with suppress(StorageError):
            self.leases.leave(self.token)
        self._owner = this_process(self._owner.crew)
        self.leases.join(self._owner)

    def take_lead(self) -> bool:
        """Take the lead of the study if nobody has it; return whether it is this process's."""
        return self.leases.take_lead(self.token)

    def leader(self) -> Owner | None:
        """Return the process that leads."""
        token = self.leases.leader()
        return next((owner for owner in self.leases.processes() if owner.token == token), None)

    def must_lead(self, connection: Connection) -> None:
        """Let this process write only while it leads; see ``Store.on_condition``."""
        self.leases.check_lead(connection, self.token)

    def look_round(self) -> None:
        """Strike off who is over: its runs go on elsewhere. Helpers are looked after by who started them."""
        others = self.leases.processes()
        beats = {owner.token: beat for owner, beat in others.items()}
        silent = self._silence.look(beats, time.monotonic())
        gone = {owner.token for owner in others if is_gone(owner)}
        for owner, beat in others.items():
            if owner.token == self._owner.token or (owner.crew in beats and owner.crew not in gone):
                continue
            if owner.token in gone:
                self.leases.strike_off(owner.token, None, "was lost")
            elif silent[owner.token] >= (BUSY_SECONDS if is_at_work(owner) else SILENT_SECONDS):
                self.leases.strike_off(owner.token, beat, "was silent for too long")

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            with suppress(StorageError):  # the next beat may succeed; whoever writes will say what is wrong
                self.leases.beat(self._owner.token)
                self.look_round()
