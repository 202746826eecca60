"""Which values next: what is known to be good first, then where a model of all trials expects the most."""

# ruff: noqa: ARG002 - the methods have the signatures that Optuna calls

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from autoopt.search.candidates import Candidate, drawn, neighbour, newcomer, place_of
from autoopt.search.standing import LEVELS, REDUCTION, level_scores, standings
from autoopt.search.surrogate import Array, Axes, Surrogate, expected_improvement

STARTUP = 8  # random trials where there is no portfolio
CANDIDATES = 256
NEWCOMERS = 0.25  # share of the candidates that are neighbours of nothing
PARENTS = 8  # neighbours are those of the best so many, the better the more
MOST_TRIALS = 150  # that the model is made of: the better half, and the latest
LENGTHS = {"lr_relative": 0.25}
RATES = ("lr_relative", "learning_rate", "lr")  # the shorter a training, the higher the best one
FALLS = (0.0, 0.5)  # with which power of the length; the root was measured (studies/2026-11-21-pace)
LEVEL = "training length"
LEVEL_LENGTHS = (0.45, 0.9)  # how much a third of the training says of all: correlations of 0.54 and 0.86


class Sampler(BaseSampler):
    """Sampler for Optuna studies whose trials can be stopped early and whose settings hang on one choice.

    A Gaussian process learns from every trial at once: complete, pruned, diverged (failed), and under way. It
    tells apart short and long trainings by what trials ``report``, shares what it learns about a number among
    all values of the main choice as far as the data bear that out, and proposes what is expected to improve
    most on the best, among neighbours of good trials and newcomers. Proposals for trials asked for at once differ.

    Every proposal has a random stream of its own, made of ``seed`` and the trial's number.

    Args:
        seed: of all proposals together.
        first: values by parameter name for the first trials, in this order; a name that is missing is drawn.
        main: the choice that other parameters hang on; ``None`` if there is none.
        longest: the step that a complete training reports last; the largest one seen if ``None``.
        lengths: by name, over which share of its range a number makes a difference (0.6 where nobody says).

    >>> study = optuna.create_study(sampler=Sampler(seed=1, main="optimizer"))
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        first: Sequence[Mapping[str, Any]] = (),
        main: str | None = "optimizer",
        longest: int | None = None,
        lengths: Mapping[str, float] = LENGTHS,
    ) -> None:
        self._seed, self._first, self._main = seed, list(first), main
        self._longest, self._lengths = longest, dict(lengths)
        self._values: Mapping[str, Any] = {}
        self._view: _View | None = None

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Settle on the values of the trial; they are handed out one by one, as the trial asks."""
        self._values, self._random = self.propose(study)
        return {}

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Return nothing: which names a trial asks for is known only when it asks."""
        return {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return the value settled on, or a random one where there is none or it is not possible here."""
        return proposed_or_drawn(self._values, param_name, param_distribution, self._random)

    def reseed_rng(self) -> None:
        """Do nothing: every proposal has its own stream already."""

    def rank(self, study: optuna.Study, numbers: Collection[int]) -> list[int]:
        """Return trials, best first, as the model expects them after a complete training; all must have reported."""
        view = self._current_view(study)
        trials = [study.get_trials(deepcopy=False)[number] for number in numbers]
        worth, _ = view.model.predict(view.table.rows(list(map(_as_candidate, trials))))
        return [trials[place].number for place in np.argsort(worth, kind="stable")]

    def propose(self, study: optuna.Study) -> tuple[Mapping[str, Any], np.random.Generator]:
        """Return the values of the next trial by name, and the random stream for names that are not among them."""
        number = sum(bool(trial.params) for trial in study.get_trials(deepcopy=False))
        values = self._first[number] if number < len(self._first) else self._best_candidate(study)
        return values, np.random.default_rng([self._seed, number])

    def _best_candidate(self, study: optuna.Study) -> Mapping[str, Any]:
        trials, scores = self._scored(study)
        if sum(map(bool, scores)) < (2 if self._first else STARTUP):
            return {}
        view = self._view_of(trials, scores)
        pending = [
            t for t, found in zip(trials, scores, strict=True) if not found and not t.state.is_finished()
        ]
        model = view.model.believe(view.table.rows(list(map(_as_candidate, pending))))
        gain = expected_improvement(*model.predict(view.rows), view.best)
        gain[list(view.taken)] = -1.0
        place = int(np.argmax(gain))
        view.taken.add(place)
        return view.candidates[place].params

    def _scored(self, study: optuna.Study) -> tuple[list[FrozenTrial], list[dict[int, float]]]:
        trials = [trial for trial in study.get_trials(deepcopy=False) if trial.params]
        maximize = study.direction is StudyDirection.MAXIMIZE
        return trials, level_scores(trials, maximize=maximize, longest=self._longest)

    def _current_view(self, study: optuna.Study) -> _View:
        return self._view_of(*self._scored(study))

    def _view_of(self, everyone: Sequence[FrozenTrial], everything: Sequence[dict[int, float]]) -> _View:
        """Return what the trials look like; it is made anew only when there is something new."""
        seen = [(trial, found) for trial, found in zip(everyone, everything, strict=True) if found]
        trials, scores = [trial for trial, _ in seen], [found for _, found in seen]
        key = [(trial.number, *found.items()) for trial, found in zip(trials, scores, strict=True)]
        if self._view is None or self._view.key != key:
            known, stands = _most_telling(trials, standings(scores))
            table = _Table(known, self._main, self._lengths)
            model = table.model([_as_candidate(trial) for trial in known], stands)
            worth, _ = model.predict(table.rows([_as_candidate(trial) for trial in known]))
            ranked = [known[i] for i in np.argsort(worth, kind="stable")]
            random = np.random.default_rng([self._seed, len(everyone), len(stands)])
            candidates = [_candidate(ranked, self._main, random) for _ in range(CANDIDATES)]
            self._view = _View(key, table, model, float(worth.min()), candidates, table.rows(candidates))
        return self._view


@dataclass(frozen=True)
class _View:
    """What is known of a study at one time, and what could come next: ``rows`` of its ``candidates``.

    Candidates that are ``taken`` are not proposed twice, even before the trial has asked for their values.
    """

    key: object
    table: _Table
    model: Surrogate
    best: float
    candidates: Sequence[Candidate]
    rows: Array
    taken: set[int] = field(default_factory=set)


class _Table:
    """Turns values into rows of numbers, the last column being the length of training."""

    def __init__(self, trials: Sequence[FrozenTrial], main: str | None, lengths: Mapping[str, float]) -> None:
        kinds = {name: kind for trial in trials for name, kind in trial.distributions.items()}
        self._names = sorted(kinds)
        self._rates = {name: math.log(kind.high / kind.low) for name, kind in kinds.items()
                       if name in RATES and isinstance(kind, FloatDistribution) and kind.log}  # fmt: skip
        choices = {
            name: len(kind.choices)
            for name, kind in kinds.items()
            if isinstance(kind, CategoricalDistribution)
        }
        self._axes = Axes(
            (*self._names, LEVEL), frozenset(choices), main, lengths, max(choices.values(), default=1)
        )

    def model(self, candidates: Sequence[Candidate], stands: Sequence[Mapping[int, float]]) -> Surrogate:
        """Return the likeliest model of candidates that stand so at some levels."""
        rows = [
            (candidate, level) for candidate, each in zip(candidates, stands, strict=True) for level in each
        ]
        values = np.array([value for each in stands for value in each.values()])
        values = (values - values.mean()) / (float(values.std()) or 1.0)
        parts, levels = [candidate for candidate, _ in rows], [level for _, level in rows]
        models = []
        for fall, length in product(FALLS, LEVEL_LENGTHS):
            axes = replace(self._axes, lengths={**(self._axes.lengths or {}), LEVEL: length})
            models.append(Surrogate(axes, self.rows(parts, levels, fall), values))
        return max(models, key=lambda model: model.likelihood)

    def rows(
        self, candidates: Sequence[Candidate], levels: Sequence[int] | None = None, fall: float = 0.0
    ) -> Array:
        """Return one row for each candidate, trained to its level; all of them completely by default.

        Args:
            fall: a rate after a part of the training stands for one lower by that part to this power.
        """
        table = np.full((len(candidates), len(self._names) + 1), np.nan)
        columns = {name: column for column, name in enumerate(self._names)}
        at = np.full(len(candidates), LEVELS - 1) if levels is None else np.array(levels)
        for row, candidate in enumerate(candidates):
            for name, value in candidate.params.items():
                if name in columns:
                    table[row, columns[name]] = place_of(value, candidate.distributions[name])
        for name, span in self._rates.items():
            table[:, columns[name]] -= fall * (LEVELS - 1 - at) * math.log(REDUCTION) / span
        table[:, -1] = at / (LEVELS - 1)
        return table


def _candidate(ranked: Sequence[FrozenTrial], main: str | None, random: np.random.Generator) -> Candidate:
    if random.random() < NEWCOMERS:
        return newcomer(ranked[int(random.integers(len(ranked)))], main, random)
    parent = ranked[min(int(random.geometric(0.3)) - 1, len(ranked) - 1, PARENTS - 1)]
    return neighbour(parent, ranked, main, random)


def _as_candidate(trial: FrozenTrial) -> Candidate:
    return Candidate(trial.params, trial.distributions)


def _most_telling(
    trials: list[FrozenTrial], stands: list[dict[int, float]]
) -> tuple[list[FrozenTrial], list[dict[int, float]]]:
    """Return at most ``MOST_TRIALS``: the better ones and the latest; a model of all would take too long."""
    if len(trials) <= MOST_TRIALS:
        return trials, stands
    best = sorted(range(len(trials)), key=lambda i: stands[i][max(stands[i])])[: MOST_TRIALS // 2]
    rest = [i for i in range(len(trials)) if i not in set(best)]
    kept = sorted([*best, *rest[-(MOST_TRIALS - len(best)) :]])
    return [trials[i] for i in kept], [stands[i] for i in kept]


def proposed_or_drawn(
    values: Mapping[str, Any], name: str, distribution: BaseDistribution, random: np.random.Generator
) -> Any:
    """Return the value of that name, or a random one where there is none or it is not possible here."""
    if name in values and _is_possible(values[name], distribution):
        return values[name]
    return drawn(distribution, random)


def _is_possible(value: Any, distribution: BaseDistribution) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    return isinstance(value, int | float) and distribution._contains(distribution.to_internal_repr(value))
