"""What could be tried next: neighbours of what did well, and anything of a shape that was seen before.

Settings may exist only beside others, as a momentum does beside SGD. Which do is learned from the trials: a
candidate has the shape of a trial, so this works in any study, whatever its conditions. Where a program knows what
belongs together, ``Sampler`` lets it complete what is proposed here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from autoopt.space.tidy import tidy

# A neighbour lies between these shares of the range away, small steps as often as large ones.
STEPS = (0.03, 0.3)
MOVE, REDRAW, SWITCH = 0.5, 0.1, 0.12  # chances: of a number to move, to be drawn anew, of a choice to change

NEWCOMERS = 0.25  # share of the candidates that are neighbours of nothing
PARENTS = 8  # neighbours are those of the best so many, the better the more


@dataclass(frozen=True)
class Candidate:
    """Values by name, each with its distribution."""

    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]

    @cached_property
    def places(self) -> dict[str, float]:
        """Where each value lies in its range; see ``place_of``."""
        return {name: place_of(value, self.distributions[name]) for name, value in self.params.items()}


def any_candidate(ranked: Sequence[FrozenTrial], main: str | None, random: np.random.Generator) -> Candidate:
    """Return a neighbour of one of the best trials, which are ranked, or a newcomer."""
    if random.random() < NEWCOMERS:
        return newcomer(ranked[int(random.integers(len(ranked)))], main, random)
    parent = ranked[min(int(random.geometric(0.3)) - 1, len(ranked) - 1, PARENTS - 1)]
    return neighbour(parent, ranked, main, random)


def neighbour(
    trial: FrozenTrial, others: Sequence[FrozenTrial], main: str | None, random: np.random.Generator
) -> Candidate:
    """Return a trial's values with some of them changed.

    Where the main choice changes, the values that hang on it come from another trial that has made that choice.
    """
    shape = trial
    if main in trial.params and random.random() < SWITCH and others:
        shape = others[int(random.integers(len(others)))]
    reach = STEPS[0] * (STEPS[1] / STEPS[0]) ** random.random()
    params = {}
    for name, distribution in shape.distributions.items():
        value = trial.params[name] if name in trial.params and name != main else shape.params[name]
        params[name] = value if name == main else _moved(value, distribution, reach, random)
    return Candidate(params, shape.distributions)


def newcomer(trial: FrozenTrial, main: str | None, random: np.random.Generator) -> Candidate:
    """Return values drawn at random in the shape of a trial, with its main choice."""
    params = {
        name: trial.params[name] if name == main else drawn(distribution, random)
        for name, distribution in trial.distributions.items()
    }
    return Candidate(params, trial.distributions)


def place_of(value: Any, distribution: BaseDistribution) -> float:
    """Return where a value lies in its range, from 0 to 1; of a choice its index.

    >>> place_of(0.1, FloatDistribution(0.01, 1.0, log=True))
    0.5
    """
    if isinstance(distribution, CategoricalDistribution):
        return float(distribution.to_internal_repr(value))
    low, high, forth, _ = _walk(distribution)
    return (forth(value) - low) / (high - low) if high > low else 0.5


def value_at(place: float, distribution: BaseDistribution) -> float | int:
    """Return the tidy number at a place from 0 to 1 of its range: the inverse of ``place_of``."""
    low, high, _, back = _walk(distribution)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    value = tidy(back(low + place * (high - low)), distribution.low, distribution.high, log=distribution.log)
    if distribution.step is not None:
        value = distribution.low + round((value - distribution.low) / distribution.step) * distribution.step
    return round(value) if isinstance(distribution, IntDistribution) else value


def drawn(distribution: BaseDistribution, random: np.random.Generator) -> Any:
    """Return a value drawn at random."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(random.integers(len(distribution.choices)))]
    return value_at(random.random(), distribution)


def _moved(value: Any, distribution: BaseDistribution, reach: float, random: np.random.Generator) -> Any:
    chance = random.random()
    if isinstance(distribution, CategoricalDistribution):
        return drawn(distribution, random) if chance < SWITCH else value
    if chance < REDRAW:
        return drawn(distribution, random)
    if chance > REDRAW + MOVE:
        return value
    place = place_of(value, distribution) + random.normal() * reach
    # A step that leaves the range is reflected, so that values at the edge get no extra weight.
    place = -place if place < 0 else 2 - place if place > 1 else place
    return value_at(min(max(place, 0.0), 1.0), distribution)


def _walk(distribution: BaseDistribution) -> tuple[float, float, Any, Any]:
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    forth, back = (math.log, math.exp) if distribution.log else (float, float)
    return forth(distribution.low), forth(distribution.high), forth, back


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
