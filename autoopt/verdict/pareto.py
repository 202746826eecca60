"""What a better score costs: recipes that no other beats in score, seconds of a training and memory together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from autoopt.catalogue import OPTIMIZERS
from autoopt.errors import SpaceError, UsageError
from autoopt.guidance.claims import PLAIN_SGD
from autoopt.recipe import Recipe
from autoopt.run import Direction, RunRecord
from autoopt.space.check import check_recipe
from autoopt.tasks.profile import TaskProfile
from autoopt.verdict.comparison import BYTES_A_FLOAT, NOISES, method_of, title_of
from autoopt.verdict.fields import Fields
from autoopt.verdict.studied import StudiedRuns

SAME_TIME = 1.1  # times within this factor are the same


@dataclass(frozen=True)
class Point:
    """A recipe with what it scored and what it costs.

    Attributes:
        score: of one run of the search, or the mean of ``seeds`` fresh ones, with its 95 % interval.
        seconds: of a complete training with its evaluations, by the median epoch of all runs of its optimizer with
            that batch size.
        bytes: of weights, gradients and the optimizer's state, at four bytes each; ``None`` where that is not known,
            as of an optimizer of the user's own.
        ties: something that is neither slower nor larger scores as well, within the noise of the seeds.
    """

    recipe: Recipe
    score: float
    seconds: float
    bytes: int | None = None
    seeds: int = 1
    low: float | None = None
    high: float | None = None
    ties: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**vars(self), "recipe": self.recipe.to_dict()}

    @classmethod
    def from_fields(cls, data: Fields) -> Point:
        """Read what ``to_dict`` wrote; UsageError names a field that is wrong."""
        inner, size = data.inner("recipe"), data.optional_number("bytes")
        try:
            recipe = check_recipe(Recipe.from_dict(inner.data))
        except SpaceError as error:
            raise UsageError(f"{inner.place}: {error}") from error
        return cls(
            recipe, data.number("score"), data.number("seconds"), None if size is None else int(size),
            int(data.number("seeds")), data.optional_number("low"), data.optional_number("high"),
            data.data.get("ties") is True,
        )  # fmt: skip


@dataclass(frozen=True)
class Pareto:
    """The recipes of a study that nothing beats in everything, best score first.

    Attributes:
        confirmed: among those trained completely on fresh seeds, on all of which they succeeded.
        searched: among the runs of the search that were trained for ``epochs``, the most that any was.
    """

    confirmed: tuple[Point, ...] = ()
    searched: tuple[Point, ...] = ()
    epochs: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "epochs": self.epochs,
            "confirmed": [point.to_dict() for point in self.confirmed],
            "searched": [point.to_dict() for point in self.searched],
        }

    @classmethod
    def from_fields(cls, data: Fields) -> Pareto:
        """Read what ``to_dict`` wrote; UsageError names a field that is wrong."""
        confirmed, searched = (data.each(name, Point.from_fields) for name in ("confirmed", "searched"))
        return cls(confirmed, searched, int(data.number("epochs")))


def find_pareto(runs: StudiedRuns, profile: TaskProfile | None = None) -> Pareto:
    """Return what a better score costs in a study.

    Args:
        profile: of the task, for bytes; ``None`` leaves these unknown.
    """
    times = _seconds_by_kind(runs)
    level = max((record.epochs_done for record in runs.trials if _is_scored(record)), default=0)
    confirmed = [
        Point(c.recipe, c.interval.middle, times[_kind(c.recipe)], _bytes(c.recipe, profile), len(c.scores),
              *((c.interval.low, c.interval.high) if c.interval.bounded else (None, None)))
        for c in runs.everyone
        if c.interval is not None and not c.lost and _kind(c.recipe) in times
    ]  # fmt: skip
    searched = [
        Point(recipe, record.score or 0.0, times[_kind(recipe)], _bytes(recipe, profile))
        for record in runs.trials
        if _is_scored(record) and record.epochs_done == level and _kind(recipe := record.run.recipe) in times
    ]
    best, seen = (front(points, runs.direction, runs.noise) for points in (confirmed, searched))
    return Pareto(best, seen, level)


def front(points: Sequence[Point], direction: Direction, noise: float | None) -> tuple[Point, ...]:
    """Return the points that no other beats in everything, best score first, with those marked that tie.

    Of equal ones the first stays.

    Args:
        noise: standard deviation of a score over seeds; ``None`` where it is not known, and nothing ties.
    """
    sign = 1.0 if direction == "minimize" else -1.0
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (sign * p.score, p.seconds)):
        if not any(_beats(other, point, sign) for other in points) and not any(
            _costs_no_more(other, point) and other.score == point.score for other in kept
        ):
            kept.append(point)
    return tuple(replace(p, ties=any(_ties(p, other, sign, noise) for other in kept)) for p in kept)


def _beats(one: Point, other: Point, sign: float) -> bool:
    """Whether a point is as good in everything and better in something."""
    if not _costs_no_more(one, other) or sign * one.score > sign * other.score:
        return False
    smaller = _size(one) < _size(other)
    return sign * one.score < sign * other.score or one.seconds * SAME_TIME < other.seconds or smaller


def _costs_no_more(one: Point, other: Point) -> bool:
    return one.seconds <= SAME_TIME * other.seconds and _size(one) <= _size(other)


def _size(point: Point) -> float:
    """What is not known counts as the largest."""
    return math.inf if point.bytes is None else point.bytes


def _ties(point: Point, other: Point, sign: float, noise: float | None) -> bool:
    """Whether a better score may be the luck of seeds, and the other point costs no more."""
    lead = sign * (other.score - point.score)
    if noise is None or other is point or lead < 0 or not _costs_no_more(other, point):
        return False
    return lead <= NOISES * noise * math.sqrt(1 / point.seeds + 1 / other.seeds)


def _is_scored(record: RunRecord) -> bool:
    return record.score is not None and math.isfinite(record.score) and record.epochs_done > 0


def _kind(recipe: Recipe) -> tuple[str, object]:
    return method_of(recipe), recipe.batch_size


def _seconds_by_kind(runs: StudiedRuns) -> Mapping[tuple[str, object], float]:
    found: dict[tuple[str, object], list[float]] = defaultdict(list)
    for record in runs.records:
        reports = runs.reports.get(record.run.id, ())
        found[_kind(record.run.recipe)] += [r.seconds for r in reports if not r.over]
    return {kind: runs.epochs * median(seconds) for kind, seconds in found.items() if seconds}


def _bytes(recipe: Recipe, profile: TaskProfile | None) -> int | None:
    if profile is None or recipe.optimizer not in OPTIMIZERS:
        return None
    floats = 0.0 if method_of(recipe) == PLAIN_SGD else OPTIMIZERS[recipe.optimizer].state_floats
    return round(BYTES_A_FLOAT * (profile.n_parameters + (1 + floats) * profile.n_trainable))


COLUMNS = ("optimizer", "lr", "score", "seconds", "memory", "")
"""Headings of ``rows_of``."""


def rows_of(points: Iterable[Point]) -> list[tuple[str, ...]]:
    """Return what a table of points shows; the mark stands for a tie."""
    return [
        (title_of(method_of(point.recipe)), f"{point.recipe.settings.get('lr', math.nan):.3g}", _score(point),
         f"{point.seconds:.3g}", _megabytes(point.bytes), "≈" if point.ties else "")
        for point in points
    ]  # fmt: skip


def _score(point: Point) -> str:
    bounds = "" if point.low is None or point.high is None else f" [{point.low:.3g}, {point.high:.3g}]"
    return f"{point.score:.4g}{bounds}"


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.3g} MB"
