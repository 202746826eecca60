"""Recipes, verdicts and reasons in words, for every view and the report."""

from __future__ import annotations

from collections.abc import Iterator

from autoopt.catalogue import SCHEDULES
from autoopt.dashboard.readable import (
    counted,
    show,
    show_duration,
    show_gain,
    show_interval,
    show_percent,
    show_rate,
    show_setting,
)
from autoopt.dashboard.theme import title_of
from autoopt.recipe import Recipe
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.recommendation import Recommendation

VERDICTS = {
    "better": "better than the baseline",
    "tie": "not shown to be better than the baseline",
    "worse": "worse than the baseline",
}
MARKS = {"agrees": "✓", "disagrees": "✗", "measured": "·", "caution": "!"}
STANCES = {"agrees": "held here", "disagrees": "did not hold here", "measured": "not decided here",
           "caution": "take care"}  # fmt: skip


def settings_of(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield the parts of a recipe with their values as people read them, the optimizer left out."""
    for name, value in recipe.settings.items():
        yield name.replace("_", " "), show_setting(name, value)
    schedule = SCHEDULES[recipe.schedule].title if recipe.schedule in SCHEDULES else recipe.schedule
    yield "schedule", schedule.lower() if schedule else recipe.schedule
    for name, value in recipe.schedule_settings.items():
        yield name.replace("_", " "), show_setting(name, value)
    if recipe.batch_size is not None:
        yield "batch", str(recipe.batch_size)
    if recipe.clip_norm is not None:
        yield "clip norm", show(recipe.clip_norm)
    if recipe.clip_value is not None:
        yield "clip value", show(recipe.clip_value)
    if recipe.decay_all:
        yield "decay", "biases and norms too"
    for (
        name,
        value,
    ) in recipe.extras.items():  # marked as the loop's, so that none is taken for one of the above
        yield f"loop: {name}", f"{value:.4g}" if isinstance(value, float) else str(value)


def brief(recipe: Recipe) -> str:
    """Return the optimizer and its rate: ``AdamW 1e-3``."""
    rate = recipe.settings.get("lr")
    return title_of(recipe.optimizer) + (
        f" {show_rate(float(rate))}" if isinstance(rate, float | int) else ""
    )


def answer(recommendation: Recommendation) -> str:
    """Say in a sentence what to train with, and what that gains."""
    chosen, baseline = recommendation.chosen, recommendation.baseline
    if chosen.recipe == baseline.recipe:
        return f"Stay with the baseline, {brief(baseline.recipe)}: nothing beat it"
    if not chosen.scores:
        return f"{brief(chosen.recipe)} leads the search; nothing is confirmed yet"
    gain = recommendation.relative_gain
    if recommendation.verdict != "better" or recommendation.gain is None:
        return f"{brief(chosen.recipe)} is {VERDICTS[recommendation.verdict]}, {brief(baseline.recipe)}"
    shown = show_gain(recommendation.gain, gain, "").partition(" [")[0].lstrip("+").rstrip()
    verb = "lowers" if recommendation.direction == "minimize" else "raises"
    return f"{brief(chosen.recipe)} {verb} the {recommendation.objective} by {shown}"


def score(confirmation: Confirmation) -> str:
    """Write the confirmed score with its interval, or what the search saw where there is none."""
    if confirmation.interval is None and confirmation.search_score is not None:
        return f"{show(confirmation.search_score)} in the search"
    return show_interval(confirmation.interval)


def gain(recommendation: Recommendation) -> str:
    """Write the gain over the baseline, signed, positive is better."""
    return show_gain(recommendation.gain, recommendation.relative_gain, recommendation.objective)


def cost(recommendation: Recommendation) -> str:
    """Say what the answer cost."""
    spent = recommendation.spent
    runs = spent.search_runs + spent.confirm_runs
    return f"{show(runs)} runs · {show_duration(spent.seconds)}"


def figures(recommendation: Recommendation) -> list[tuple[str, str, str]]:
    """Return the figures of a verdict: a name, a value, and what belongs to it in small."""
    chosen, baseline = recommendation.chosen, recommendation.baseline
    rows = [(recommendation.objective, *_split(score(chosen)))]
    if chosen.recipe != baseline.recipe:
        rows.append((f"baseline {brief(baseline.recipe)}", *_split(score(baseline))))
        if chosen.scores:
            rows.append(("gain, paired by seed", *_split(gain(recommendation))))
    if chosen.test_interval is not None:
        rows.append(("on test data", *_split(show_interval(chosen.test_interval))))
    if recommendation.runners_up:
        finalists = counted(1 + len(recommendation.runners_up), "finalist")
        rows.append(("chance to be the best", show_percent(recommendation.chance_best), f"of {finalists}"))
    return rows


def _split(written: str) -> tuple[str, str]:
    head, bracket, tail = written.partition(" [")
    return head, bracket.strip() + tail
