"""What may be tried: the search space, how a chooser walks it, and recipes as people write them.

May import catalogue, recipe and errors; no Optuna, tasks or guidance. Anything with Optuna's three
``suggest_…`` methods can choose.

Names that the chooser sees:

- ``optimizer`` and ``schedule``, also when only one is left;
- ``lr_relative``, a multiple of the optimizer's reference rate: one name and one range for all of them, so
  that what is learned with one optimizer serves the next;
- ``warmup``, shared by all schedules;
- ``adamw.weight_decay``, ``sgd.one_minus_momentum``, ``step.pieces``: the hyperparameters of one optimizer or
  schedule, under its name;
- ``batch_size`` and ``clip``, where they are searched.

What is fixed is not asked, nor the schedule of an optimizer that goes with one alone.
"""

from __future__ import annotations

from autoopt.space.build import ALL, SearchSpace, build_space, spell_out
from autoopt.space.check import check_recipe
from autoopt.space.choose import reference_choices, suggest
from autoopt.space.question import Chooser
from autoopt.space.written import BASELINE, SPARSE_BASELINE, parse_fixed, parse_recipe

__all__ = [
    "ALL",
    "BASELINE",
    "SPARSE_BASELINE",
    "Chooser",
    "SearchSpace",
    "build_space",
    "check_recipe",
    "parse_fixed",
    "parse_recipe",
    "reference_choices",
    "spell_out",
    "suggest",
]
