"""A cohort that repeats what was recorded and trains only from there: how an interrupted study goes on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from autoopt.run import EpochReport, Run
from autoopt.training.cohort import Cohort, Resuming, StartCohort


def replay_cohort(
    runs: Sequence[Run], recorded: Mapping[int, Sequence[EpochReport]], start: StartCohort
) -> Cohort:
    """Return a cohort that gives the recorded reports first, as they are, and trains where they end.

    Training is deterministic, so a run that goes on beyond its records goes on from its newest checkpoint, or is
    trained again from its start, in silence, up to there. Where the checkpoint is of a later epoch than the records,
    it has the reports in between. Runs whose records are complete are never trained.

    Args:
        recorded: reports by run id, from epoch 1 on without a gap; runs without records may be missing. It may
            grow while the cohort is in use.
        start: starts the cohort that trains for real.
    """
    return ReplayCohort(runs, recorded, start)


class ReplayCohort:
    """See ``replay_cohort``."""

    def __init__(
        self, runs: Sequence[Run], recorded: Mapping[int, Sequence[EpochReport]], start: StartCohort
    ) -> None:
        self._records = recorded
        self._start = start
        self._going: dict[int, Run] = {}
        self._recorded: dict[int, list[EpochReport]] = {}
        self._epoch: dict[int, int] = {}  # of each run, as far as it was reported
        self._real: Cohort | None = None
        self._trained: dict[int, int] = {}  # epochs of each run in the real cohort
        self._ended: dict[int, EpochReport] = {}  # last reports of runs that the real cohort gave up
        self.add(runs)

    @property
    def runs(self) -> Sequence[Run]:
        """The runs that can still go on."""
        return list(self._going.values())

    def advance(
        self, run_ids: Collection[int] | None = None, until: int | None = None
    ) -> Iterator[EpochReport]:
        """Give the next report of the named runs, or of all, or those until an epoch: recorded ones, then trained ones.

        What was recorded since, by other processes that train the same study, is given as well.
        """
        named = [run for run in self.runs if run_ids is None or run.id in run_ids]
        for run in named:
            if len(found := self._records.get(run.id, ())) > len(self._recorded[run.id]):
                self._recorded[run.id] = _without_gap(found)
        ends = [(run, self._epoch[run.id] + 1 if until is None else until) for run in named]
        self._join([r.id for r, end in ends if len(self._recorded[r.id]) < end and self._is_incomplete(r)])
        for report in self._advance_once(named) if until is None else self._advance_until(named, until):
            self._epoch[report.run_id] = report.epoch
            if report.over or report.epoch >= self._going[report.run_id].epochs:
                del self._going[report.run_id]
            yield report
        if self._real is not None:
            self._real.keep(self._going)

    def _advance_once(self, named: Sequence[Run]) -> Iterator[EpochReport]:
        new = [run.id for run in named if self._epoch[run.id] >= len(self._recorded[run.id])]
        trained = self._train(new) if new else iter(())
        for run in named:
            yield self._next_report(run, trained)

    def _advance_until(self, named: Sequence[Run], until: int) -> Iterator[EpochReport]:
        for run in named:
            for epoch in range(self._epoch[run.id], min(until, len(self._recorded[run.id]))):
                yield self._recorded[run.id][epoch]
        behind = [run.id for run in named if run.id in self._going and self._epoch[run.id] < until]
        if not behind:
            return
        yield from self._train([run_id for run_id in behind if run_id not in self._ended], until)
        for run_id in behind:
            if run_id in self._ended and run_id in self._going:
                yield replace(self._ended[run_id], epoch=self._epoch[run_id] + 1)

    def add(self, runs: Sequence[Run]) -> None:
        """Let more runs join; they begin at their first epoch."""
        self._going |= {run.id: run for run in runs}
        self._recorded |= {run.id: _without_gap(self._records.get(run.id, ())) for run in runs}
        self._epoch |= {run.id: 0 for run in runs}

    def keep(self, run_ids: Collection[int]) -> None:
        """Drop every run that is not named, and free what it held."""
        self._going = {run_id: run for run_id, run in self._going.items() if run_id in set(run_ids)}
        # whoever is added again begins again
        self._trained = {run_id: epochs for run_id, epochs in self._trained.items() if run_id in self._going}
        self._ended = {run_id: report for run_id, report in self._ended.items() if run_id in self._going}
        if self._real is not None:
            self._real.keep(self._going)

    def _next_report(self, run: Run, trained: Iterator[EpochReport]) -> EpochReport:
        epoch = self._epoch[run.id] + 1
        if epoch <= len(self._recorded[run.id]):
            return self._recorded[run.id][epoch - 1]
        if run.id not in self._ended:
            return next(trained)
        # only where training is not quite deterministic can it have ended before its records do
        return replace(self._ended[run.id], epoch=epoch)

    def _train(self, run_ids: Sequence[int], until: int | None = None) -> Iterator[EpochReport]:
        """Bring the runs in silence to where their reports end; return those that follow, as they come."""
        while behind := [i for i in run_ids if i not in self._ended and self._trained[i] < self._epoch[i]]:
            for _ in self._advance_real(behind):
                pass
        return self._advance_real([run_id for run_id in run_ids if run_id not in self._ended], until)

    def _join(self, run_ids: Sequence[int]) -> None:
        """Let runs that must be trained join the real cohort, and go on from their checkpoints.

        A checkpoint may be ahead of the records: then it has the reports that nobody wrote down.
        """
        if not run_ids:
            return
        if self._real is None:
            self._real, self._trained = self._start([]), {}
        joining = [run for run in self.runs if run.id not in self._trained and self._is_incomplete(run)]
        self._real.add(joining)
        self._trained |= {run.id: 0 for run in joining}
        if not isinstance(self._real, Resuming):
            return
        for run_id in run_ids:
            trained = self._trained.get(run_id)
            if trained is None or 0 < trained >= len(self._recorded[run_id]):
                continue
            if reports := self._real.resume(run_id):
                self._trained[run_id] = len(reports)
                self._recorded[run_id] += reports[len(self._recorded[run_id]) :]

    def _is_incomplete(self, run: Run) -> bool:
        reports = self._recorded[run.id]
        return not reports or not (reports[-1].over or len(reports) >= run.epochs)

    def _advance_real(self, run_ids: Sequence[int], until: int | None = None) -> Iterator[EpochReport]:
        assert self._real is not None
        try:
            for report in self._real.advance(run_ids, until):
                self._trained[report.run_id] += 1
                if report.over:
                    self._ended[report.run_id] = report
                yield report
        except KeyboardInterrupt:
            self._real = None  # a run was left in mid-epoch: whoever asks again gets it from its start
            raise


def _without_gap(reports: Sequence[EpochReport]) -> list[EpochReport]:
    """Return the reports from epoch 1 up to the first gap, in order."""
    found = {report.epoch: report for report in reports}
    whole: list[EpochReport] = []
    while len(whole) + 1 in found:
        whole.append(found[len(whole) + 1])
    return whole
