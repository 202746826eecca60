"""Which values next: first every optimizer as it is usually run, then the neighbourhood of what did best, and TPE.

The first trials matter more than the sampler after them: with rates relative to each optimizer's reference, random
search picks the right optimizer more often than TPE does on wide absolute ranges.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

PARENTS = 3  # the neighbourhood is that of the best three
CHANGE = 0.5  # chance that a neighbour differs from its parent in a numeric value
SWITCH = 0.15  # … and in a choice
REACH = 0.15  # standard deviation of a step, as a share of the (transformed) range


class PortfolioSampler(BaseSampler):
    """Sampler of plain Optuna studies: a portfolio, then by turns neighbours of the best and TPE.

    Every proposal has a random stream of its own, made of ``seed`` and its index, so that an interrupted study
    that carries on asks for the same recipes as one that was never interrupted.

    Args:
        portfolio: values by parameter name for the first trials, in this order; a name that is missing is sampled.
        seed: of all proposals together.
    """

    def __init__(self, portfolio: Sequence[Mapping[str, Any]], seed: int) -> None:
        self._portfolio = list(portfolio)
        self._seed = seed
        self.begin(0)

    def begin(self, index: int) -> None:
        """Prepare proposal number ``index``."""
        self._index = index
        self._random = np.random.default_rng([self._seed, index])
        self._tpe = TPESampler(seed=int(self._random.integers(2**31)), n_startup_trials=1)
        self._parent: FrozenTrial | None = None

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Leave joint sampling to TPE where TPE is in charge."""
        if self._index < len(self._portfolio):
            return {}
        if self._index % 2 == 0 and (ranked := _ranked(study)):
            best = ranked[:PARENTS]
            self._parent = best[int(self._random.integers(len(best)))]
            return {}
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Sample jointly by TPE."""
        return self._tpe.sample_relative(study, trial, search_space) if search_space else {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Take the portfolio's value, else step away from the parent's, else ask TPE."""
        if self._index < len(self._portfolio) and param_name in self._portfolio[self._index]:
            return self._portfolio[self._index][param_name]
        if self._parent is not None and param_name in self._parent.params:
            return neighbour(self._parent.params[param_name], param_distribution, self._random)
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Do nothing: every proposal has its own stream already."""


def neighbour(value: Any, distribution: BaseDistribution, random: np.random.Generator) -> Any:
    """Return ``value`` or a step away from it, inside the distribution."""
    if isinstance(distribution, CategoricalDistribution):
        switch = random.random() < SWITCH
        return distribution.choices[int(random.integers(len(distribution.choices)))] if switch else value
    if not isinstance(distribution, FloatDistribution | IntDistribution) or random.random() >= CHANGE:
        return value
    forth, back = (math.log, math.exp) if distribution.log else (float, float)
    low, high = forth(distribution.low), forth(distribution.high)
    # A step that leaves the range is reflected, so that values at the edge get no extra weight.
    stepped = forth(value) + random.normal() * REACH * (high - low)
    stepped = 2 * low - stepped if stepped < low else 2 * high - stepped if stepped > high else stepped
    inside = min(max(back(stepped), distribution.low), distribution.high)
    return round(inside) if isinstance(distribution, IntDistribution) else inside


def _ranked(study: optuna.Study) -> list[FrozenTrial]:
    """Return trials best first: complete ones by value, then pruned ones, the longer trained before the shorter."""
    sign = -1 if study.direction is optuna.study.StudyDirection.MAXIMIZE else 1
    keys: list[tuple[float, float, int, FrozenTrial]] = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)):
        if trial.value is None or not math.isfinite(trial.value):
            continue
        step = math.inf if trial.state is TrialState.COMPLETE else float(trial.last_step or 0)
        keys.append((-step, sign * trial.value, trial.number, trial))
    return [key[3] for key in sorted(keys, key=lambda key: key[:3])]
