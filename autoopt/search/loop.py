"""The search: waves of new trials, and the best of all trials so far taken further, until its share is spent."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from autoopt.errors import StudyFailed
from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Purpose, Run, RunRecord, RunState
from autoopt.search.fidelity import (
    affordable_width,
    best_first,
    looks_of,
    places_beyond,
    rung_score,
    rungs_of,
    wave_cost,
)
from autoopt.search.journal import Journal
from autoopt.search.study import Study, Trial
from autoopt.training.cohort import StartCohort

NEAR_RATES = 1.5  # rates within this factor are about the same
WIDTH = 9  # trials a wave after the first, which tries every optimizer at two rates


class Search:
    """Spends a study's share for searching.

    Every new trial is trained to the first rung and waits there. While rungs have room beyond them, the best of
    all runs that wait go on, from whichever wave they are; when there is none, a new wave is asked for.
    Successive halving without its rounds: Li et al., A System for Massively Parallel Hyperparameter Tuning, 2020.

    Args:
        study: proposes recipes.
        journal: writes down and remembers.
        start: trains.
        epochs: length of one complete training.
        seed: of every search run, so that luck with initial weights does not decide between recipes.
    """

    def __init__(self, study: Study, journal: Journal, start: StartCohort, epochs: int, seed: int) -> None:
        self._study, self._journal = study, journal
        self._cohort = start([])
        self._epochs, self._seed = epochs, seed
        self._ends = looks_of(epochs)
        self._scores: dict[int, dict[int, float]] = {end: {} for end in self._ends}
        self._waves = 0

    def run(self) -> None:
        """Search until the share is spent or the time is up.

        Raises:
            StudyFailed: all runs of a wave failed, with the first cause.
        """
        while self._climb() or self._promote() or self._widen():
            pass
        self._take_up()
        while self._promote(beyond_places=True):
            pass
        self._stop([run.id for run in self._cohort.runs], "others did better")

    def _take_up(self) -> None:
        """Go through what an earlier sitting with a smaller budget trained further than this one would have."""
        for run in list(self._cohort.runs):
            self._train([run.id], min(len(self._journal.recorded.get(run.id, ())), run.epochs))

    def _climb(self) -> bool:
        """Look at further rates, where the first ones were all too low or too high; return whether there were any."""
        ledger = self._journal.ledger
        choices: list[Mapping[str, Any]] = []
        for choice in self._study.climb():
            wave = [*choices, choice]
            cost = sum(map(self._study.price, wave)) / len(wave) * wave_cost(len(wave), self._epochs)
            if cost <= ledger.left_for_search + 1e-9 and len(wave) <= ledger.trials_left:
                choices = wave
        return bool(choices) and not ledger.time_to_confirm and self._widen(choices)

    def _widen(self, choices: Sequence[Mapping[str, Any]] = ()) -> bool:
        """Train a new wave to the first rung; return whether there was budget and time for one.

        Args:
            choices: of its trials; what the study proposes if there are none.
        """
        runs = self._journal.cohort(self._waves)
        if runs:  # an earlier sitting began it
            for run in runs:
                self._study.adopt(run.recipe)
        else:
            runs = self._runs_of([self._study.take(choice) for choice in choices] or self._new_wave())
        if not runs:
            return False
        self._journal.start(runs)
        self._cohort.add(runs)
        self._waves += 1
        self._journal.enter("search", f"wave {self._waves}: {len(runs)} new trials")
        self._train([run.id for run in runs], self._ends[0])
        self._check_for_failure(runs)
        return True

    def _new_wave(self) -> list[Trial]:
        ledger = self._journal.ledger
        if ledger.time_to_confirm or ledger.trials_left < 1:
            return []
        widest = self._study.portfolio_size if self._waves == 0 else WIDTH
        width = affordable_width(int(min(widest, ledger.trials_left)), self._epochs, ledger.left_for_search)
        looks_only = (
            not width and not self._cohort.runs
        )  # every run ended by itself, and the rest buys no more
        if looks_only:
            looks = math.floor(ledger.left_for_search * self._epochs / self._ends[0] + 1e-9)
            width = int(min(looks, widest, ledger.trials_left))
        trials: list[Trial] = []
        while len(trials) < width:
            most = self._affordable_price(trials, looks_only=looks_only)
            if (trial := self._study.ask(most)) is None:
                break
            trials.append(trial)
        return trials

    def _runs_of(self, trials: Sequence[Trial]) -> list[Run]:
        return [Run(self._journal.next_id + k, trial.recipe, self._seed, self._epochs, Purpose.SEARCH, trial.number,
                    self._waves, rungs_of(self._epochs)) for k, trial in enumerate(trials)]  # fmt: skip

    def _affordable_price(self, trials: Sequence[Trial], *, looks_only: bool) -> float:
        """Return what one more trial of a wave may cost at most, where an ordinary one costs 1."""
        ledger, count = self._journal.ledger, len(trials) + 1
        if not ledger.costs or (count == 1 and self._waves == 0):  # without a single trial there is no answer
            return math.inf
        each = self._ends[0] / self._epochs if looks_only else wave_cost(count, self._epochs) / count
        return ledger.left_for_search / each + 1e-9 - sum(ledger.price(trial.recipe) for trial in trials)

    def _promote(self, *, beyond_places: bool = False) -> bool:
        """Take the best waiting runs to their next rung, from the highest rung down; return whether any went.

        Args:
            beyond_places: let one more go on though its rung has no place: what is left buys nothing better.
        """
        for rung, end in reversed(list(zip(self._ends, self._ends[1:], strict=False))):
            reached = self._scores[rung]
            waiting = [run.id for run in self._cohort.runs
                       if run.id in reached and self._records[run.id].epochs_done == rung]  # fmt: skip
            gone = sum(self._records[i].epochs_done > rung for i in reached)
            places = 1 if beyond_places else places_beyond(len(reached)) - gone
            room = self._journal.ledger.left_for_search * self._epochs / (end - rung) + 1e-9
            affordable = [i for i in waiting if self._price(i) <= room]
            chosen = self._best(affordable, min(places, len(affordable)), room)
            if chosen and not self._journal.time_is_up(chosen):
                self._journal.enter("search", f"{len(chosen)} of the best to epoch {end} of {self._epochs}")
                self._train(chosen, end)
                return True
        return False

    def _best(self, run_ids: Sequence[int], places: int, room: float) -> list[int]:
        """Return the best of waiting runs, as many as there are places; whoever there is no room for is passed by."""
        chosen: list[int] = []
        for run_id in self._study.rank([self._records[i].run for i in run_ids]) if places > 0 else ():
            if len(chosen) < places and (price := self._price(run_id)) <= room:
                chosen.append(run_id)
                room -= price
        return chosen

    def _price(self, run_id: int) -> float:
        return self._journal.ledger.price(self._records[run_id].run.recipe)

    def _train(self, run_ids: Collection[int], end: int) -> None:
        """Train waiting runs up to an epoch; those that the time does not suffice for are given up."""
        going = [i for i in run_ids if self._is_waiting_before(i, end)]
        reports: list[EpochReport] = []
        try:
            for report in self._cohort.advance(going, end):
                self._journal.add(report)
                reports.append(report)
                going = [i for i in going if self._is_waiting_before(i, end)]
                if self._journal.time_is_up(going):
                    break
        finally:  # in an order that says nothing of who trained what, and how fast
            for report in sorted(reports, key=lambda report: (report.epoch, report.run_id)):
                self._tell(report)
        self._stop(going, "the time was up")

    def _tell(self, report: EpochReport) -> None:
        """Tell the study what a report says."""
        record = self._records[report.run_id]
        score = rung_score(report, self._journal.direction)
        if report.epoch in self._scores and not report.over and math.isfinite(score):
            self._scores[report.epoch][report.run_id] = score
            self._study.report(record.run, report.epoch, score)
        if record.state is not RunState.RUNNING and report.epoch == record.epochs_done:
            self._study.tell(record)

    def _stop(self, run_ids: Collection[int], note: str) -> None:
        """Give up runs; the others go on."""
        self._journal.stop(run_ids, note)
        for run_id in run_ids:
            self._study.tell(self._records[run_id])
        self._cohort.keep([run.id for run in self._cohort.runs if run.id not in run_ids])

    def _is_waiting_before(self, run_id: int, end: int) -> bool:
        record = self._records[run_id]
        return record.state is RunState.RUNNING and record.epochs_done < end

    @property
    def _records(self) -> dict[int, RunRecord]:
        return self._journal.records

    def _check_for_failure(self, runs: Sequence[Run]) -> None:
        """Stop the study when not a single run of a wave could be trained."""
        records = [self._records[run.id] for run in runs]
        if all(record.state is RunState.FAILED for record in records):
            raise StudyFailed(f"every run failed, so the search stopped. The first cause: {records[0].note}")


def shortlist(journal: Journal, count: int | None = None) -> list[tuple[Recipe, float]]:
    """Return the best recipes of the search with their scores, best first, no two of them nearly the same.

    Those that were trained longest come first; when there are too few, the others follow. Of two near recipes the
    worse one would be a second ticket for the same draw; it comes in where nothing else is left.
    """
    records: list[RunRecord] = [
        r for r in journal.of_purpose(Purpose.SEARCH)
        if r.score is not None and math.isfinite(r.score) and r.state in (RunState.FINISHED, RunState.STOPPED)
    ]  # fmt: skip
    found: dict[Recipe, float] = {}
    for epochs in sorted({r.epochs_done for r in records}, reverse=True):
        level = {r.run.id: r for r in records if r.epochs_done == epochs}
        scores = {run_id: _look_at(journal, record) for run_id, record in level.items()}
        for run_id in best_first(((score, i) for i, score in scores.items()), journal.direction):
            found.setdefault(level[run_id].run.recipe, scores[run_id])
    chosen: list[Recipe] = []
    for recipe in found:
        if not any(_is_near(recipe, other) for other in chosen):
            chosen.append(recipe)
    chosen += [recipe for recipe in found if recipe not in chosen]
    return [(recipe, found[recipe]) for recipe in chosen[:count]]


def _look_at(journal: Journal, record: RunRecord) -> float:
    """Return the score that a run was judged by: with its averaged weights, where these are better."""
    reports = journal.recorded.get(record.run.id, ())
    if record.state is RunState.FINISHED or len(reports) < record.epochs_done:
        return record.score or 0.0
    return rung_score(reports[record.epochs_done - 1], journal.direction)


def _is_near(one: Recipe, other: Recipe) -> bool:
    """Whether two recipes differ in details only: same optimizer, schedule and batch, and about the same rate."""
    if (one.optimizer, one.schedule, one.batch_size) != (other.optimizer, other.schedule, other.batch_size):
        return False
    rates = [recipe.settings.get("lr") for recipe in (one, other)]
    if not all(isinstance(rate, int | float) and rate > 0 for rate in rates):
        return rates[0] == rates[1]
    return abs(math.log(float(rates[0]) / float(rates[1]))) < math.log(NEAR_RATES)  # type: ignore[arg-type]
