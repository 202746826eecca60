"""The search: cohorts of trials that go on together, rung by rung, until the search's share of the budget is spent."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from autoopt.errors import StudyFailed
from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Purpose, Run, RunRecord, RunState
from autoopt.search.fidelity import (
    affordable_width,
    best_first,
    places_at_next_rung,
    rung_score,
    rungs_of,
    survivors,
)
from autoopt.search.journal import Journal
from autoopt.search.study import Study
from autoopt.training.cohort import Cohort, StartCohort

WIDTH = 9  # trials a cohort after the first, which tries every optimizer at two rates


@dataclass(frozen=True)
class Search:
    """What a search is made of.

    Attributes:
        study: proposes recipes.
        journal: writes down and remembers.
        start: trains.
        epochs: length of one complete training.
        seed: of every search run, so that luck with initial weights does not decide between recipes.
    """

    study: Study
    journal: Journal
    start: StartCohort
    epochs: int
    seed: int

    def run(self) -> None:
        """Spend the search's share of the budget.

        Raises:
            StudyFailed: all runs of a cohort failed, with the first cause.
        """
        number = 0
        while runs := self._next_cohort(number):
            self.journal.start(runs)
            self.journal.enter("search", f"cohort {number + 1}: {len(runs)} trials side by side")
            reports = self._train(self.start(runs), [run.id for run in runs])
            self.journal.save()
            for run in runs:
                self.study.tell(self.journal.records[run.id], _rung_scores(run, reports, self.journal))
            self._check_for_failure(runs)
            number += 1

    def _next_cohort(self, number: int) -> list[Run]:
        """Return the next cohort, from the journal if it was begun in an earlier sitting; [] at the end."""
        ledger = self.journal.ledger
        if written := self.journal.cohort(number):
            return written
        if ledger.time_to_confirm or ledger.trials_left < 1:
            return []
        widest = self.study.portfolio_size if number == 0 else WIDTH
        width = affordable_width(int(min(widest, ledger.trials_left)), self.epochs, ledger.left_for_search)
        first_id = self.journal.next_id
        trials = self.study.ask(ledger.trials, width)
        return [Run(first_id + k, trial.recipe, self.seed, self.epochs, Purpose.SEARCH, trial.number, number,
                    rungs_of(self.epochs)) for k, trial in enumerate(trials)]  # fmt: skip

    def _train(self, cohort: Cohort, run_ids: Collection[int]) -> dict[int, list[EpochReport]]:
        """Advance a cohort to its end, giving up on the worse two thirds at each rung."""
        seen: dict[int, list[EpochReport]] = {run_id: [] for run_id in run_ids}
        places, direction = len(run_ids), self.journal.direction
        while cohort.runs:
            latest: list[EpochReport] = []
            for report in cohort.advance():
                self.journal.add(report)
                latest.append(report)
                seen[report.run_id].append(report)
                if self.journal.time_is_up([run.id for run in cohort.runs]):
                    break
            alive = [run.id for run in cohort.runs]
            if self.journal.time_is_up(alive):
                cohort.keep([])
                self.journal.stop(alive, "the time was up")
            elif latest[0].epoch in rungs_of(self.epochs):
                places = places_at_next_rung(places)
                scores = {r.run_id: rung_score(r, direction) for r in latest if r.run_id in alive}
                kept = survivors(scores, places, direction)
                cohort.keep(kept)
                self.journal.stop([i for i in alive if i not in kept])
        return seen

    def _check_for_failure(self, runs: list[Run]) -> None:
        """Stop the study when not a single run of a cohort could be trained."""
        records = [self.journal.records[run.id] for run in runs]
        if all(record.state is RunState.FAILED for record in records):
            raise StudyFailed(f"every run failed, so the search stopped. The first cause: {records[0].note}")


def _rung_scores(run: Run, reports: Mapping[int, list[EpochReport]], journal: Journal) -> dict[int, float]:
    """Return the scores at the rungs that a run reached without diverging."""
    scores = {r.epoch: rung_score(r, journal.direction) for r in reports[run.id] if not r.over}
    if not scores:
        return {}
    last = max(scores)
    return {
        epoch: s for epoch, s in scores.items() if (epoch in run.rungs or epoch == last) and math.isfinite(s)
    }


def shortlist(journal: Journal, count: int) -> list[tuple[Recipe, float]]:
    """Return the best recipes of the search with their scores, best first, no recipe twice.

    Finished runs come first; when there are too few, those that were stopped follow, the longest trained first.
    """
    records: list[RunRecord] = [
        r for r in journal.of_purpose(Purpose.SEARCH)
        if r.score is not None and math.isfinite(r.score) and r.state in (RunState.FINISHED, RunState.STOPPED)
    ]  # fmt: skip
    chosen: dict[Recipe, float] = {}
    for epochs in sorted({r.epochs_done for r in records}, reverse=True):
        level = {r.run.id: r for r in records if r.epochs_done == epochs}
        for run_id in best_first(((r.score or 0.0, i) for i, r in level.items()), journal.direction):
            chosen.setdefault(level[run_id].run.recipe, level[run_id].score or 0.0)
    return list(chosen.items())[:count]
