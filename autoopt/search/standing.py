"""How trials stand: scores after different lengths of training on one scale, lower being better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from optuna.trial import FrozenTrial, TrialState
from scipy.special import ndtri

LEVELS = 3  # lengths of training that are told apart: a ninth of all steps, a third, all
REDUCTION = 3

Scores = Mapping[int, float]


def level_scores(
    trials: Sequence[FrozenTrial], *, maximize: bool, longest: int | None = None,
    later: Mapping[int, float] | None = None,
) -> list[dict[int, float]]:  # fmt: skip
    """Return the scores of each trial by level, turned so that lower is better.

    A trial that failed or diverged is infinitely bad at every level that was seen.

    Args:
        trials: of any state; one that is under way counts as far as it reported.
        longest: steps of a complete training; the largest step reported if nobody says.
        later: scores of complete trainings by number of the trial, beside what the trial itself says.
    """
    sign = -1.0 if maximize else 1.0
    last = longest or max((trial.last_step or 0 for trial in trials), default=0)
    found = [_levels_of(trial, sign, last) for trial in trials]
    for trial, each in zip(trials, found, strict=True):
        if later and trial.number in later:
            score = later[trial.number]
            each[LEVELS - 1] = sign * score if math.isfinite(score) else math.inf
    levels = {level for each in found for level in each} or {0}
    return [
        dict.fromkeys(levels, math.inf) if _is_lost(trial) else each
        for trial, each in zip(trials, found, strict=True)
    ]


def _is_lost(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.FAIL or bool(trial.user_attrs.get("diverged"))


def _levels_of(trial: FrozenTrial, sign: float, longest: int) -> dict[int, float]:
    scores: dict[int, float] = {}
    if _is_lost(trial):
        return scores
    for level in range(LEVELS):
        end = longest / REDUCTION ** (LEVELS - 1 - level)
        # rungs are rounded to whole steps, and a pruner may have stopped a little earlier
        steps = [step for step in trial.intermediate_values if 0.6 * end < step <= 1.5 * end]
        if steps and math.isfinite(
            value := trial.intermediate_values[min(steps, key=lambda s: abs(s - end))]
        ):
            scores[level] = sign * value
    if trial.state is TrialState.COMPLETE and trial.value is not None and math.isfinite(trial.value):
        scores[LEVELS - 1] = sign * trial.value
    return scores


def standings(scores: Sequence[Scores]) -> list[dict[int, float]]:
    """Return normal scores by level that compare across trials and levels; lower is better.

    At the lowest level where trials meet, a standing is a rank among all of them. At every further level those
    who went on share out anew, in their new order, the standings that they had: so a level says who of them is
    better, while all of them keep having been picked. Whoever appears at a level for the first time gets the
    standing of its neighbours there. Ranks and not values, because losses may span decades, and some diverge.
    """
    found: list[dict[int, float]] = [{} for _ in scores]
    for level in range(LEVELS):
        here = sorted((i for i, each in enumerate(scores) if level in each), key=lambda i: scores[i][level])
        known = [i for i in here if found[i]]
        if len(known) < 2:
            for place, i in enumerate(here):
                found[i][level] = float(ndtri((place + 0.5) / len(here)))
            continue
        held = sorted(found[i][max(found[i])] for i in known)
        places = np.interp([here.index(i) for i in here], [here.index(i) for i in known], held)
        for i, standing in zip(here, places, strict=True):
            found[i][level] = float(standing)
    return found
