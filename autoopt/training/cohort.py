"""The one door to training: runs go side by side, an epoch at a time, and some of them go on.

Search knows only this. Serial training, stacked training, the replay of recorded epochs, the user's own loop
and the fake of the tests all stand behind it; a single run is a cohort of one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol, runtime_checkable

from autoopt.run import EpochReport, Run


class Cohort(Protocol):
    """Runs that are trained side by side."""

    @property
    def runs(self) -> Sequence[Run]:
        """The runs that can still go on: neither dropped nor diverged, failed or finished."""

    def advance(
        self, run_ids: Collection[int] | None = None, until: int | None = None
    ) -> Iterable[EpochReport]:
        """Train the named runs, or all of ``runs``: for one more epoch, or until an epoch.

        For one more epoch there is one report each, in the order of ``runs``. With ``until`` there is one for every
        epoch; those of a run come in the order of its epochs, and among runs in any order. The others wait: runs
        of a cohort need not be at the same epoch. Runs that are over, or have come as far, may be named and are
        passed by. Reports may come one by one, as they are ready, so that an epoch that takes an hour is written
        down when it is over. Whoever does not take them all must drop the runs that are left before the next call.

        Args:
            run_ids: which runs go on.
            until: the last epoch that they are trained for, counted from 1; ``None`` for one more.

        Nothing that the user's code raises comes out of here, save KeyboardInterrupt: it is reported as
        ``failure``.
        """

    def add(self, runs: Sequence[Run]) -> None:
        """Let more runs join; they begin at their first epoch."""

    def keep(self, run_ids: Collection[int]) -> None:
        """Drop every run that is not named, and free what it held."""


@runtime_checkable
class Resuming(Protocol):
    """A cohort that writes down where its runs stand, so that they go on from there in another process."""

    def resume(self, run_id: int) -> Sequence[EpochReport]:
        """Bring a run to its newest checkpoint; return the reports of its epochs from the first one up to there.

        None if there is no checkpoint that is ahead of where it stands here.
        """


StartCohort = Callable[[Sequence[Run]], Cohort]
