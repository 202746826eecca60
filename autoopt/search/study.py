"""Study: ask for trials and tell their results, over an Optuna study that stays readable by Optuna's own tools."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from autoopt.errors import StorageError
from autoopt.recipe import Recipe
from autoopt.records.engine import secured_storage
from autoopt.run import Direction, RunRecord, RunState
from autoopt.search.samplers import PortfolioSampler
from autoopt.space.build import SearchSpace
from autoopt.space.choose import reference_choices, suggest

FIRST_RATES = (1.0, 4.0)  # multiples of an optimizer's reference rate


@dataclass(frozen=True)
class Trial:
    """A recipe to try, with the number that Optuna knows it by."""

    number: int
    recipe: Recipe


class Study:
    """Proposes recipes from a space and learns from what became of them."""

    def __init__(self, study: optuna.Study, storage: BaseStorage, space: SearchSpace, seed: int) -> None:
        self._study = study
        self._storage = storage
        self._space = space
        portfolio = first_choices(space)
        self._sampler = PortfolioSampler(portfolio, seed)
        self.portfolio_size = len(portfolio)
        study.sampler = self._sampler
        self._told = {trial.number for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()}

    @classmethod
    def open(
        cls,
        name: str,
        space: SearchSpace,
        *,
        storage: str | None,
        direction: Direction,
        seed: int,
        recorded: Collection[int] = (),
    ) -> Study:
        """Open the study of that name, or create it.

        Args:
            storage: URL of the database, or ``None`` to keep it in memory.
            recorded: trial numbers whose runs were written down; any other that still runs was lost in a crash
                between asking and recording, and is closed as failed.
        """
        back_end = _open_storage(storage)
        with quiet():
            study = optuna.create_study(
                study_name=name, storage=back_end, direction=direction, load_if_exists=True
            )
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if trial.number not in recorded:
                study.tell(trial.number, state=TrialState.FAIL)
        return cls(study, back_end, space, seed)

    def ask(self, first: int, count: int) -> list[Trial]:
        """Return ``count`` new trials, proposals number ``first`` and following of this study."""
        return [self._ask_one(first + k) for k in range(count)]

    def _ask_one(self, index: int) -> Trial:
        self._sampler.begin(index)
        with self._alone():
            trial = self._study.ask()
            recipe = suggest(self._space, trial)
            trial.set_user_attr("recipe", str(recipe))
        return Trial(trial.number, recipe)

    def tell(self, record: RunRecord, rung_scores: dict[int, float]) -> None:
        """Tell what became of a trial; telling twice changes nothing.

        A diverged run is told as pruned with a finite value worse than all seen: Optuna's samplers ignore
        failed trials, and would walk into the same divergence for ever.

        Raises:
            StorageError: another process closed the trial meanwhile.
        """
        with self._alone():
            self._tell(record, rung_scores)

    def _tell(self, record: RunRecord, rung_scores: dict[int, float]) -> None:
        number = record.run.trial
        if number is None or number in self._told:
            return
        self._told.add(number)
        if record.state is RunState.FAILED:
            self._study.tell(number, state=TrialState.FAIL)
            return
        if record.state is RunState.FINISHED and record.score is not None:
            self._report(number, {**rung_scores, record.epochs_done: record.score})
            self._study.tell(number, record.score, state=TrialState.COMPLETE)
            return
        if record.state is RunState.DIVERGED or not rung_scores:
            rung_scores = {max(1, record.epochs_done): self._worse_than_all()}
            self._storage.set_trial_user_attr(self._id(number), "diverged", True)
        self._report(number, rung_scores)
        self._study.tell(number, state=TrialState.PRUNED)

    def _report(self, number: int, scores: dict[int, float]) -> None:
        for epoch, score in scores.items():
            if math.isfinite(score):
                self._storage.set_trial_intermediate_value(self._id(number), epoch, score)

    def _id(self, number: int) -> int:
        study_id = self._storage.get_study_id_from_name(self._study.study_name)
        return self._storage.get_trial_id_from_study_id_trial_number(study_id, number)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Say what it means when a trial of ours was closed by somebody else."""
        try:
            yield
        except UpdateFinishedTrialError as error:
            raise StorageError(
                f"study {self._study.study_name!r} was changed meanwhile: is another process at work on it? End "
                "that one, or let it end, and start again; nothing that was saved is lost"
            ) from error

    def _worse_than_all(self) -> float:
        """Return a finite value as far beyond the worst score as the worst is from the best."""
        sign = -1 if self._study.direction is StudyDirection.MAXIMIZE else 1
        values = [sign * v for trial in self._study.get_trials(deepcopy=False) if "diverged" not in trial.user_attrs
                  for v in (trial.value, *trial.intermediate_values.values())
                  if v is not None and math.isfinite(v)]  # fmt: skip
        if not values:
            return sign * 1e6
        return sign * (max(values) + max(1.0, max(values) - min(values)))


def first_choices(space: SearchSpace) -> list[dict[str, Any]]:
    """Return what the first trials ask for: every optimizer at its reference rate, then at higher ones.

    With one rate each, the first look picks optimizers by the luck of their reference (studies/2026-11-21-first-rates).
    """
    references = [reference_choices(space, name) for name in space.optimizers]
    rates = (1.0,) if "lr" in space.fixed else FIRST_RATES
    return [
        {**choices, **({"lr_relative": rate} if rate != 1.0 else {})}
        for rate in rates
        for choices in references
    ]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's "a new study was created" off the caller's terminal."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _open_storage(url: str | None) -> BaseStorage:
    return InMemoryStorage() if url is None else secured_storage(RDBStorage, url)
