"""Which of two recipes is simpler and cheaper, where their scores do not tell them apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.entry import Hyperparameter
from autoopt.catalogue.own import entry_of
from autoopt.recipe import Recipe, Setting


def simplicity(recipe: Recipe) -> tuple[float, ...]:
    """Return a key that sorts recipes from simple and cheap to complicated and costly.

    In this order: the optimizer's rank in the catalogue; floats of state it keeps for a parameter; no
    clipping before clipping; the schedule's place in the catalogue (constant first); how many settings,
    beside the learning rate, stand neither at their reference value nor at zero.
    """
    optimizer = OPTIMIZERS.get(recipe.optimizer) if recipe.own is None else entry_of(recipe)
    schedule = SCHEDULES.get(recipe.schedule)
    places = list(SCHEDULES)
    unusual = 0
    if optimizer is not None:
        unusual += _count_unusual(recipe.settings, optimizer.hyperparameters)
    if schedule is not None:
        unusual += _count_unusual(recipe.schedule_settings, schedule.hyperparameters)
    return (
        math.inf if optimizer is None else optimizer.rank,
        math.inf if optimizer is None else optimizer.state_floats,
        recipe.clip_norm is not None or recipe.clip_value is not None,
        len(places) if schedule is None else places.index(recipe.schedule),
        unusual,
    )


def _count_unusual(settings: Mapping[str, Setting], hyperparameters: Iterable[Hyperparameter]) -> int:
    usual = {hyperparameter.name: hyperparameter.reference for hyperparameter in hyperparameters}
    return sum(bool(value) and value != usual.get(name) for name, value in settings.items() if name != "lr")
