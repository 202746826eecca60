"""A sitting: from where the journal of a study ends to a verdict, whether it is the first sitting or the last."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from autoopt.catalogue.own import entry_of
from autoopt.errors import StorageError, StorageFault, UsageError
from autoopt.finals import Finals
from autoopt.options import Options, study_space
from autoopt.recipe import Recipe
from autoopt.records.location import MEMORY, checkpoints_beside
from autoopt.records.margin import Margin
from autoopt.records.store import Store
from autoopt.run import Direction, EpochReport, Purpose, Run
from autoopt.search.journal import Journal
from autoopt.search.loop import Search, shortlist
from autoopt.search.study import Study
from autoopt.subject import Subject
from autoopt.tasks.profile import TaskProfile
from autoopt.training.checkpoint_folder import LIMIT, CheckpointFolder
from autoopt.training.checkpoints import Checkpoints
from autoopt.training.cohort import Cohort, StartCohort
from autoopt.training.replay import replay_cohort
from autoopt.verdict.audit import audit_study, profile_from_dict
from autoopt.verdict.confirm import gather_scores
from autoopt.verdict.pareto import find_pareto
from autoopt.verdict.reasons import find_cautions, find_symptoms, rule_reasons
from autoopt.verdict.recommend import recommend
from autoopt.verdict.recommendation import Recommendation, Spent
from autoopt.verdict.studied import StudiedRuns
from autoopt.verdict.to_target import target_notes
from autoopt.versions import software_versions

TIME_WAS_UP = (
    "The time was up before the confirmation was done, so this is less sure than was planned. Without --timeout, or "
    "with a longer one, the same study is confirmed to the end."
)
SEEDS_A_STUDY = 1000  # study seed s trains with seeds 1000·s (search) and 1000·s + 1, + 2, … (confirmation)


def open_checkpoints(
    folder: str | os.PathLike[str] | None, gigabytes: float | None, store: Store, study: str, subject: Subject
) -> Checkpoints | None:
    """Return what writes down where the runs of a study stand; ``None`` where nothing is to be written.

    Args:
        folder: of all studies; ``none`` for no checkpoints, ``None`` for a folder beside a SQLite file.
        gigabytes: that everything in it may take, 2 by default.

    Raises:
        UsageError: there is no such room.
    """
    if gigabytes is not None and not gigabytes > 0:
        raise UsageError(
            f"the checkpoint limit is {gigabytes} GB: it must be above 0; --checkpoints none writes none"
        )
    root = checkpoints_beside(store.url) if folder is None else Path(folder).expanduser().absolute()
    if root is None or folder == "none":
        return None
    limit = LIMIT if gigabytes is None else int(min(gigabytes, 1e9) * 1e9)
    return Checkpoints(
        CheckpointFolder(
            root,
            study,
            fingerprint=subject.fingerprint,
            direction=(subject.target or subject).direction,
            limit=limit,
        )
    )


@dataclass(frozen=True)
class Sitting:
    """Search, confirm, recommend, and remember.

    Attributes:
        baseline: what the finalists must beat.
        journal: of the study; whatever it holds is not trained again.
        checkpoints: of its runs, which are deleted when it is done.
        door: starts a cohort of runs, given what the journal holds of them and what trains.
        tell: as for ``Finals``.
    """

    subject: Subject
    options: Options
    baseline: Recipe
    journal: Journal
    checkpoints: Checkpoints | None = None
    door: Callable[[Sequence[Run], dict[int, list[EpochReport]], StartCohort], Cohort] = replay_cohort
    tell: Callable[[Sequence[Run]], None] | None = None

    def hold(self) -> Recommendation:
        """Return the verdict; an interruption goes straight to what can be recommended.

        Raises:
            StudyFailed: every run failed.
            KeyboardInterrupt: interrupted before anything could be recommended.
        """
        store, name = self.journal.store, self.journal.study
        store.update_study(name, state="running")
        ledger = self.journal.ledger
        Margin(store).begin_sitting(name, asdict(ledger.budget), ledger.seconds_before)
        try:
            profile = self._profile()  # first: it runs the user's code, and a verdict must not wait on that
            finals = Finals(
                self.subject, self.baseline, self.journal, self._start, self._search_seed, self.tell
            )
            interrupted = self._train(finals)
            recommendation = self._recommend(profile, finals, interrupted)
            store.save_verdict(name, recommendation.to_dict())
            store.update_study(name, state="interrupted" if interrupted else "done")
        except BaseException as error:
            with suppress(StorageError):  # the cause matters more than what cannot be written of it
                stopped = isinstance(error, KeyboardInterrupt)
                store.update_study(name, state="interrupted" if stopped else "failed")
            raise
        if self.checkpoints is not None and not interrupted:
            self.checkpoints.clear()
        self.journal.enter("done")
        return recommendation

    def _profile(self) -> TaskProfile:
        """Return the task's profile: that of an earlier sitting, where one was kept, else measured now."""
        document = self.journal.store.verdict(self.journal.study) or {}
        kept = (document.get("audit") or {}).get("profile", {})
        if set(kept) == {field.name for field in fields(TaskProfile)}:
            return profile_from_dict(kept)
        return self.subject.profile()

    def _train(self, finals: Finals) -> bool:
        """Search and confirm; return whether that was interrupted with something in hand."""
        ledger = self.journal.ledger
        study = Study(study_space(self.subject, self.options), self.journal.direction, self.subject.epochs,
                      self.options.seed, costs=ledger.costs, room=ledger.left_for_search)  # fmt: skip
        try:
            with self._mirrored(study, finals):
                finals.begin()
                Search(study, self.journal, self._start, self.subject.epochs, self._search_seed).run()
                finals.hold(study)
        except KeyboardInterrupt:
            self.journal.save()
            if not finals.finalists:
                raise
            return True
        return False

    @property
    def _search_seed(self) -> int:
        return self.options.seed * SEEDS_A_STUDY

    def _start(self, runs: Sequence[Run]) -> Cohort:
        """Start a cohort: recorded epochs first, then training."""
        return self.subject.judged(self.door(runs, self.journal.recorded, self.subject.start))

    @contextmanager
    def _mirrored(self, study: Study, finals: Finals) -> Iterator[None]:
        """Mirror the trials at the end, whichever it is, unless it is the database that failed."""
        try:
            yield
        except StorageFault:
            raise
        except BaseException:
            self._mirror(study, finals)
            raise
        self._mirror(study, finals)

    def _mirror(self, study: Study, finals: Finals) -> None:
        """Bring the trials to Optuna's tables; a finalist's value is the mean of what it scored on fresh seeds."""
        if (url := self.journal.store.url) == MEMORY:
            return
        confirmed = {recipe: gather_scores(recipe, finals.runs).mean for recipe, _ in finals.finalists}
        study.mirror(self.journal.study, url, {r: mean for r, mean in confirmed.items() if mean is not None})

    def _recommend(self, profile: TaskProfile, finals: Finals, interrupted: bool) -> Recommendation:
        subject, journal, ledger = self.subject, self.journal, self.journal.ledger
        fresh = finals.runs
        finalists = [finals.confirmation(recipe, score) for recipe, score in finals.finalists]
        baseline = finals.confirmation(self.baseline)
        recommendation = recommend(
            study=journal.study, task=subject.name, objective=subject.objective, direction=subject.direction,
            epochs=subject.epochs, finalists=finalists, baseline=baseline, reasons=(),
            spent=Spent(ledger.search_runs, ledger.confirm_runs, ledger.seconds), versions=software_versions(),
            costs=ledger.costs,
        )  # fmt: skip
        runs = self._studied_runs()
        audit = audit_study(runs, profile, recommendation.recipe.optimizer)
        searched = journal.of_purpose(Purpose.SEARCH)
        recipe = recommendation.recipe
        space = study_space(subject, self.options)
        entry = space.entry(recipe.optimizer) if recipe.optimizer in space.optimizers else entry_of(recipe)
        symptoms = find_symptoms(recipe, fresh, *self._epochs_as_measured())
        reasons = (*rule_reasons(audit.findings), *find_cautions(recipe, entry, searched), *symptoms)
        notes = (*recommendation.notes, *self._cost_notes(finals), *subject.notes)
        if finals.cut_short:
            notes = (TIME_WAS_UP, *notes)
        if subject.target is not None:
            others = recommendation.runners_up
            told = target_notes(subject.target, recommendation.chosen, baseline, others, subject.epochs)
            notes = (*told, *notes)
        return replace(recommendation, reasons=reasons, notes=notes, interrupted=interrupted, audit=audit,
                       cut_short=finals.cut_short, target=subject.target,
                       pareto=find_pareto(runs, profile))  # fmt: skip

    def _epochs_as_measured(self) -> tuple[Mapping[int, Sequence[EpochReport]], Direction]:
        """The epochs by run with the scores that the task itself has, and which way these are better."""
        target, recorded = self.subject.target, self.journal.recorded
        if target is None:
            return recorded, self.subject.direction
        return {run_id: target.seen_through(each) for run_id, each in recorded.items()}, target.direction

    def _cost_notes(self, finals: Finals) -> Iterator[str]:
        """Yield whom the budget had no room to confirm, and what could not be charged."""
        ledger, space = self.journal.ledger, study_space(self.subject, self.options)
        names = {recipe.optimizer for recipe, _ in finals.finalists}
        best = next((recipe for recipe, _ in shortlist(self.journal)), None)
        if best is not None and ledger.price(best) > 1 and best.optimizer not in names:
            yield (
                f"{space.entry(best.optimizer).title} led the search, but the budget had no room to confirm it: one "
                f"training of it costs {ledger.price(best):g}. A larger budget confirms it."
            )
        if self.subject.measure_costs is None:
            entries = [space.entry(name) for name in space.optimizers]
            if timed := [entry.title for entry in entries if entry.may_cost_more]:
                yield (
                    f"{', '.join(timed)} may take longer for an epoch than the baseline. In a loop of your own that is "
                    "not measured, so every epoch was charged alike: compare the seconds."
                )

    def _studied_runs(self) -> StudiedRuns:
        subject, journal = self.subject, self.journal
        records = tuple(journal.records.values())
        return StudiedRuns(records, journal.recorded, subject.objective, subject.direction, subject.epochs)
