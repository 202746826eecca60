"""Worker: trains what the process that leads a study wants trained, and writes down what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from autoopt.errors import LeaseLost, StorageError
from autoopt.records.leases import Lease
from autoopt.run import EpochReport, Run, RunRecord, RunState
from autoopt.sharing.cohort import LONGEST_PAUSE, SHORTEST_PAUSE, is_free
from autoopt.sharing.member import Member
from autoopt.training.cohort import Cohort, StartCohort
from autoopt.training.replay import replay_cohort

SAVE_SECONDS = 0.5  # between two writings of one run: what a kill can cost at most
TIDY_SECONDS = 2.0  # between two looks for runs that need not be held any more


class Worker:
    """One of the processes that train the runs of a study.

    Args:
        member: this process.
        start: starts cohorts of it.
        most: runs that it trains at a time.
        struck: it also trains runs that have ended a process.
        look: called now and then, also while it trains.
    """

    def __init__(
        self, member: Member, start: StartCohort, *, judged: Callable[[Cohort], Cohort] = lambda cohort: cohort,
        most: int = 1, struck: bool = True, look: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._member, self._leases = member, member.leases
        self._most, self._struck, self._look = most, struck, look
        self._judged, self._start = judged, start
        self._begin_anew()
        self._tidied = time.monotonic()

    def work(self, *, alone: bool = False) -> None:
        """Train until nobody leads the study.

        Args:
            alone: also wait for somebody to lead it again.

        Raises:
            LeaseLost: this process was silent for so long that it was struck off.
        """
        pause, done = SHORTEST_PAUSE, list[int]()
        while alone or self._leases.leader() is not None:
            jobs: list[Lease] = []
            if done or any(map(is_free, self._leases.state().values())):
                jobs = self._leases.claim(
                    self._member.token, self._records, done=done, most=self._most, struck=self._struck
                )
            done = [job.run_id for job in jobs]
            if jobs:
                self._train(jobs)
                pause = SHORTEST_PAUSE
            else:
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            self._tidy(done)
            self._look()

    def _train(self, jobs: Sequence[Lease]) -> None:
        """Train runs as far as they are wanted; those that were taken away meanwhile are dropped."""
        self._take_up(jobs)
        ids = [job.run_id for job in jobs]
        new: list[EpochReport] = []
        saved = time.monotonic()
        try:
            for report in self._cohort.advance(ids, max(job.until for job in jobs)):
                if report.epoch <= len(self._recorded[report.run_id]):
                    continue
                new.append(report)
                self._records[report.run_id] = self._records[report.run_id].after(report)
                if time.monotonic() - saved >= SAVE_SECONDS:
                    self._save(new)
                    saved = time.monotonic()
                    self._look()
            self._save(new)
        except LeaseLost:
            self._begin_anew()
        except BaseException:
            with suppress(StorageError):
                self._save(new)
            raise

    def _take_up(self, jobs: Sequence[Lease]) -> None:
        """Learn what is known of runs, and let those join that are not here yet."""
        ids = [job.run_id for job in jobs]
        unknown = [job.run_id for job in jobs if job.run_id not in self._records]
        behind = [job.run_id for job in jobs if job.reached > len(self._recorded.get(job.run_id, ()))]
        runs: dict[int, Run] = {i: self._records[i].run for i in ids if i in self._records}
        runs |= {record.run.id: record.run for record in (self._leases.runs(unknown) if unknown else ())}
        written = self._member.store.reports(self._member.study, behind) if behind else {}
        for job in jobs:
            known = self._recorded.setdefault(job.run_id, [])
            known.extend(written.get(job.run_id, ())[len(known) : job.reached])
            record = RunRecord(runs[job.run_id])
            for report in known:
                record = record.after(report)
            self._records[job.run_id] = record
        self._cohort.add([runs[run_id] for run_id in unknown])

    def _save(self, new: list[EpochReport]) -> None:
        if new:
            changed = [self._records[i] for i in dict.fromkeys(report.run_id for report in new)]
            self._leases.save(self._member.token, new, changed)
            for report in new:
                self._recorded[report.run_id].append(report)
            new.clear()

    def _tidy(self, needed: Sequence[int]) -> None:
        """Forget the runs that are over or were given up."""
        if self._records and time.monotonic() - self._tidied >= TIDY_SECONDS:
            self._tidied = time.monotonic()
            over = [r.run.id for r in self._leases.runs(self._records) if r.state is not RunState.RUNNING]
            self._drop([run_id for run_id in over if run_id not in needed])

    def _begin_anew(self) -> None:
        """Forget all runs: others train some on, from checkpoints that a cohort would delete if it dropped them."""
        self._recorded: dict[int, list[EpochReport]] = {}
        self._records: dict[int, RunRecord] = {}
        self._cohort = self._judged(replay_cohort([], self._recorded, self._start))

    def _drop(self, run_ids: Sequence[int]) -> None:
        for run_id in run_ids:
            self._records.pop(run_id, None)
            self._recorded.pop(run_id, None)
        self._cohort.keep(self._records)
