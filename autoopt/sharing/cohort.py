"""The cohort of the process that leads: it says what is to be trained, trains of it, and takes in what others train."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from autoopt.errors import StorageError
from autoopt.records.leases import INSIDE, STRUCK_OUT, Lease
from autoopt.run import EpochReport, Run
from autoopt.sharing.member import Member
from autoopt.training.cohort import StartCohort
from autoopt.training.replay import replay_cohort

LOOK_SECONDS = 0.5  # between two looks at what others have trained, while this process trains
SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.1  # seconds between two looks while it only waits


@dataclass(frozen=True)
class Part:
    """What the process that leads does beside leading.

    Attributes:
        trains: it trains as well; else it only waits for the others.
        struck: it also trains runs that have ended a process.
        most: runs that it trains at a time.
        check: called now and then while it waits; may raise.
        ahead: runs that are sure to be asked for later: other processes train them when they have nothing else to do.
    """

    trains: bool = True
    struck: bool = True
    most: int = 1
    check: Callable[[], None] = lambda: None
    ahead: Sequence[Run] = ()


class SharedCohort:
    """Runs that are trained by all processes that work on a study; see ``Cohort``.

    Args:
        member: this process, which leads.
        recorded: reports by run, as far as they are written down. What other processes write is added to it before
            it is given out; what is trained here, whoever takes it must write down and add.
        start: starts cohorts of this process.
        part: of this process in the training.
    """

    def __init__(
        self, member: Member, runs: Sequence[Run], recorded: dict[int, list[EpochReport]], start: StartCohort, *,
        part: Part | None = None,
    ) -> None:  # fmt: skip
        self._member, self._leases = member, member.leases
        self._recorded = recorded
        self._local = replay_cohort([], recorded, start)
        self._part = part or Part()
        self._going: dict[int, Run] = {}
        self._epoch: dict[int, int] = {}  # of each run, as far as it was given out
        self._here: set[int] = set()  # runs that were trained here
        self._leased: list[int] = []
        self.add(runs)

    @property
    def runs(self) -> Sequence[Run]:
        """The runs that can still go on."""
        return list(self._going.values())

    def add(self, runs: Sequence[Run]) -> None:
        """Let more runs join; they begin at their first epoch."""
        self._going |= {run.id: run for run in runs}
        self._epoch |= {run.id: 0 for run in runs}

    def keep(self, run_ids: Collection[int]) -> None:
        """Drop every run that is not named, and free what it held."""
        self._going = {run_id: run for run_id, run in self._going.items() if run_id in set(run_ids)}
        self._here &= set(self._going)
        self._local.keep(self._here)

    def advance(
        self, run_ids: Collection[int] | None = None, until: int | None = None
    ) -> Iterator[EpochReport]:
        """Train the named runs, or all, for one more epoch or until one, with all processes."""
        named = [run for run in self.runs if run_ids is None or run.id in run_ids]
        if until is not None:
            yield from self._train({run.id: min(until, run.epochs) for run in named})
            return
        found = {
            report.run_id: report
            for report in self._train({run.id: self._epoch[run.id] + 1 for run in named})
        }
        yield from (found[run.id] for run in named)

    def _train(self, ends: Mapping[int, int]) -> Iterator[EpochReport]:
        for run_id, end in ends.items():
            for report in list(self._recorded.get(run_id, ()))[self._epoch[run_id] : end]:
                yield self._given(report)
        goals = {
            i: (self._epoch[i], end) for i, end in ends.items() if i in self._going and self._epoch[i] < end
        }
        if not goals:
            return
        self._leases.publish(self._member.token, {**goals, **self._ahead(goals)})
        try:
            yield from self._until_all_are_there(goals)
        except BaseException:
            with suppress(StorageError):
                self._leases.publish(self._member.token, {})
            raise
        finally:
            self._leased = []  # what is published next is leased anew

    def _ahead(self, goals: Collection[int]) -> dict[int, tuple[int, int]]:
        """Return how far the runs are to be trained that will be asked for later, the least urgent last."""
        done = {run.id: len(self._recorded.get(run.id, ())) for run in self._part.ahead}
        return {
            run.id: (done[run.id], run.epochs)
            for run in self._part.ahead
            if run.id not in goals and run.id not in self._epoch and done[run.id] < run.epochs
        }

    def _until_all_are_there(self, goals: Mapping[int, tuple[int, int]]) -> Iterator[EpochReport]:
        part, pause, free = self._part, SHORTEST_PAUSE, True
        while left := [i for i, (_, end) in goals.items() if i in self._going and self._epoch[i] < end]:
            if part.trains and free:
                jobs = self._leases.claim(
                    self._member.token, self._here, done=self._leased, most=part.most, struck=part.struck,
                    among=goals,
                )  # fmt: skip
                self._leased = [job.run_id for job in jobs]
                if jobs:
                    yield from self._train_here(jobs, left)
                    continue
            state = self._leases.state()
            new = list(self._take_in(state, left))
            yield from new
            free = any(
                is_free(lease) and (part.struck or not lease.strikes)
                for lease in state.values()
                if lease.run_id in goals
            )
            part.check()
            if not new and not (part.trains and free):
                time.sleep(pause)
            pause = SHORTEST_PAUSE if new else min(2 * pause, LONGEST_PAUSE)

    def _train_here(self, jobs: Sequence[Lease], left: Sequence[int]) -> Iterator[EpochReport]:
        """Train runs that this process has leased; give out what others have trained as well, every now and then."""
        yield from self._take_in({job.run_id: job for job in jobs}, left)
        ids = [job.run_id for job in jobs if job.run_id in self._going]
        looked = time.monotonic()
        self._local.add([self._going[run_id] for run_id in ids if run_id not in self._here])
        self._here.update(ids)
        for report in self._local.advance(ids, max(job.until for job in jobs)):
            if report.epoch <= self._epoch[report.run_id]:
                continue
            yield self._given(report)
            if time.monotonic() - looked >= LOOK_SECONDS:
                looked = time.monotonic()
                yield from self._take_in(self._leases.state(), [i for i in left if i not in ids])

    def _take_in(self, state: Mapping[int, Lease], run_ids: Iterable[int]) -> Iterator[EpochReport]:
        """Give out what others have written down, and that a run has ended too many processes."""
        leases = [state[i] for i in run_ids if i in state and i in self._going]
        if behind := [lease.run_id for lease in leases if lease.reached > self._epoch[lease.run_id]]:
            written = self._member.store.reports(self._member.study, behind)
            for run_id in behind:
                for report in written.get(run_id, ())[self._epoch[run_id] :]:
                    if run_id in self._going:
                        self._write_down(report)
                        yield self._given(report)
        for lease in leases:
            if lease.strikes >= STRUCK_OUT and lease.owner is None and lease.run_id in self._going:
                yield self._given(_failed(lease, self._epoch[lease.run_id] + 1))

    def _write_down(self, report: EpochReport) -> None:
        known = self._recorded.setdefault(report.run_id, [])
        if report.epoch == len(known) + 1:
            known.append(report)

    def _given(self, report: EpochReport) -> EpochReport:
        run = self._going[report.run_id]
        self._epoch[run.id] = report.epoch
        if report.over or report.epoch >= run.epochs:
            del self._going[run.id]
            self._here.discard(run.id)
            self._local.keep(self._here)
        return report


def is_free(lease: Lease) -> bool:
    """Whether a run waits for somebody to train it."""
    return lease.owner is None and lease.reached < lease.until and lease.strikes < STRUCK_OUT


def _failed(lease: Lease, epoch: int) -> EpochReport:
    nan = math.nan
    times = "twice" if lease.strikes == 2 * INSIDE else "and so did others before"
    told = f"its process {lease.trouble}, {times}: the run was given up"
    return EpochReport(lease.run_id, epoch, nan, nan, nan, failure=told)
