"""Confirmation: a recipe trained in full on fresh seeds, and which runs that takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import stdev
from typing import Any

from autoopt.errors import SpaceError, UsageError
from autoopt.recipe import Recipe
from autoopt.run import Direction, Purpose, RunRecord, RunState
from autoopt.space.check import check_recipe
from autoopt.verdict.fields import Fields
from autoopt.verdict.statistics import Interval, mean_interval


@dataclass(frozen=True)
class Confirmation:
    """What full trainings of one recipe on fresh seeds gave. A score that is not finite counts as a failure.

    Attributes:
        scores: the objective on the validation data by seed, in its own units.
        test_scores: the same on the test data: reported, never used to choose.
        search_score: what the search saw; luckier than the truth, as the best of many.
        failures: why a seed has no score: it diverged, or the user's code raised.
        came_to: where the objective is the time to a target, the score itself at the end, by seed.
        missed: seeds on which that target was not reached.
    """

    recipe: Recipe
    scores: Mapping[int, float] = field(default_factory=dict)
    test_scores: Mapping[int, float] = field(default_factory=dict)
    search_score: float | None = None
    failures: Mapping[int, str] = field(default_factory=dict)
    came_to: Mapping[int, float] = field(default_factory=dict)
    missed: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        finite = _finite(self.scores)
        odd = {seed: f"the score was {score}" for seed, score in self.scores.items() if seed not in finite}
        odd |= {seed: note for seed, note in self.failures.items() if seed not in finite}
        seen = (
            self.search_score if self.search_score is not None and math.isfinite(self.search_score) else None
        )
        object.__setattr__(self, "scores", finite)
        object.__setattr__(self, "test_scores", _finite(self.test_scores))
        object.__setattr__(self, "search_score", seen)
        object.__setattr__(self, "failures", dict(sorted(odd.items())))

    @property
    def interval(self) -> Interval | None:
        """The mean score with its 95 % t interval over seeds; ``None`` without a score."""
        return mean_interval(list(self.scores.values())) if self.scores else None

    @property
    def mean(self) -> float | None:
        """The mean score over seeds; ``None`` without a score."""
        return None if self.interval is None else self.interval.middle

    @property
    def lost(self) -> int:
        """Seeds on which it failed or missed its target."""
        return len(self.failures) + len(self.missed)

    @property
    def test_interval(self) -> Interval | None:
        """The same for the scores on the test data."""
        return mean_interval(list(self.test_scores.values())) if self.test_scores else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; ``from_fields`` reads it back."""
        return {
            "recommendation": self.recipe.to_dict(),
            "scores": {str(seed): score for seed, score in self.scores.items()},
            "test_scores": {str(seed): score for seed, score in self.test_scores.items()},
            "search_score": self.search_score,
            "failures": {str(seed): note for seed, note in self.failures.items()},
            "interval": interval_to_dict(self.interval),
            **({"came_to": {str(s): v for s, v in self.came_to.items()}, "missed": list(self.missed)}
               if self.came_to else {}),
        }  # fmt: skip

    @classmethod
    def from_fields(cls, fields: Fields) -> Confirmation:
        """Read what ``to_dict`` wrote, names checked against the catalogue; UsageError names the field."""
        inner = fields.inner("recommendation")
        try:
            recipe = check_recipe(Recipe.from_dict(inner.data))
        except SpaceError as error:
            raise UsageError(f"{inner.place}: {error}") from error
        return cls(
            recipe,
            scores=fields.by_seed("scores", Fields.number),
            test_scores=fields.by_seed("test_scores", Fields.number),
            search_score=fields.optional_number("search_score"),
            failures=fields.by_seed("failures", Fields.text),
            came_to=fields.by_seed("came_to", Fields.number),
            missed=fields.counts("missed"),
        )


@dataclass(frozen=True)
class PlannedRun:
    """A training that the confirmation needs."""

    recipe: Recipe
    seed: int
    purpose: Purpose


def plan_confirmation(recipes: Sequence[Recipe], baseline: Recipe, seeds: Sequence[int]) -> list[PlannedRun]:
    """Return the full trainings that confirm recipes, each on every seed, and which of them are the baseline's.

    Seed by seed, so that what is done when time runs out can still be compared. A recipe that comes twice is trained
    once.
    """
    return [
        PlannedRun(recipe, seed, Purpose.BASELINE if recipe == baseline else Purpose.CONFIRM)
        for seed in dict.fromkeys(seeds)
        for recipe in dict.fromkeys(recipes)
    ]


def drop_behind(confirmations: Sequence[Confirmation], keep: int, direction: Direction) -> list[Recipe]:
    """Return the recipes that go on in the confirmation: those that failed least, then those of the best mean.

    To miss a target is to fail. What has no score yet stays in the order given.
    """

    def behind(confirmation: Confirmation) -> tuple[int, float]:
        mean = 0.0 if confirmation.mean is None else confirmation.mean
        return confirmation.lost, mean if direction == "minimize" else -mean

    return [confirmation.recipe for confirmation in sorted(confirmations, key=behind)[:keep]]


def gather_scores(
    recipe: Recipe, records: Iterable[RunRecord], search_score: float | None = None
) -> Confirmation:
    """Return the confirmation of a recipe from its confirming runs; records of other runs are left out.

    Unfinished runs give neither a score nor a failure.
    """
    ours = [
        record for record in records if record.run.recipe == recipe and record.run.purpose != Purpose.SEARCH
    ]
    done = [record for record in ours if record.state is RunState.FINISHED]
    return Confirmation(
        recipe,
        scores={record.run.seed: math.nan if record.score is None else record.score for record in done},
        test_scores={record.run.seed: record.test_score for record in done if record.test_score is not None},
        search_score=search_score,
        failures={
            record.run.seed: record.note or record.state.value
            for record in ours
            if record.state in (RunState.DIVERGED, RunState.FAILED)
        },
    )


def seed_noise(confirmations: Iterable[Confirmation]) -> float | None:
    """Return the standard deviation of a score over seeds, pooled over confirmations; ``None`` if unknown."""
    deviations = [stdev(c.scores.values()) for c in confirmations if len(c.scores) > 1]
    return math.sqrt(sum(d * d for d in deviations) / len(deviations)) if deviations else None


def interval_to_dict(interval: Interval | None) -> dict[str, float | None]:
    """Return an interval as plain data for JSON; what is infinite or unknown becomes null."""
    values = (math.nan,) * 3 if interval is None else (interval.low, interval.middle, interval.high)
    return {
        name: value if math.isfinite(value) else None
        for name, value in zip(("low", "middle", "high"), values, strict=True)
    }


def interval_from_fields(fields: Fields) -> Interval | None:
    """Read what ``interval_to_dict`` wrote."""
    low, middle, high = (fields.optional_number(name) for name in ("low", "middle", "high"))
    if middle is None:
        return None
    return Interval(-math.inf if low is None else low, middle, math.inf if high is None else high)


def _finite(scores: Mapping[int, float]) -> dict[int, float]:
    return {seed: float(score) for seed, score in sorted(scores.items()) if math.isfinite(score)}
