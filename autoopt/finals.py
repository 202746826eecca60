"""The confirmation of a study: finalists and the baseline trained completely on fresh seeds, the worse dropping out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from autoopt.errors import StudyFailed
from autoopt.recipe import Recipe
from autoopt.run import Purpose, Run, RunRecord, RunState
from autoopt.search.budget import affordable, fits, picked_by_search, race
from autoopt.search.journal import Journal
from autoopt.search.loop import shortlist
from autoopt.subject import Subject
from autoopt.training.cohort import Cohort
from autoopt.verdict.confirm import Confirmation, drop_behind, gather_scores, plan_confirmation
from autoopt.verdict.to_target import tell_target


class Adviser(Protocol):
    """Says what else to train completely; ``search.study.Study`` does."""

    def confirm(self, recipe: Recipe, score: float | None) -> None:
        """Take note of a complete training on a fresh seed; ``None`` where it came to nothing."""

    def further(self, most: float) -> Recipe:
        """Return what to train completely next, which costs at most so many ordinary trainings if there is such."""


class Finals:
    """Trains the finalists and the baseline in full on seeds that the search never used.

    Seed by seed; after each some of the finalists drop out (``race``), the baseline never. Where there are many, only
    some are picked by the search: what these do on the first seed tells which others may be worth it.

    Args:
        start: starts a cohort, recorded epochs first.
        last_seed: before the fresh ones, which are counted from it.
        tell: is told of runs that are sure to be trained later, for processes that have nothing else to do.

    Attributes:
        finalists: with what the search saw of them (``None`` for those that it did not), the baseline left out; the
            best of the search before any was trained.
        cut_short: the time was up before everybody was trained.
    """

    def __init__(
        self, subject: Subject, baseline: Recipe, journal: Journal, start: Callable[[Sequence[Run]], Cohort],
        last_seed: int, tell: Callable[[Sequence[Run]], None] | None = None,
    ) -> None:  # fmt: skip
        self._subject, self._baseline, self._journal, self._start = subject, baseline, journal, start
        self._last_seed, self._tell = last_seed, tell
        self._picked: Sequence[Recipe] = ()
        self.cut_short = False

    @property
    def finalists(self) -> list[tuple[Recipe, float | None]]:
        """See the attributes."""
        seen: dict[Recipe, float | None] = dict(shortlist(self._journal))
        return [(recipe, seen.get(recipe)) for recipe in self._picked or self._affordable[0]]

    @property
    def _affordable(self) -> tuple[list[Recipe], int]:
        """The best of the search that there is room to confirm, and on how many seeds."""
        ledger = self._journal.ledger
        rivals = [recipe for recipe, _ in shortlist(self._journal) if recipe != self._baseline]
        places, seeds = affordable(list(map(ledger.price, rivals)), *ledger.budget.confirmation)
        return [rivals[place] for place in places], seeds

    @property
    def runs(self) -> list[RunRecord]:
        """What was trained on fresh seeds so far."""
        return self._journal.of_purpose(Purpose.CONFIRM, Purpose.BASELINE)

    def confirmation(self, recipe: Recipe, search_score: float | None = None) -> Confirmation:
        """Return what the trainings of a recipe on fresh seeds gave so far."""
        found = gather_scores(recipe, self.runs, search_score)
        if (target := self._subject.target) is None:
            return found
        return tell_target(found, target, self.runs, self._journal.recorded)

    def begin(self) -> None:
        """Say before the search which trainings are to come whatever it finds: the baseline's, on every seed."""
        ledger = self._journal.ledger
        if ledger.budget.compares and not ledger.costs:  # what costs more may leave room for fewer seeds
            self._tell_ahead([self._baseline], 1, ledger.budget.confirmation[1])

    def hold(self, adviser: Adviser) -> None:
        """Train what the budget is for, or as much as the time allows.

        Where every recipe of the search diverged, the baseline is confirmed alone, and will be the answer.

        Raises:
            StudyFailed: there is nothing to confirm.
        """
        listed = [recipe for recipe, _ in self.finalists]
        budget = self._journal.ledger.budget
        diverged = any(r.state is RunState.DIVERGED for r in self._journal.records.values())
        if not listed and not (diverged and budget.compares):
            raise StudyFailed(f"no recipe could be trained to an end. {self._last_trouble()}")
        _, seeds = self._affordable
        rivals = [self._baseline] if budget.compares else []
        later = race(len(listed), seeds)[1:]
        if not self._train_first(rivals, listed, adviser, f"seed 1 of {seeds}", later):
            self.cut_short = True
            return
        going = self._picked
        for k, places in enumerate(later, 2):
            so_far = [self.confirmation(recipe) for recipe in going]
            going = drop_behind(so_far, places, self._subject.direction)
            if not self._train([*rivals, *going], k, f"seed {k} of {seeds}"):
                self.cut_short = True
                return

    def _train_first(
        self, rivals: Sequence[Recipe], listed: Sequence[Recipe], adviser: Adviser, note: str,
        later: Sequence[int],
    ) -> bool:  # fmt: skip
        """Train everybody on the first seed, and pick finalists on the way; return whether there is time for more."""
        self._picked = new = listed[: picked_by_search(len(listed))]
        if not self._train([*rivals, *new], 1, note):
            return False
        while len(self._picked) < len(listed):
            # whoever would go on even if all that are still to come were better
            sure = max(0, later[0] - (len(listed) - len(self._picked))) if later else 0
            so_far = [self.confirmation(recipe) for recipe in self._picked]
            self._tell_ahead(drop_behind(so_far, sure, self._subject.direction), 2, 2)
            for recipe in new:
                adviser.confirm(recipe, gather_scores(recipe, self.runs).mean)
            most = self._most_for_one_more()
            new = [adviser.further(most)]
            if new[0] in (*self._picked, self._baseline) or self._journal.ledger.price(new[0]) > most:
                break
            self._picked = [*self._picked, *new]
            if not self._train(new, 1, note):
                return False
        return True

    def _most_for_one_more(self) -> float:
        """Return what a training of one more finalist may cost, those that are picked going on."""
        ledger = self._journal.ledger
        prices, planned = list(map(ledger.price, self._picked)), ledger.budget.confirmation
        return max((c for c in (1.0, *ledger.costs.values()) if fits([*prices, c], *planned)), default=0.0)

    def _train(self, recipes: Sequence[Recipe], k: int, note: str) -> bool:
        """Train recipes to the end on the k-th fresh seed, side by side; return whether there is time for more."""
        journal, seed = self._journal, self._last_seed + k
        journal.enter("confirm", f"{note}: {', '.join(dict.fromkeys(r.optimizer for r in recipes))}")
        runs = self._runs_of(recipes, [seed])
        journal.start(runs)
        cohort = self._start(runs)
        for run in runs:  # what an earlier sitting has trained costs no time
            for report in cohort.advance([run.id], len(journal.recorded.get(run.id, ()))):
                journal.add(report)
        if not any(journal.is_out_of_time(run.id) for run in runs):
            for report in cohort.advance(until=self._subject.epochs):
                journal.add(report)
                if any(journal.is_out_of_time(run.id) for run in runs):
                    break
        journal.save()
        return not cohort.runs

    def _runs_of(self, recipes: Sequence[Recipe], seeds: Sequence[int]) -> list[Run]:
        """Return the runs of recipes on fresh seeds: those that are written down, else new ones."""
        runs: list[Run] = []
        number = self._journal.next_id
        for plan in plan_confirmation(recipes, self._baseline, seeds):
            run = self._journal.written_run(plan.recipe, plan.seed)
            runs.append(run or Run(number, plan.recipe, plan.seed, self._subject.epochs, plan.purpose))
            number += run is None
        return runs

    def _tell_ahead(self, recipes: Sequence[Recipe], first: int, last: int) -> None:
        """Tell whoever has nothing to do of trainings that are to come, unless the time may be short."""
        if self._tell is not None and self._journal.ledger.budget.seconds is None and recipes:
            runs = self._runs_of(recipes, range(self._last_seed + first, self._last_seed + last + 1))
            self._journal.announce(runs)
            self._tell(runs)

    def _last_trouble(self) -> str:
        notes = [r.note for r in self._journal.records.values() if r.note]
        return (
            f"The last trouble: {notes[-1]}"
            if notes
            else "The budget or the time left no room for a complete training."
        )
