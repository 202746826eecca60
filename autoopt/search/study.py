"""Study: ask for trials and tell their results, over an Optuna study in memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial

from autoopt.recipe import Recipe
from autoopt.run import Direction, Run, RunRecord, RunState
from autoopt.search.candidates import Candidate, proposed_or_drawn
from autoopt.search.fidelity import looks_of, wave_cost
from autoopt.search.ladder import climb
from autoopt.search.mirror import mirror_trials, quiet_optuna
from autoopt.search.samplers import PRIORS, Sampler
from autoopt.space.answers import answers_for
from autoopt.space.build import SearchSpace
from autoopt.space.choose import LR_RELATIVE, reference_choices, suggest

APART = 0.03  # of proposals from what was tried: half as much again in the rate alone
FIRST_RATES = (1.0, 4.0)  # multiples of an optimizer's reference rate


@dataclass(frozen=True)
class Trial:
    """A recipe to try, with the number that Optuna knows it by."""

    number: int
    recipe: Recipe


class Study:
    """Proposes recipes from a space and learns from what became of them.

    Args:
        epochs: of a complete training.
        seed: of all proposals together.
        costs: how many trainings of an ordinary optimizer one of these costs, by name.
        room: complete trainings that the first wave may cost.
    """

    def __init__(
        self, space: SearchSpace, direction: Direction, epochs: int, seed: int, *,
        costs: Mapping[str, float] | None = None, room: float = math.inf,
    ) -> None:  # fmt: skip
        self._costs = dict(costs or {})
        portfolio = first_choices(space)
        self._space = space
        if self._costs:
            portfolio = affordable_choices(portfolio, [self.price(c) for c in portfolio], epochs, room)
        self.portfolio_size = len(portfolio)
        self._storage = InMemoryStorage()
        self._seed = seed
        self._recipes: list[Recipe] = []  # by number of the trial
        self._later: dict[int, float] = {}
        self._priors = dict(PRIORS)
        self._references = [
            {name: value for name, value in each.items() if name != LR_RELATIVE.name} for each in portfolio
        ]
        self._first_look = looks_of(epochs)[0]
        self._sampler = Sampler(seed, first=portfolio, longest=epochs, apart=APART, complete=self._complete,
                                later=self._later, priors=self._priors, costs=self._costs)  # fmt: skip
        with quiet_optuna():
            self._study = optuna.create_study(
                storage=self._storage, sampler=self._sampler, direction=direction
            )

    def mirror(self, name: str, url: str, confirmed: Mapping[Recipe, float] | None = None) -> None:
        """Bring the trials to Optuna's tables of a database; StorageError if it cannot be written.

        Args:
            confirmed: complete trainings on other seeds, the mean by recipe: these trials are told as complete.
        """
        direction: Direction = "maximize" if self._study.direction is StudyDirection.MAXIMIZE else "minimize"
        means = {str(recipe): mean for recipe, mean in (confirmed or {}).items()}
        mirror_trials(name, url, direction, [_as_confirmed(trial, means) for trial in self.trials])

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials so far, in the order of asking."""
        return self._study.get_trials(deepcopy=False)

    def ask(self, most: float = math.inf) -> Trial | None:
        """Return a new trial that costs at most so many ordinary ones; ``None`` where none is proposed."""
        values, random = self._sampler.propose(self._study, most)
        recipe = suggest(self._space, _Proposal(values, random))
        return self._add(recipe) if self._costs.get(recipe.optimizer, 1.0) <= most else None

    def climb(self) -> list[Mapping[str, Any]]:
        """Return what to look at because the first rates were all too low or too high; nothing where they were not.

        The ranges widen, and the prior moves, to where good rates seem to be.
        """
        found = climb(self._looks(), *FIRST_RATES)
        if found.rate is not None:
            self._priors[LR_RELATIVE.name] = (found.rate, PRIORS[LR_RELATIVE.name][1])
            for rate in (found.rate, *(found.next or {}).values()):
                self._space = self._space.around(rate)
        low, high = self._space.rates
        return [{**self._reference_of(name), LR_RELATIVE.name: rate}
                for name, rate in (found.next or {}).items() if low <= rate <= high]  # fmt: skip

    def _looks(self) -> dict[str, dict[float, float]]:
        """Return by optimizer and rate what the first look at its reference recipe gave, lower being better.

        Nothing as long as one of them has not been looked at.
        """
        sign = -1 if self._study.direction is StudyDirection.MAXIMIZE else 1
        found: dict[str, dict[float, float]] = {}
        for trial, recipe in zip(self.trials, self._recipes, strict=True):
            rest = {name: value for name, value in trial.params.items() if name != LR_RELATIVE.name}
            if LR_RELATIVE.name not in trial.params or rest not in self._references:
                continue
            score = trial.intermediate_values.get(self._first_look)
            if score is None and not trial.state.is_finished():
                return {}
            over = score is None or "diverged" in trial.user_attrs
            rates = found.setdefault(recipe.optimizer, {})
            rates.setdefault(trial.params[LR_RELATIVE.name], math.inf if over else sign * (score or 0.0))
        return found

    def _reference_of(self, optimizer: str) -> Mapping[str, Any]:
        return next(each for each in self._references if each.get("optimizer", optimizer) == optimizer)

    def take(self, choices: Mapping[str, Any]) -> Trial:
        """Return a new trial of given choices."""
        return self._add(suggest(self._space, FixedTrial(dict(choices))))

    def price(self, choices: Mapping[str, Any]) -> float:
        """Return how many trainings of an ordinary optimizer one with these choices costs."""
        return self._costs.get(choices.get("optimizer", self._space.optimizers[0]), 1.0)

    def adopt(self, recipe: Recipe) -> Trial:
        """Return a new trial of a recipe that was asked for in an earlier sitting."""
        trial = Trial(self._add(recipe).number, recipe)
        self._recipes[trial.number] = recipe
        return trial

    def _complete(self, values: Mapping[str, Any], random: np.random.Generator) -> Candidate:
        """Return the answers that a recipe made of some values takes, no more and no less."""
        fixed = FixedTrial(answers_for(self._space, suggest(self._space, _Proposal(values, random))))
        suggest(self._space, fixed)
        return Candidate(fixed.params, fixed.distributions)

    def _add(self, recipe: Recipe) -> Trial:
        """Add a trial by the answers that lead to a recipe.

        Not by those that were proposed: of two that lead to the same recipe, the model would see another one in
        a study that was interrupted and carries on.
        """
        fixed = FixedTrial(answers_for(self._space, recipe))
        recipe = suggest(self._space, fixed)
        self._study.add_trial(create_trial(
            state=TrialState.RUNNING, params=fixed.params, distributions=fixed.distributions,
            user_attrs={"recipe": str(recipe)},
        ))  # fmt: skip
        self._recipes.append(recipe)
        return Trial(len(self.trials) - 1, recipe)

    def rank(self, runs: Sequence[Run]) -> list[int]:
        """Return the ids of runs that have reported, best first, as they are expected to end."""
        ids = {_number(run): run.id for run in runs}
        return [ids[number] for number in self._sampler.rank(self._study, ids)]

    def report(self, run: Run, epoch: int, score: float) -> None:
        """Say how the trial of a run does on its way; ``score`` is a finite number."""
        self._storage.set_trial_intermediate_value(_number(run), epoch, score)

    def confirm(self, recipe: Recipe, score: float | None) -> None:
        """Say what a complete training of a recipe on a fresh seed scored; ``None`` where it came to nothing."""
        number = self._recipes.index(recipe)
        self._later[number] = math.nan if score is None else score
        if not self.trials[number].state.is_finished():
            state = TrialState.FAIL if score is None else TrialState.COMPLETE
            self._study.tell(number, score, state=state)

    def further(self, most: float = math.inf) -> Recipe:
        """Return what to train completely next, given what ``confirm`` was told.

        Either a recipe that was given up in the search, or one that nobody has tried: that is a trial from now on.

        Args:
            most: it may cost, where there is such a one.
        """
        sound = [trial.number for trial in self.trials
                 if trial.intermediate_values and "diverged" not in trial.user_attrs]  # fmt: skip
        picked = self._sampler.pick(self._study, sound, self._later, most)
        if not isinstance(picked, int):
            random = np.random.default_rng([self._seed, len(self.trials)])
            picked = self._add(suggest(self._space, _Proposal(picked, random))).number
        return self._recipes[picked]

    def tell(self, record: RunRecord) -> None:
        """Say what became of the trial of a run.

        A diverged run is told as pruned with a finite value worse than all seen: Optuna's own samplers ignore
        failed trials, and would walk into the same divergence for ever.
        """
        number = _number(record.run)
        if record.state is RunState.FAILED:
            self._study.tell(number, state=TrialState.FAIL)
        elif record.state is RunState.FINISHED and record.score is not None:
            self._study.tell(number, record.score, state=TrialState.COMPLETE)
        else:
            if record.state is RunState.DIVERGED:
                self._storage.set_trial_user_attr(number, "diverged", True)
                self.report(record.run, max(1, record.epochs_done), self._worse_than_all())
            self._study.tell(number, state=TrialState.PRUNED)

    def _worse_than_all(self) -> float:
        """Return a finite value as far beyond the worst score as the worst is from the best."""
        sign = -1 if self._study.direction is StudyDirection.MAXIMIZE else 1
        values = [sign * v for trial in self.trials if "diverged" not in trial.user_attrs
                  for v in (trial.value, *trial.intermediate_values.values())
                  if v is not None and math.isfinite(v)]  # fmt: skip
        if not values:
            return sign * 1e6
        return sign * (max(values) + max(1.0, max(values) - min(values)))


@dataclass(frozen=True)
class _Proposal:
    """A chooser that answers with what the sampler proposed, and by chance where it proposed nothing."""

    values: Mapping[str, Any]
    random: np.random.Generator

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return float(self._answer(name, FloatDistribution(low, high, log=log)))

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return int(self._answer(name, IntDistribution(low, high)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._answer(name, CategoricalDistribution(choices))

    def _answer(self, name: str, distribution: BaseDistribution) -> Any:
        return proposed_or_drawn(self.values, name, distribution, self.random)


def _as_confirmed(trial: FrozenTrial, means: Mapping[str, float]) -> FrozenTrial:
    mean = means.get(trial.user_attrs.get("recipe", ""))
    if mean is None or not trial.state.is_finished():
        return trial
    other = copy(trial)
    other.state, other.value = TrialState.COMPLETE, mean
    return other


def _number(run: Run) -> int:
    assert run.trial is not None, "a run of the search belongs to a trial"
    return run.trial


def affordable_choices(
    portfolio: Sequence[Mapping[str, Any]], prices: Sequence[float], epochs: int, room: float
) -> list[Mapping[str, Any]]:
    """Return those of the first choices that a wave has room for beside those before them; one at least."""
    kept: list[int] = []
    for place, price in enumerate(prices):
        mean = (price + sum(prices[k] for k in kept)) / (len(kept) + 1)
        if mean * wave_cost(len(kept) + 1, epochs) <= room + 1e-9:
            kept.append(place)
    return [portfolio[place] for place in kept or [prices.index(min(prices))]]


def first_choices(space: SearchSpace) -> list[Mapping[str, Any]]:
    """Return what the first trials ask for: every optimizer at its reference rate, then at higher ones.

    With one rate each, the first look picks optimizers by the luck of their reference (studies/2026-11-21-first-rates).
    """
    references = [answers_for(space, suggest(space, FixedTrial(reference_choices(space, name))))
                  for name in space.optimizers]  # fmt: skip
    rates = (1.0,) if "lr" in space.fixed else FIRST_RATES if len(references) > 4 else (*FIRST_RATES, 2.0)
    return [
        {**choices, **({"lr_relative": rate} if rate != 1.0 else {})}
        for rate in rates
        for choices in references
    ]
