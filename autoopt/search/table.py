"""Trials as rows of numbers, and the model that is made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from itertools import product

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial

from autoopt.search.candidates import Candidate, place_of
from autoopt.search.standing import LEVELS, REDUCTION
from autoopt.search.surrogate import Array, Axes, Surrogate, likeliest

RATES = ("lr_relative", "learning_rate", "lr")  # the shorter a training, the higher the best one
FALLS = (0.0, 0.5)  # with which power of the length; the root was measured (studies/2026-11-21-pace)
LEVEL = "training length"
LEVEL_LENGTHS = (0.45, 0.9)  # how much a third of the training says of all: correlations of 0.54 and 0.86


class Table:
    """Turns values into rows of numbers, the last column being the length of training."""

    def __init__(self, trials: Sequence[FrozenTrial], main: str | None, lengths: Mapping[str, float]) -> None:
        kinds, self._stretched = _widest(trials)
        self._names = sorted(kinds)
        self._rates = {name: math.log(kind.high / kind.low) for name, kind in kinds.items()
                       if name in RATES and isinstance(kind, FloatDistribution) and kind.log}  # fmt: skip
        choices = {
            name: len(kind.choices)
            for name, kind in kinds.items()
            if isinstance(kind, CategoricalDistribution)
        }
        self._axes = Axes(
            (*self._names, LEVEL), frozenset(choices), main, lengths, max(choices.values(), default=1)
        )

    def model(
        self, candidates: Sequence[Candidate], stands: Sequence[Mapping[int, float]], numbers: Array
    ) -> Surrogate:
        """Return the likeliest model of candidates that stand so at some levels."""
        rows = [
            (candidate, level) for candidate, each in zip(candidates, stands, strict=True) for level in each
        ]
        values = np.array([value for each in stands for value in each.values()])
        values = (values - values.mean()) / (float(values.std()) or 1.0)
        parts, levels = [candidate for candidate, _ in rows], [level for _, level in rows]
        runs = np.repeat(numbers, [len(each) for each in stands])
        tables = [self.rows(parts, levels, fall) for fall in FALLS]
        variants = [
            (replace(self._axes, lengths={**(self._axes.lengths or {}), LEVEL: length}), table)
            for table, length in product(tables, LEVEL_LENGTHS)
        ]
        return likeliest(variants, values, runs)

    def rows(
        self, candidates: Sequence[Candidate], levels: Sequence[int] | None = None, fall: float = 0.0
    ) -> Array:
        """Return one row for each candidate, trained to its level; all of them completely by default.

        Args:
            fall: a rate after a part of the training stands for one lower by that part to this power.
        """
        table = np.full((len(candidates), len(self._names) + 1), np.nan)
        columns = {name: column for column, name in enumerate(self._names)}
        at = np.full(len(candidates), LEVELS - 1) if levels is None else np.array(levels)
        for row, candidate in enumerate(candidates):
            for name, place in candidate.places.items():
                if name in columns:
                    wide = self._stretched.get(name)
                    table[row, columns[name]] = (
                        place if wide is None else place_of(candidate.params[name], wide)
                    )
        for name, span in self._rates.items():
            table[:, columns[name]] -= fall * (LEVELS - 1 - at) * math.log(REDUCTION) / span
        table[:, -1] = at / (LEVELS - 1)
        return table


def _widest(
    trials: Sequence[FrozenTrial],
) -> tuple[dict[str, BaseDistribution], dict[str, BaseDistribution]]:
    """Return by name what a value may be, and of numbers whose range has changed the range from end to end."""
    kinds: dict[str, BaseDistribution] = {}
    stretched: dict[str, BaseDistribution] = {}
    for trial in trials:
        for name, kind in trial.distributions.items():
            known = kinds.setdefault(name, kind)
            if isinstance(kind, CategoricalDistribution) or isinstance(known, CategoricalDistribution):
                continue
            assert isinstance(known, FloatDistribution | IntDistribution)
            assert isinstance(kind, FloatDistribution | IntDistribution)
            if (known.low, known.high) == (kind.low, kind.high):
                continue
            wide = copy(kind)
            wide.low, wide.high = min(known.low, kind.low), max(known.high, kind.high)
            kinds[name] = stretched[name] = wide
    return kinds, stretched
