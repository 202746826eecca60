"""Journal: everything that happens in a study, written down before anybody acts on it.

It holds the records of all runs, old and new, keeps the ledger, and tells the watcher. Since every decision of
a study follows from its seed and its reports, a study that was killed carries on by walking through its
journal again: what is written there is not trained a second time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence

from autoopt.progress import Phase, Progress, Watcher
from autoopt.recipe import Recipe
from autoopt.records.store import Store
from autoopt.run import Direction, EpochReport, Purpose, Run, RunRecord, RunState
from autoopt.search.budget import Ledger

PAUSE_SECONDS = 0.5
"""Between two savings within a cohort, and two messages to the watcher."""
END_PAUSE_SECONDS = 0.02
"""Between two savings because a run came to its end: it has no checkpoint of its last epochs, so a kill costs them."""


class Journal:
    """The memory of one study.

    Args:
        store, study: where it is kept.
        objective, direction: what the scores mean.
        ledger: charged for every epoch, recorded ones included.
        watch: called with a ``Progress`` after each report.
    """

    def __init__(
        self, store: Store, study: str, objective: str, direction: Direction, ledger: Ledger,
        watch: Watcher | None = None,
    ) -> None:  # fmt: skip
        self.store, self.study, self.objective, self.direction = store, study, objective, direction
        self.ledger, self._watch = ledger, watch
        self.recorded: dict[int, list[EpochReport]] = store.reports(study)
        self._old = {record.run.id: record for record in store.runs(study)}
        self._cohorts: dict[int, list[Run]] = {}
        for record in self._old.values():
            if record.run.purpose is Purpose.SEARCH:
                self._cohorts.setdefault(record.run.cohort, []).append(record.run)
        self.records: dict[int, RunRecord] = {}
        self.phase: Phase = "search"
        self.note = ""
        self._unsaved_reports: list[EpochReport] = []
        self._unsaved_records: dict[int, RunRecord] = {}
        self._saved_at = self._told_at = time.monotonic()

    def start(self, runs: Sequence[Run]) -> None:
        """Write down new runs; runs that are in the journal already are taken up again."""
        self.announce(runs)
        self.records |= {run.id: RunRecord(run) for run in runs}
        self.ledger.trials += sum(run.purpose is Purpose.SEARCH for run in runs)

    def announce(self, runs: Sequence[Run]) -> None:
        """Write down new runs that are to come, so that others can train them before they are started here."""
        new = [run for run in runs if run.id not in self._old]
        if new:
            self.store.save(self.study, runs=new)
        self._old |= {run.id: RunRecord(run) for run in new}

    def add(self, report: EpochReport) -> None:
        """Take a report; it is written down with others every now and then, and by ``save``."""
        record = self.records[report.run_id]
        self.records[report.run_id] = after = record.after(report)
        self.ledger.charge(record, report.epoch - record.epochs_done, report.seconds)
        if report.epoch > len(self.recorded.get(report.run_id, ())):
            self._unsaved_reports.append(report)
            self._unsaved_records[report.run_id] = after
        now = time.monotonic()
        pause = PAUSE_SECONDS if after.state is RunState.RUNNING else min(PAUSE_SECONDS, END_PAUSE_SECONDS)
        if now - self._saved_at >= pause:
            self.save()
        if now - self._told_at >= PAUSE_SECONDS:
            self._told_at = now
            self._tell()

    def stop(self, run_ids: Collection[int], note: str = "others did better") -> None:
        """Write down everything so far, and that the search gave up on these runs."""
        for run_id in run_ids:
            self.records[run_id] = self._unsaved_records[run_id] = self.records[run_id].stopped(note)
        self.save()

    def time_is_up(self, run_ids: Collection[int]) -> bool:
        """Whether training any of these runs further would cut into the time of the confirmation.

        Epochs that are written down cost no time, so walking through them never ends for want of it.
        """
        return self.ledger.time_to_confirm and any(map(self._is_new, run_ids))

    def is_out_of_time(self, run_id: int) -> bool:
        """Whether training this run further would exceed the time-out."""
        return self._is_new(run_id) and self.ledger.out_of_time

    def _is_new(self, run_id: int) -> bool:
        record = self.records[run_id]
        return record.state is RunState.RUNNING and record.epochs_done >= len(self.recorded.get(run_id, ()))

    def save(self) -> None:
        """Bring everything to the store, in one transaction."""
        changed = [r for r in self._unsaved_records.values() if r != self._old.get(r.run.id)]
        if self._unsaved_reports or changed:
            self.store.save(self.study, reports=self._unsaved_reports, records=changed)
            self._old |= {record.run.id: record for record in changed}
        for report in self._unsaved_reports:
            self.recorded.setdefault(report.run_id, []).append(report)
        self._unsaved_reports, self._unsaved_records = [], {}
        self._saved_at = time.monotonic()

    def cohort(self, number: int) -> list[Run]:
        """Return the search runs that an earlier sitting started together as this cohort, in order; [] if none."""
        return self._cohorts.get(number, [])

    def written_run(self, recipe: Recipe, seed: int) -> Run | None:
        """Return the confirming run of this recipe and seed if the journal has one."""
        runs = (r.run for r in self._old.values() if r.run.purpose is not Purpose.SEARCH)
        return next((run for run in runs if run.seed == seed and run.recipe == recipe), None)

    @property
    def next_id(self) -> int:
        """The id of the next new run."""
        return max(self._old, default=-1) + 1

    def of_purpose(self, *purposes: Purpose) -> list[RunRecord]:
        """Return the records of this sitting's walk, in order of asking."""
        return [record for record in self.records.values() if record.run.purpose in purposes]

    def enter(self, phase: Phase, note: str = "") -> None:
        """Begin a phase, and say so."""
        self.phase, self.note = phase, note
        self._tell()

    def _tell(self) -> None:
        if self._watch is None:
            return
        states = Counter(record.state for record in self.records.values())
        best: dict[str, float] = {}
        sign = 1 if self.direction == "minimize" else -1
        for record in self.of_purpose(Purpose.SEARCH):
            if record.score is not None and record.state is not RunState.DIVERGED:
                name = record.run.recipe.optimizer
                best[name] = min(best.get(name, sign * float("inf")), record.score, key=lambda s: sign * s)
        self._watch(
            Progress(
                study=self.study, phase=self.phase, objective=self.objective, direction=self.direction,
                spent_runs=self.ledger.search_runs + self.ledger.confirm_runs,
                budget_runs=self.ledger.budget.runs, seconds=self.ledger.seconds,
                seconds_left=self.ledger.seconds_left, best=best, finished=states[RunState.FINISHED],
                stopped=states[RunState.STOPPED], diverged=states[RunState.DIVERGED],
                failed=states[RunState.FAILED], running=states[RunState.RUNNING], note=self.note,
            )
        )  # fmt: skip
