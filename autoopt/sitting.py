"""A sitting: from where the journal of a study ends to a verdict, whether it is the first sitting or the last."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from autoopt.catalogue.own import entry_of
from autoopt.errors import StorageError, StorageFault, StudyFailed, UsageError
from autoopt.options import Options, study_space
from autoopt.recipe import Recipe
from autoopt.records.location import MEMORY, checkpoints_beside
from autoopt.records.margin import Margin
from autoopt.records.store import Store
from autoopt.run import Purpose, Run, RunRecord, RunState
from autoopt.search.budget import race
from autoopt.search.journal import Journal
from autoopt.search.loop import Search, shortlist
from autoopt.search.study import Study
from autoopt.subject import Subject
from autoopt.tasks.profile import TaskProfile
from autoopt.training.checkpoint_folder import LIMIT, CheckpointFolder
from autoopt.training.checkpoints import Checkpoints
from autoopt.training.cohort import Cohort
from autoopt.training.replay import replay_cohort
from autoopt.verdict.audit import Audit, audit_study, profile_from_dict
from autoopt.verdict.confirm import PlannedRun, drop_behind, gather_scores, plan_confirmation
from autoopt.verdict.reasons import find_cautions, find_symptoms, rule_reasons
from autoopt.verdict.recommend import recommend
from autoopt.verdict.recommendation import Recommendation, Spent
from autoopt.verdict.studied import StudiedRuns
from autoopt.versions import software_versions

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
            root, study, fingerprint=subject.fingerprint, direction=subject.direction, limit=limit
        )
    )


@dataclass(frozen=True)
class Sitting:
    """Search, confirm, recommend, and remember.

    Attributes:
        baseline: what the finalists must beat.
        journal: of the study; whatever it holds is not trained again.
        checkpoints: of its runs, which are deleted when it is done.
    """

    subject: Subject
    options: Options
    baseline: Recipe
    journal: Journal
    checkpoints: Checkpoints | None = None

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
            interrupted = self._train()
            recommendation = self._recommend(profile, interrupted)
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

    def _train(self) -> bool:
        """Search and confirm; return whether that was interrupted with something in hand."""
        try:
            study = self._search()
            with self._mirrored(study):
                self._confirm()
        except KeyboardInterrupt:
            self.journal.save()
            if not shortlist(self.journal, 1):
                raise
            return True
        return False

    def _start(self, runs: Sequence[Run]) -> Cohort:
        """Start a cohort: recorded epochs first, then training."""
        return replay_cohort(runs, self.journal.recorded, self.subject.start)

    def _search(self) -> Study:
        journal, epochs = self.journal, self.subject.epochs
        study = Study(study_space(self.subject, self.options), journal.direction, epochs, self.options.seed)
        with self._mirrored(study):
            Search(study, journal, self._start, epochs, self.options.seed * SEEDS_A_STUDY).run()
        return study

    @contextmanager
    def _mirrored(self, study: Study) -> Iterator[None]:
        """Mirror the trials at the end, whichever it is, unless it is the database that failed."""
        try:
            yield
        except StorageFault:
            raise
        except BaseException:
            self._mirror(study)
            raise
        self._mirror(study)

    def _mirror(self, study: Study) -> None:
        """Bring the trials to Optuna's tables; a finalist's value is the mean of what it scored on fresh seeds."""
        if (url := self.journal.store.url) == MEMORY:
            return
        confirmed = {recipe: gather_scores(recipe, self._fresh_runs).mean for recipe, _ in self._finalists}
        study.mirror(self.journal.study, url, {r: mean for r, mean in confirmed.items() if mean is not None})

    @property
    def _finalists(self) -> list[tuple[Recipe, float]]:
        count, _ = self.journal.ledger.budget.confirmation
        found = shortlist(self.journal, count + 1)
        return [(recipe, score) for recipe, score in found if recipe != self.baseline][:count]

    def _confirm(self) -> None:
        """Train the finalists and the baseline in full on seeds that the search never used.

        Seed by seed; after each some of the finalists drop out (``race``), the baseline never. Where every recipe of
        the search diverged, the baseline is confirmed alone, and will be the answer.
        """
        finalists = [recipe for recipe, _ in self._finalists]
        budget = self.journal.ledger.budget
        diverged = any(r.state is RunState.DIVERGED for r in self.journal.records.values())
        if not finalists and not (diverged and budget.compares):
            raise StudyFailed(f"no recipe could be trained to an end. {self._last_trouble()}")
        _, seeds = budget.confirmation
        rivals = [self.baseline] if budget.compares else []
        for k, places in enumerate(race(len(finalists), seeds), 1):
            so_far = [gather_scores(recipe, self._fresh_runs) for recipe in finalists]
            finalists = drop_behind(so_far, places, self.subject.direction)
            seed = self.options.seed * SEEDS_A_STUDY + k
            for plan in plan_confirmation([*rivals, *finalists], self.baseline, [seed]):
                self.journal.enter("confirm", f"seed {k} of {seeds}: {plan.recipe.optimizer}")
                if not self._train_alone(plan):
                    return

    @property
    def _fresh_runs(self) -> list[RunRecord]:
        return self.journal.of_purpose(Purpose.CONFIRM, Purpose.BASELINE)

    def _train_alone(self, plan: PlannedRun) -> bool:
        """Train one run to its end; return whether there is time for more."""
        journal = self.journal
        run = journal.written_run(plan.recipe, plan.seed) or Run(
            journal.next_id, plan.recipe, plan.seed, self.subject.epochs, plan.purpose
        )
        journal.start([run])
        cohort = self._start([run])
        while cohort.runs:
            for report in cohort.advance():
                journal.add(report)
            if journal.is_out_of_time(run.id):
                break
        journal.save()
        return not cohort.runs

    def _recommend(self, profile: TaskProfile, interrupted: bool) -> Recommendation:
        subject, journal, ledger = self.subject, self.journal, self.journal.ledger
        fresh = self._fresh_runs
        finalists = [gather_scores(recipe, fresh, score) for recipe, score in self._finalists]
        recommendation = recommend(
            study=journal.study, task=subject.name, objective=subject.objective, direction=subject.direction,
            epochs=subject.epochs, finalists=finalists, baseline=gather_scores(self.baseline, fresh), reasons=(),
            spent=Spent(ledger.search_runs, ledger.confirm_runs, ledger.seconds), versions=software_versions(),
        )  # fmt: skip
        audit = self._audit(profile, recommendation.recipe)
        searched = journal.of_purpose(Purpose.SEARCH)
        recipe = recommendation.recipe
        space = study_space(subject, self.options)
        entry = space.entry(recipe.optimizer) if recipe.optimizer in space.optimizers else entry_of(recipe)
        symptoms = find_symptoms(recipe, fresh, journal.recorded, subject.direction)
        reasons = (*rule_reasons(audit.findings), *find_cautions(recipe, entry, searched), *symptoms)
        notes = (*recommendation.notes, *subject.notes)
        return replace(recommendation, reasons=reasons, notes=notes, interrupted=interrupted, audit=audit)

    def _audit(self, profile: TaskProfile, chosen: Recipe) -> Audit:
        subject, journal = self.subject, self.journal
        records = tuple(journal.records.values())
        runs = StudiedRuns(records, journal.recorded, subject.objective, subject.direction, subject.epochs)
        return audit_study(runs, profile, chosen.optimizer)

    def _last_trouble(self) -> str:
        notes = [r.note for r in self.journal.records.values() if r.note]
        return (
            f"The last trouble: {notes[-1]}"
            if notes
            else "The budget or the time left no room for a complete training."
        )
