"""The cohort of a training loop of the user's own: runs wait at their last report until they are asked to go on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter

import torch

from autoopt.errors import LoopError
from autoopt.loops.reported import Outcome
from autoopt.loops.team import Team
from autoopt.loops.terms import Terms
from autoopt.run import EpochReport, Run
from autoopt.training.checkpoints import Checkpoints
from autoopt.training.parking import FREE_SHARE, free_bytes

MOST_WAITING = 64
MOST_THREADS = 512  # torch keeps a pool of threads for each run that has computed


class LoopCohort:
    """Runs of the user's function; see ``Cohort``.

    Waiting costs memory and a thread. Where there are too many, those that have come least far are put aside: they
    go on from a file, if the loop has called ``trial.checkpoint``, else they are trained again from their start, in
    silence. Both give the same numbers, as each run draws from random streams of its own.

    Args:
        room_bytes: memory that waiting runs may fill; ``None`` for a quarter of what is free at first.
        most_waiting: runs that may wait in threads.
        checkpoints: write down where those runs stand that call ``trial.checkpoint``, for other processes.
    """

    def __init__(
        self, team: Team, terms: Terms, runs: Sequence[Run], *, room_bytes: int | None = None,
        most_waiting: int | None = None, checkpoints: Checkpoints | None = None,
    ) -> None:  # fmt: skip
        self._team, self._terms = team, terms
        self._going: dict[int, Run] = {}
        self._done: dict[int, int] = {}
        self._bytes: dict[int, int] = {}  # of those that wait in threads
        self._last: dict[int, EpochReport] = {}
        self._returned: set[int] = set()
        self._room = room_bytes
        self._checkpoints = checkpoints
        self._kind = (
            f"loop on {torch.device(terms.device).type}"  # nothing else can go on from its checkpoints
        )
        self._most_waiting = most_waiting or min(
            MOST_WAITING, max(4, MOST_THREADS // torch.get_num_threads())
        )
        self.add(runs)

    @property
    def runs(self) -> Sequence[Run]:
        """The runs that can still go on."""
        return list(self._going.values())

    def advance(
        self, run_ids: Collection[int] | None = None, until: int | None = None
    ) -> Iterator[EpochReport]:
        """Train the named runs, or all, for one more epoch or until one; in turn, each report as it is ready.

        Raises:
            LoopError: the loop does what no study can work with.
        """
        for run in self.runs:
            if run_ids is None or run.id in run_ids:
                end = self._done[run.id] + 1 if until is None else until
                while run.id in self._going and self._done[run.id] < end:
                    yield self._advance_run(run)

    def add(self, runs: Sequence[Run]) -> None:
        """Let more runs join; they begin at their first epoch."""
        self._going |= {run.id: run for run in runs}
        self._done |= {run.id: 0 for run in runs}

    def keep(self, run_ids: Collection[int]) -> None:
        """Drop every run that is not named, and free what it held."""
        leaving = [run_id for run_id in self._going if run_id not in set(run_ids)]
        for run_id in leaving:
            self._leave(run_id)
            if self._checkpoints is not None:
                self._checkpoints.drop(run_id)
        if leaving:
            self._team.call("drop", leaving)

    def resume(self, run_id: int) -> Sequence[EpochReport]:
        """Bring a run to its newest checkpoint; return the reports up to there, none where it is that far."""
        run, checkpoints = self._going[run_id], self._checkpoints
        found = None if checkpoints is None else checkpoints.load(run, self._kind, self._terms.device)
        if checkpoints is None or found is None or len(found.reports) <= self._done[run_id]:
            return []
        self._team.call("resume", run_id, found.state)
        self._bytes.pop(run_id, None)
        self._done[run_id], self._last[run_id] = len(found.reports), found.reports[-1]
        checkpoints.resumed(run, found.reports)
        return found.reports

    def _advance_run(self, run: Run) -> EpochReport:
        started = perf_counter()
        try:
            outcome = Outcome(over=True) if run.id in self._returned else self._turn(run)
        except BaseException:  # a run was left in mid-epoch; others may go on from their checkpoints
            going = list(self._going)
            for run_id in going:
                self._leave(run_id)
            self._team.call("drop", going)
            raise
        self._done[run.id] += 1
        report = replace(self._report(run, outcome), seconds=perf_counter() - started)
        if report.over or report.epoch >= run.epochs:
            self.keep([other for other in self._going if other != run.id])
        else:
            self._last[run.id] = report
            if self._checkpoints is not None:
                self._checkpoints.after(run, report, self._kind, partial(self._team.state, run.id))
        return report

    def _turn(self, run: Run) -> Outcome:
        if run.id not in self._bytes:
            self._make_room()
        outcome = self._team.advance(run, self._done[run.id])
        if outcome.mistake is not None:
            raise LoopError(outcome.mistake)
        if outcome.over:
            self._bytes.pop(run.id, None)
            self._returned |= {run.id} if outcome.reported is None else set()
        elif outcome.reported is not None:
            self._bytes[run.id] = outcome.reported.held_bytes
        return outcome

    def _report(self, run: Run, outcome: Outcome) -> EpochReport:
        epoch, reported = self._done[run.id], outcome.reported
        if outcome.failure is not None:
            return EpochReport(run.id, epoch, math.nan, math.nan, math.nan, failure=outcome.failure)
        if reported is None:  # it has stopped early by itself: what it reached stands
            return replace(self._last[run.id], epoch=epoch)
        metrics = reported.metrics
        score = metrics.get(self._terms.metric or "", reported.value)
        return EpochReport(
            run.id, epoch, metrics.get("train_loss", math.nan), reported.value, score,
            metrics=_others(metrics, self._terms.metric) or None,
            test_score=metrics.get("test") if epoch >= run.epochs else None,
            diverged=not (math.isfinite(score) and math.isfinite(reported.value)), **reported.numbers,
        )  # fmt: skip

    def _make_room(self) -> None:
        """Put runs aside until there is room for one more: those first that cost least to train again."""
        if self._room is None:
            self._room = free_bytes(self._terms.device) // FREE_SHARE
        largest = max(self._bytes.values(), default=0)
        while self._bytes and (
            len(self._bytes) >= self._most_waiting or sum(self._bytes.values()) + largest > self._room
        ):
            run_id = min(self._bytes, key=lambda i: (self._done[i], i))
            del self._bytes[run_id]
            self._team.call("put_aside", run_id)

    def _leave(self, run_id: int) -> None:
        self._going.pop(run_id, None)
        self._bytes.pop(run_id, None)
        self._last.pop(run_id, None)
        self._returned.discard(run_id)


def _others(metrics: Mapping[str, float], searched: str | None) -> dict[str, float]:
    """Return the metrics that have no place of their own in a report."""
    placed = {"train_loss", "test", searched}
    return {name: value for name, value in metrics.items() if name not in placed and math.isfinite(value)}
