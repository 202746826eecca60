"""Importance: which settings a study's scores depend on, as Optuna's evaluators see it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
    get_param_importances,
)
from optuna.trial import create_trial

from autoopt.run import Direction
from autoopt.search.mirror import quiet_optuna

Method = Literal["PED-ANOVA", "fANOVA"]
FEWEST = 10  # trials; below, importance is noise
TARGET = 10  # trials at least in the better part that PED-ANOVA sets apart, a tenth of many


def importance(
    settings: Sequence[Mapping[str, Any]],
    scores: Sequence[float],
    direction: Direction,
    method: Method = "PED-ANOVA",
) -> dict[str, float]:
    """Return the share of each setting in how scores differ, largest first; they add up to 1.

    PED-ANOVA (Watanabe et al., 2023) asks what sets the best tenth apart; fANOVA (Hutter et al., 2014) what the
    variance comes from, fitting a forest, with a fixed seed.

    Args:
        settings: of each trial, numbers and names; only those that all trials have, and that differ, are judged.
            Numbers above 0 that span a decade are walked on a log scale.
        scores: of each trial; what is not finite is left out.

    Returns:
        An empty dict with fewer than ten trials, or where nothing differs.
    """
    rows = [(row, score) for row, score in zip(settings, scores, strict=True) if math.isfinite(score)]
    if len(rows) < FEWEST or len({score for _, score in rows}) < 2:
        return {}
    names = set.intersection(*(set(row) for row, _ in rows))
    space = {
        name: found for name in sorted(names) if (found := _distribution([row[name] for row, _ in rows]))
    }
    if not space:
        return {}
    with quiet_optuna():
        study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler())
    for row, score in rows:
        params = {name: _plain(row[name], space[name]) for name in space}
        study.add_trial(create_trial(params=params, distributions=dict(space), value=score))
    evaluator: BaseImportanceEvaluator
    evaluator = (
        PedAnovaImportanceEvaluator(target_quantile=max(0.1, min(0.5, TARGET / len(rows))))
        if method == "PED-ANOVA"
        else FanovaImportanceEvaluator(n_trees=32, seed=0)
    )
    shares = get_param_importances(study, evaluator=evaluator, params=list(space))
    return {name: float(share) for name, share in sorted(shares.items(), key=lambda pair: -pair[1])}


def _plain(value: Any, distribution: BaseDistribution) -> Any:
    return float(value) if isinstance(distribution, FloatDistribution) else value


def _distribution(values: Sequence[Any]) -> BaseDistribution | None:
    """Return the space that values come from; ``None`` where they are all the same."""
    kinds = set(values)
    if len(kinds) < 2:
        return None
    if any(isinstance(value, bool | str) or value is None for value in values):
        return CategoricalDistribution(sorted(kinds, key=str))
    low, high = float(min(values)), float(max(values))
    return FloatDistribution(low, high, log=low > 0 and high / low >= 10)
