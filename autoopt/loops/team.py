"""Team: the processes that train a run together, one process alone included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from autoopt.loops.reported import Outcome
from autoopt.loops.seats import Seats
from autoopt.loops.terms import Facts
from autoopt.run import Run

Found = TypeVar("Found")


class Team(Protocol):
    """Lets the seats of all processes do the same."""

    def lead(self, work: Callable[[], Found]) -> Found:
        """Do the work in one process, and return in all of them what it came to."""

    def try_out(self) -> Facts:
        """Try the loop out everywhere, and return what it shows."""

    def advance(self, run: Run, known: int) -> Outcome:
        """Let a run work until its next report everywhere, and return what that came to."""

    def state(self, run_id: int) -> Mapping[str, Any] | None:
        """Return what another process needs to go on with a run that waits; ``None`` if none can."""

    def call(self, verb: str, *arguments: Any) -> None:
        """Let all seats do something else."""


class Alone:
    """A team of one process."""

    def __init__(self, seats: Seats) -> None:
        self._seats = seats

    def lead(self, work: Callable[[], Found]) -> Found:
        """Do the work."""
        return work()

    def try_out(self) -> Facts:
        """Try the loop out."""
        return self._seats.try_out()

    def advance(self, run: Run, known: int) -> Outcome:
        """Let a run work until its next report."""
        return self._seats.advance(run, known)

    def state(self, run_id: int) -> Mapping[str, Any] | None:
        """Return what another process needs to go on with a run that waits; ``None`` if none can."""
        return self._seats.state(run_id)

    def call(self, verb: str, *arguments: Any) -> None:
        """Let the seats do something else."""
        getattr(self._seats, verb)(*arguments)
