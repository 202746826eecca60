"""What the runs of a study say on rules of practice and remedy: one question each, with an interval.

Most are answered by pairs of trials at the search's first look, which all of them reached: how often does one
that follows the rule do better than one that does not? The search asks for more of what does well, so the two
kinds differ in other settings too; that is a caution to all of these figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

import numpy as np

from autoopt.catalogue import OPTIMIZERS
from autoopt.guidance.audit import Measured
from autoopt.recipe import Recipe
from autoopt.run import RunState
from autoopt.verdict.comparison import effective_rate, title_of
from autoopt.verdict.samples import chance_better
from autoopt.verdict.statistics import Interval, mean_interval
from autoopt.verdict.studied import Side, StudiedRuns, best_by_optimizer, compare_sides

NEAR = 10**0.5
"""Rates within this factor of an optimizer's best are near it."""

FEWEST_TRIALS = 12
MOMENTUM = 0.5
_RESAMPLES = 500


def rate_matters_most(runs: StudiedRuns) -> Measured | str:
    """Does the learning rate explain more of the trials' order than any other setting?"""
    looks = [(recipe, cost) for recipe, cost in runs.looks if effective_rate(recipe) is not None]
    if len(looks) < FEWEST_TRIALS:
        return f"{len(looks)} trials are too few to tell, it takes {FEWEST_TRIALS}"
    factors = _factors([recipe for recipe, _ in looks])
    others = {
        name: values for name, values in factors.items() if name != "learning rate" and len(set(values)) > 1
    }
    if not others:
        return "nothing but the rate was searched"
    costs = np.array([cost for _, cost in looks])
    shares = {name: _explained(costs, values) for name, values in factors.items()}
    rival = max(others, key=lambda name: shares[name])
    drawn = np.random.default_rng(len(looks)).integers(0, len(looks), (_RESAMPLES, len(looks)))
    leads = [_lead(costs[rows], {name: [values[k] for k in rows] for name, values in factors.items()})
             for rows in drawn]  # fmt: skip
    low, high = np.quantile(leads, (0.025, 0.975))
    middle = shares["learning rate"] - shares[rival]
    figures = (f"the learning rate explains {shares['learning rate']:.0%} of the order of {len(looks)} trials, "
               f"next the {rival} with {shares[rival]:.0%}{_at_look(runs)}")  # fmt: skip
    return Measured(min(float(low), middle), middle, max(float(high), middle), "of the order", figures)


def choice_pays(runs: StudiedRuns) -> Measured | str:
    """Is the best optimizer ahead of the middle one by more than the seed noise?"""
    levels = [(epoch, best_by_optimizer(candidates)) for epoch, candidates in runs.levels()]
    epoch, found = max(levels, key=lambda level: (len(level[1]), level[0]), default=(0, {}))
    if len(found) < 3:
        return "fewer than three optimizers were tried"
    best = sorted((cost, name) for name, cost in found.items())
    middle = median(cost for cost, _ in best)
    ahead, margin = middle - best[0][0], runs.margin()
    figures = (f"best of {len(best)} {title_of(best[0][1])} {runs.cost(best[0][0]):.3g}, the middle one "
               f"{runs.cost(middle):.3g} after {epoch} of {runs.epochs} epochs, seed noise ±{margin:.2g}")  # fmt: skip
    return Measured(ahead - margin, ahead, ahead + margin, runs.objective, figures)


def decay_beats_constant(runs: StudiedRuns) -> Measured | str:
    """Does the best recipe whose rate decays beat the best with a constant one?"""

    def title(recipe: Recipe) -> str:
        return f"{title_of(recipe.optimizer)} with {recipe.schedule}"

    found = compare_sides(runs, lambda r: r.schedule != "constant", lambda r: r.schedule == "constant", title,
                          in_full=True)  # fmt: skip
    return found or "tuned recipes of both kinds, a constant and a decaying rate, were not trained"


def batch_size_in_range(runs: StudiedRuns) -> Measured | str:
    """Does the best batch size from 32 to 512 beat the best outside?"""

    def fits(recipe: Recipe) -> bool:
        return isinstance(recipe.batch_size, int) and 32 <= recipe.batch_size <= 512

    sizes = {str(r.run.recipe.batch_size) for r in runs.trials}
    if len(sizes) < 2:
        return "the batch size was not searched (--tune-batch-size)"
    found = compare_sides(runs, fits, lambda r: not fits(r), lambda r: f"{r.batch_size} rows")
    return found or f"all sizes tried, {', '.join(sorted(sizes))}, lie on one side"


def clipping_helps(runs: StudiedRuns) -> Measured | str:
    """Do trials with the gradient's norm clipped do better than those without?"""
    clipped = _strata(runs, lambda r: r.clip_norm is not None or r.clip_value is not None)
    return _chance(clipped, runs, "clipped against not clipped") or "clipping was not searched (--tune-clip)"


def momentum_helps(runs: StudiedRuns) -> Measured | str:
    """Does SGD do better with momentum than with little or none?"""
    strata = _strata(runs, lambda r: float(r.settings.get("momentum", 0.0)) >= MOMENTUM,
                     among=lambda r: r.optimizer == "sgd")  # fmt: skip
    return _chance(strata, runs, f"SGD with momentum of {MOMENTUM} or more against less") or (
        f"SGD was not tried with momentum on both sides of {MOMENTUM}"
    )


def low_rates_are_slow(runs: StudiedRuns) -> Measured | str:
    """Do rates near the best do better than those far below?"""
    return _near_and_far(runs, lambda ratio: ratio < 1 / NEAR, "lower")


def high_rates_are_worse(runs: StudiedRuns) -> Measured | str:
    """Do rates near the best do better than those far above?"""
    return _near_and_far(runs, lambda ratio: ratio > NEAR, "higher")


def divergence_comes_of_high_rates(runs: StudiedRuns) -> Measured | str:
    """Did the runs that diverged have higher rates than those of the same optimizer that did not?"""
    groups: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for record in runs.trials:
        rate = effective_rate(record.run.recipe)
        if rate is not None and record.state is not RunState.FAILED:
            sound, diverged = groups[record.run.recipe.optimizer]
            (diverged if record.state is RunState.DIVERGED else sound).append(rate)
    count = sum(len(diverged) for _, diverged in groups.values())
    if not count:
        return "no trial diverged"
    found = chance_better(groups.values())
    if found is None:
        return f"{count} trials diverged, of optimizers with no trial that did not"
    figures = f"{count} trials diverged; in {found.middle:.0%} of pairs they had the higher rate"
    return _of_pairs(found, figures)


def stopping_early_gains(runs: StudiedRuns) -> Measured | str:
    """Would stopping where the other seeds were best have beaten training to the end?"""
    gains, early = [], 0
    for confirmation in runs.everyone:
        curves = [
            [report.valid_loss for report in runs.reports.get(record.run.id, ())]
            for record in runs.records
            if record.run.recipe == confirmation.recipe
            and record.run.seed in confirmation.scores
            and record.run.purpose != "search"
        ]
        curves = [curve for curve in curves if len(curve) == runs.epochs]
        for held_out in range(len(curves) if len(curves) > 1 else 0):
            others = np.mean([curve for k, curve in enumerate(curves) if k != held_out], axis=0)
            stop = int(np.argmin(others))
            early += stop < runs.epochs - 1
            gains.append(curves[held_out][-1] - curves[held_out][stop])
    if len(gains) < 3:
        return "no recipe was confirmed on several seeds"
    if not early:
        return "no confirmed recipe was past its best at the end"
    gain = mean_interval(gains)
    figures = f"stopping where the other seeds were best: validation loss lower by {gain.middle:.2g}, {len(gains)} runs"
    return Measured(gain.low, gain.middle, gain.high, "validation loss", figures, "confirmed")


QUESTIONS: Mapping[str, Callable[[StudiedRuns], Measured | str]] = {
    "rate_matters_most": rate_matters_most,
    "choice_pays": choice_pays,
    "decay_beats_constant": decay_beats_constant,
    "batch_size_in_range": batch_size_in_range,
    "clipping_helps": clipping_helps,
    "momentum_helps": momentum_helps,
    "low_rates_are_slow": low_rates_are_slow,
    "high_rates_are_worse": high_rates_are_worse,
    "divergence_comes_of_high_rates": divergence_comes_of_high_rates,
    "stopping_early_gains": stopping_early_gains,
}
"""By the name in ``tested_by`` of rules.yaml."""

Pairs = list[tuple[list[float], list[float]]]


def _strata(runs: StudiedRuns, ours: Side, among: Side = lambda _: True) -> Pairs:
    """Costs of trials that follow a rule and of those that do not, optimizer by optimizer."""
    groups: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for recipe, cost in runs.looks:
        if among(recipe):
            groups[recipe.optimizer][0 if ours(recipe) else 1].append(cost)
    return list(groups.values())


def _chance(
    pairs: Iterable[tuple[Sequence[float], Sequence[float]]], runs: StudiedRuns, what: str
) -> Measured | None:
    found = chance_better(pairs)
    if found is None:
        return None
    bounds = f" [{found.low:.0%}, {found.high:.0%}]" if found.bounded else " (a single trial)"
    figures = f"{what}: better in {found.middle:.0%}{bounds} of pairs{_at_look(runs)}"
    return _of_pairs(found, figures)


def _of_pairs(chance: Interval, figures: str) -> Measured:
    """A chance from 0 to 1 as what is won less what is lost, so that half is 0."""
    return Measured(2 * chance.low - 1, 2 * chance.middle - 1, 2 * chance.high - 1, "of pairs", figures)


def _near_and_far(runs: StudiedRuns, is_far: Callable[[float], bool], where: str) -> Measured | str:
    """Compare rates near an optimizer's best with those far on one side; the best trial itself is left out."""
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for recipe, cost in runs.looks:
        if (rate := effective_rate(recipe)) is not None:
            groups[recipe.optimizer].append((cost, rate))
    pairs = []
    for trials in groups.values():
        (_, best), *rest = sorted(trials)
        near = [cost for cost, rate in rest if 1 / NEAR <= rate / best <= NEAR]
        pairs.append((near, [cost for cost, rate in rest if is_far(rate / best)]))
    what = f"a rate near the best against one more than {NEAR:.1f} times {where}"
    return (
        _chance(pairs, runs, what)
        or f"no optimizer was tried both near its best rate and at far {where} ones"
    )


def _at_look(runs: StudiedRuns) -> str:
    return "" if runs.look_epochs == runs.epochs else f" after {runs.look_epochs} of {runs.epochs} epochs"


def _factors(recipes: Sequence[Recipe]) -> dict[str, list[str]]:
    """What each trial was made of, in classes: numbers by thirds."""
    rates = [_relative_rate(recipe) for recipe in recipes]
    decays = [recipe.settings.get("weight_decay") for recipe in recipes]
    return {
        "learning rate": _thirds(rates),
        "optimizer": [recipe.optimizer for recipe in recipes],
        "schedule": [recipe.schedule for recipe in recipes],
        "weight decay": _thirds([None if d is None else float(d) for d in decays]),
        "batch size": [str(recipe.batch_size) for recipe in recipes],
        "clipping": _thirds([recipe.clip_norm for recipe in recipes]),
    }


def _relative_rate(recipe: Recipe) -> float:
    entry = OPTIMIZERS.get(recipe.optimizer)
    reference = float(entry.hyperparameter("lr").reference) if entry else 1.0
    return (effective_rate(recipe) or reference) / reference


def _thirds(values: Sequence[float | None]) -> list[str]:
    known = [value for value in values if value is not None]
    cuts = np.quantile(known or [0.0], (1 / 3, 2 / 3))
    return ["none" if value is None else str(int(np.searchsorted(cuts, value))) for value in values]


def _explained(costs: np.ndarray[tuple[int], np.dtype[np.float64]], classes: Sequence[str]) -> float:
    """The share of the variance of ranks between classes, less what chance alone gives (epsilon squared)."""
    order = np.unique(costs, return_inverse=True)[1].astype(float)
    total = float(((order - order.mean()) ** 2).sum())
    kinds = set(classes)
    if total == 0 or len(kinds) < 2 or len(kinds) >= len(costs):
        return 0.0
    groups = [order[[c == kind for c in classes]] for kind in kinds]
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return max(0.0, 1 - within / total * (len(costs) - 1) / (len(costs) - len(kinds)))


def _lead(costs: np.ndarray[tuple[int], np.dtype[np.float64]], factors: Mapping[str, Sequence[str]]) -> float:
    shares = {name: _explained(costs, values) for name, values in factors.items()}
    return shares.pop("learning rate") - max(shares.values())
