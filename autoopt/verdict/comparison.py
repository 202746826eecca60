"""The optimizers of a study beside each other: speed, stability, memory and score, from what was recorded.

Pure functions of runs and their epochs, for a study that is done or still runs. The search gives an optimizer that
does well more trials and more epochs; so that all compare, speed and scores are taken where trials of each got to,
and the good rates at the search's first look, which every trial reaches.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from autoopt.catalogue import OPTIMIZERS
from autoopt.guidance.claims import PLAIN_SGD
from autoopt.recipe import WHOLE, Recipe
from autoopt.run import Direction, EpochReport, Purpose, RunRecord, RunState
from autoopt.tasks.profile import TaskProfile
from autoopt.training.target import crossing
from autoopt.verdict.confirm import Confirmation, gather_scores, seed_noise
from autoopt.verdict.figures import Comparison, OptimizerFigures
from autoopt.verdict.samples import median_interval, share_interval
from autoopt.verdict.statistics import Interval

BYTES_A_FLOAT = 4
TRIALS_FOR_A_BASIN = 3
NOISES = 1.96  # standard deviations of the seed noise to either side that a single run may be off

Reports = Mapping[int, Sequence[EpochReport]]


def method_of(recipe: Recipe) -> str:
    """Return what a recipe trains with: the optimizer's name, or ``plain sgd`` for SGD without momentum."""
    plain = recipe.optimizer == "sgd" and not recipe.settings.get("momentum")
    return PLAIN_SGD if plain else recipe.optimizer


def title_of(method: str) -> str:
    """Return how people write a method: ``AdamW``, ``SGD with momentum``."""
    if method in ("sgd", PLAIN_SGD):
        return "SGD with momentum" if method == "sgd" else "SGD without momentum"
    return OPTIMIZERS[method].title if method in OPTIMIZERS else method


def compare_optimizers(
    records: Iterable[RunRecord], reports: Reports, direction: Direction, profile: TaskProfile | None = None
) -> Comparison:
    """Return how the optimizers of a study compare.

    Args:
        records: all runs so far, of the search and of the confirmation.
        reports: their epochs, by run id.
        profile: of the task, for seconds a step and bytes of state; ``None`` leaves these unknown.
    """
    runs = list(records)
    methods = {method_of(record.run.recipe): None for record in runs}
    trials = {name: [r for r in runs if _is_trial(r, name)] for name in methods}
    confirmed = {name: confirmations(r for r in runs if method_of(r.run.recipe) == name) for name in methods}
    finalists = {r.run.recipe for r in runs if r.run.purpose is Purpose.CONFIRM}
    noise = seed_noise(each for found in confirmed.values() for each in found)
    level, target = common_target(trials.values(), reports, direction)
    bar_epochs, bar = common_bar([r for each in trials.values() for r in each], reports, direction)
    rows = [
        OptimizerFigures(
            method=name,
            title=title_of(name),
            **_speed(trials[name], reports, direction, level, target, noise),
            **_pace(trials[name], reports, profile),
            **_stability(trials[name], reports, direction, bar),
            **_memory(name, profile),
            **_confirmed(confirmed[name], finalists, direction),
        )
        for name in methods
    ]
    rows.sort(key=lambda row: (row.score is None, _cost(row.score or 0.0, direction)))
    return Comparison(tuple(rows), level, target, bar, bar_epochs, noise)


def common_target(
    groups: Iterable[Sequence[RunRecord]], reports: Reports, direction: Direction
) -> tuple[int, float | None]:
    """Return the most epochs that some trial of every optimizer was trained, and the score to be there by then.

    Args:
        groups: the trials of each optimizer; one without any score is left out.

    Returns:
        (0, ``None``) without trials.
    """
    curves = [[_curve(record, reports) for record in group] for group in groups]
    reached = [most for group in curves if (most := max((len(curve) for curve in group), default=0))]
    level = min(reached, default=0)
    best = [found for group in curves if (found := _best(group, level, direction)) is not None]
    return level, median(best) if best else None


def common_bar(
    trials: Sequence[RunRecord], reports: Reports, direction: Direction
) -> tuple[int, float | None]:
    """Return when the search looked first, and what the middle one of the first cohort's trials had then.

    A trial that diverged counts as worse than all others; where half of them did there is no bar.
    """
    earliest = min((record.run.cohort for record in trials), default=0)
    first = [record for record in trials if record.run.cohort == earliest]
    costs = sorted(c for r in first if (c := first_look(r, reports, direction)) is not None)
    epochs = min((_first_rung(record) for record in first), default=0)
    if not costs or not math.isfinite(bar := costs[(len(costs) - 1) // 2]):
        return epochs, None
    return epochs, _cost(bar, direction)


def first_look(record: RunRecord, reports: Reports, direction: Direction) -> float | None:
    """Return what a trial cost at its first rung, lower is better; the better of raw and averaged weights.

    Returns:
        Infinity for a trial that diverged, then or later; ``None`` where it failed or was not trained so far.
    """
    if record.state is RunState.DIVERGED:
        return math.inf
    for report in reports.get(record.run.id, ()):
        if report.epoch == _first_rung(record) and record.state is not RunState.FAILED:
            values = [s for s in (report.score, report.averaged_score) if s is not None and math.isfinite(s)]
            return min((_cost(s, direction) for s in values), default=math.inf)
    return None


def effective_rate(recipe: Recipe) -> float | None:
    """Return the learning rate that compares across momenta; ``None`` for one that has no rate to set."""
    if "lr" not in recipe.settings:
        return None
    entry = OPTIMIZERS.get(recipe.optimizer)
    scaled = entry is not None and entry.momentum_scales_lr
    return float(recipe.settings["lr"]) / (1 - float(recipe.settings.get("momentum", 0.0)) if scaled else 1.0)


def confirmations(records: Iterable[RunRecord]) -> list[Confirmation]:
    """Return what the confirming runs among these came to, recipe by recipe."""
    runs = list(records)
    recipes = dict.fromkeys(r.run.recipe for r in runs if r.run.purpose is not Purpose.SEARCH)
    return [gather_scores(recipe, runs) for recipe in recipes]


def _is_trial(record: RunRecord, method: str) -> bool:
    return record.run.purpose is Purpose.SEARCH and method_of(record.run.recipe) == method


def _cost(score: float, direction: Direction) -> float:
    return score if direction == "minimize" else -score


def _first_rung(record: RunRecord) -> int:
    return record.run.rungs[0] if record.run.rungs else record.run.epochs


def _curve(record: RunRecord, reports: Reports) -> list[EpochReport]:
    """The good epochs of a run: those before it diverged or failed."""
    curve = []
    for report in reports.get(record.run.id, ()):
        if report.over or not math.isfinite(report.score):
            break
        curve.append(report)
    return curve


def _best(curves: Iterable[Sequence[EpochReport]], level: int, direction: Direction) -> float | None:
    costs = [_cost(report.score, direction) for curve in curves for report in curve[:level]]
    return _cost(min(costs), direction) if costs else None


def _speed(
    trials: Sequence[RunRecord], reports: Reports, direction: Direction, level: int, target: float | None,
    noise: float | None,
) -> dict[str, Any]:  # fmt: skip
    curves = [_curve(record, reports) for record in trials]
    found: dict[str, Any] = {
        "epochs": max((len(curve) for curve in curves), default=0),
        "score": _best(curves, level, direction),
    }
    if target is not None:
        for name in ("epochs_to_target", "seconds_to_target"):
            found[name] = _arrival(
                [list(_path(curve, direction, name)) for curve in curves], _cost(target, direction), noise
            )
    return found


def _path(curve: Sequence[EpochReport], direction: Direction, name: str) -> Iterator[tuple[float, float]]:
    """(epochs or seconds so far, cost) along a run."""
    spent = 0.0
    for report in curve:
        spent += 1.0 if name == "epochs_to_target" else report.seconds
        yield spent, _cost(report.score, direction)


def _arrival(
    paths: Sequence[Sequence[tuple[float, float]]], target: float, noise: float | None
) -> Interval | None:
    """When the first of several runs came down to the target; with a score that is off by the noise, when then."""
    margin = math.inf if noise is None else NOISES * noise
    early, middle, late = (
        min((crossing(path, target + shift) for path in paths), default=math.inf)
        for shift in (margin, 0.0, -margin)
    )
    if not math.isfinite(middle):
        return None
    return Interval(-math.inf if noise is None else early, middle, late)


def _pace(trials: Sequence[RunRecord], reports: Reports, profile: TaskProfile | None) -> dict[str, Any]:
    curves = [(record.run.recipe, _curve(record, reports)) for record in trials]
    epochs = [(recipe, median(r.seconds for r in curve)) for recipe, curve in curves if curve]
    found: dict[str, Any] = {"seconds_epoch": median_interval([seconds for _, seconds in epochs])}
    if profile is not None:
        found["seconds_step"] = median_interval([s / _steps(recipe, profile) for recipe, s in epochs])
    return found


def _steps(recipe: Recipe, profile: TaskProfile) -> int:
    if recipe.batch_size == WHOLE:
        return 1
    if recipe.batch_size is None or profile.n_train is None:
        return max(1, profile.steps_per_epoch)
    return math.ceil(profile.n_train / recipe.batch_size)


def _stability(
    trials: Sequence[RunRecord], reports: Reports, direction: Direction, bar: float | None
) -> dict[str, Any]:
    sound = [record for record in trials if record.state is not RunState.FAILED]
    diverged = sum(record.state is RunState.DIVERGED for record in sound)
    found: dict[str, Any] = {
        "trials": len(trials), "diverged": diverged, "diverged_share": share_interval(diverged, len(sound))
    }  # fmt: skip
    looks = [(effective_rate(r.run.recipe), first_look(r, reports, direction)) for r in sound]
    tried = [(rate, cost) for rate, cost in looks if rate is not None and cost is not None]
    if bar is None or not tried:
        return found
    good = sorted(rate for rate, cost in tried if cost <= _cost(bar, direction))
    found["good"] = len(good)
    if good and len(tried) >= TRIALS_FOR_A_BASIN:
        found["good_rates"] = (good[0], good[-1])
        found["basin"] = _width(good, [rate for rate, _ in tried])
    return found


def _width(good: Sequence[float], tried: Iterable[float]) -> Interval:
    """Decades from the lowest to the highest good rate, and on to the next that are not."""
    rates = sorted(tried)
    span = math.log10(good[-1] / good[0])
    below, above = [r for r in rates if r < good[0]], [r for r in rates if r > good[-1]]
    left = math.log10(good[0] / below[-1]) if below else math.inf
    right = math.log10(above[0] / good[-1]) if above else math.inf
    known = [side for side in (left, right) if math.isfinite(side)]
    return Interval(span, span + sum(known) / 2, span + left + right)


def _memory(method: str, profile: TaskProfile | None) -> dict[str, Any]:
    if method != PLAIN_SGD and method not in OPTIMIZERS:
        return {}
    floats = 0.0 if method == PLAIN_SGD else OPTIMIZERS[method].state_floats
    size = None if profile is None else round(BYTES_A_FLOAT * floats * profile.n_trainable)
    return {"state_floats": floats, "state_bytes": size}


def _confirmed(
    found: Sequence[Confirmation], finalists: Collection[Recipe], direction: Direction
) -> dict[str, Any]:
    scored = [(each.interval, each) for each in found if each.interval is not None]
    if not scored:
        return {}
    interval, best = min(scored, key=lambda pair: _cost(pair[0].middle, direction))
    return {"confirmed": interval, "seeds": len(best.scores), "tuned": best.recipe in finalists}
