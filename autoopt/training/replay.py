"""A cohort that repeats what was recorded and trains only from there: how an interrupted study goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from autoopt.run import EpochReport, Run
from autoopt.training.cohort import Cohort, StartCohort


def replay_cohort(
    runs: Sequence[Run], recorded: Mapping[int, Sequence[EpochReport]], start: StartCohort
) -> Cohort:
    """Return a cohort that gives the recorded reports first, as they are, and trains where they end.

    Training is deterministic, so a run that goes on beyond its records is trained again from its start, in
    silence, up to there. Runs whose records are complete are never trained.

    Args:
        recorded: reports by run id, from epoch 1 on without a gap; runs without records may be missing.
        start: starts the cohort that trains for real.
    """
    return ReplayCohort(runs, recorded, start)


class ReplayCohort:
    """See ``replay_cohort``. All runs of a cohort are at the same epoch, the real one's too."""

    def __init__(
        self, runs: Sequence[Run], recorded: Mapping[int, Sequence[EpochReport]], start: StartCohort
    ) -> None:
        self._going = {run.id: run for run in runs}
        self._recorded = {run.id: _by_epoch(recorded.get(run.id, ())) for run in runs}
        self._start = start
        self._real: Cohort | None = None
        self._ended: dict[int, EpochReport] = {}  # last reports of runs that the real cohort gave up
        self._epoch = 0

    @property
    def runs(self) -> Sequence[Run]:
        """The runs that can still go on."""
        return list(self._going.values())

    def advance(self) -> Iterator[EpochReport]:
        """Give each run's next report: the recorded one, or else that of one more epoch of training."""
        epoch, runs = self._epoch + 1, self.runs
        if self._real is None and any(epoch not in self._recorded[run.id] for run in runs):
            self._real = self._started(epoch)
        trained = self._advance_real(self._real) if self._real is not None else iter(())
        self._epoch = epoch
        for run in runs:
            report = self._report(run, epoch, trained)
            if report.over or epoch >= run.epochs:
                del self._going[run.id]
            yield report
        self._exhaust(trained)
        self._keep_real()

    def keep(self, run_ids: Collection[int]) -> None:
        """Drop every run that is not named, and free what it held."""
        self._going = {run_id: run for run_id, run in self._going.items() if run_id in set(run_ids)}
        self._keep_real()

    def _report(self, run: Run, epoch: int, trained: Iterator[EpochReport]) -> EpochReport:
        if epoch in self._recorded[run.id]:
            return self._recorded[run.id][epoch]
        if run.id not in self._ended:
            # the real cohort trains in the same order, some runs whose epoch is recorded among them
            return next(report for report in trained if report.run_id == run.id)
        # only where training is not quite deterministic can it have ended before its records do
        return replace(self._ended[run.id], epoch=epoch)

    def _started(self, epoch: int) -> Cohort:
        """Start the real cohort with every run that needs it, and bring it to the epoch before this one."""
        real = self._start([run for run in self.runs if self._is_incomplete(run)])
        for _ in range(epoch - 1):
            self._exhaust(self._advance_real(real))
        return real

    def _is_incomplete(self, run: Run) -> bool:
        reports = self._recorded[run.id]
        return not reports or not (reports[len(reports)].over or len(reports) >= run.epochs)

    def _advance_real(self, real: Cohort) -> Iterator[EpochReport]:
        for report in real.advance():
            if report.over:
                self._ended[report.run_id] = report
            yield report

    def _exhaust(self, reports: Iterator[EpochReport]) -> None:
        deque(reports, maxlen=0)

    def _keep_real(self) -> None:
        if self._real is not None:
            self._real.keep(self._going)


def _by_epoch(reports: Sequence[EpochReport]) -> dict[int, EpochReport]:
    """Index reports by epoch, from 1 up to the first gap."""
    found = {report.epoch: report for report in reports}
    whole: dict[int, EpochReport] = {}
    while len(whole) + 1 in found:
        whole[len(whole) + 1] = found[len(whole) + 1]
    return whole
