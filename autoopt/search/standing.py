"""How trials stand: scores after different lengths of training on one scale, lower being better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState
from scipy.special import ndtri

LEVELS = 3  # lengths of training that are told apart: a ninth of all steps, a third, all
REDUCTION = 3
MOST_TRIALS = 150  # that the model is made of: the better half, and the latest

Scores = Mapping[int, float]
Array = NDArray[np.float64]


class Known:
    """What was worked out of trials at the last call; a trial that does not change stays the same object."""

    def __init__(self) -> None:
        self.scale: tuple[float, float] | None = None
        self.entries: list[tuple[FrozenTrial, dict[int, float], bool]] = []


def level_scores(
    trials: Sequence[FrozenTrial], *, maximize: bool, longest: int | None = None,
    later: Mapping[int, float] | None = None, known: Known | None = None,
) -> list[dict[int, float]]:  # fmt: skip
    """Return the scores of each trial by level, turned so that lower is better.

    A trial that failed or diverged is infinitely bad at every level that was seen.

    Args:
        trials: of any state; one that is under way counts as far as it reported.
        longest: steps of a complete training; the largest step reported if nobody says.
        later: scores of complete trainings by number of the trial, beside what the trial itself says.
        known: what the last call left in it is not worked out again; leave the scores as they are, then.
    """
    sign = -1.0 if maximize else 1.0
    last = longest or max((trial.last_step or 0 for trial in trials), default=0)
    known = known or Known()
    if known.scale != (sign, last):
        known.scale, known.entries = (sign, last), []
    entries = known.entries
    del entries[len(trials) :]
    for place, trial in enumerate(trials):
        if place == len(entries):
            entries.append((trial, _levels_of(trial, sign, last), _is_lost(trial)))
        elif entries[place][0] is not trial:
            entries[place] = trial, _levels_of(trial, sign, last), _is_lost(trial)
    found = [scores for _, scores, _ in entries]
    if later:
        for place, (trial, scores, _) in enumerate(entries):
            if (score := later.get(trial.number)) is not None:
                found[place] = {**scores, LEVELS - 1: sign * score if math.isfinite(score) else math.inf}
    levels = set().union(*found) or {0}
    return [
        dict.fromkeys(levels, math.inf) if lost else scores
        for scores, (_, _, lost) in zip(found, entries, strict=True)
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
        if not steps and level < LEVELS - 1:
            # the first of five steps is neither near a ninth nor near a third: it counts as what it has passed
            steps = [step for step in trial.intermediate_values if end < step <= 0.6 * REDUCTION * end]
        if steps and math.isfinite(
            value := trial.intermediate_values[min(steps, key=lambda s: abs(s - end))]
        ):
            scores[level] = sign * value
    if trial.state is TrialState.COMPLETE and trial.value is not None and math.isfinite(trial.value):
        scores[LEVELS - 1] = sign * trial.value
    return scores


def standings(scores: Sequence[Scores]) -> Array:
    """Return normal scores that compare across trials and levels, shape (trials, LEVELS); lower is better, NaN unseen.

    At the lowest level where trials meet, a standing is a rank among all of them. At every further level those
    who went on share out anew, in their new order, the standings that they had: so a level says who of them is
    better, while all of them keep having been picked. Whoever appears at a level for the first time gets the
    standing of its neighbours there. Ranks and not values, because losses may span decades, and some diverge.
    """
    values = np.full((len(scores), LEVELS), np.nan)
    for i, each in enumerate(scores):
        for level, score in each.items():
            values[i, level] = score
    found = np.full((len(scores), LEVELS), np.nan)
    held = np.full(len(scores), np.nan)
    for level in range(LEVELS):
        here = np.flatnonzero(~np.isnan(values[:, level]))
        here = here[np.argsort(values[here, level], kind="stable")]
        places = np.arange(len(here))
        known = ~np.isnan(held[here])
        if known.sum() < 2:
            shares = ndtri((places + 0.5) / max(len(here), 1))
        else:
            shares = np.interp(places, places[known], np.sort(held[here][known]))
        found[here, level] = held[here] = shares
    return found


def most_telling(
    trials: Sequence[FrozenTrial], stands: Array
) -> tuple[list[FrozenTrial], list[dict[int, float]]]:
    """Return at most ``MOST_TRIALS``: the better ones and the latest; a model of all would take too long."""
    kept = list(range(len(trials)))
    if len(trials) > MOST_TRIALS:
        highest = stands.shape[1] - 1 - np.argmax(~np.isnan(stands[:, ::-1]), axis=1)
        best = np.argsort(stands[kept, highest], kind="stable")[: MOST_TRIALS // 2].tolist()
        rest = np.setdiff1d(kept, best)
        kept = sorted([*best, *rest[-(MOST_TRIALS - len(best)) :].tolist()])
    levels = [{k: v for k, v in enumerate(stands[i].tolist()) if v == v} for i in kept]
    return [trials[i] for i in kept], levels
