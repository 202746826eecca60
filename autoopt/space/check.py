"""Checks of names and values: whatever a person or a file says passes here before it is used."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from keyword import iskeyword
from typing import Literal

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.entry import Batches, Hyperparameter, Legal, OptimizerEntry
from autoopt.catalogue.misfit import LOOKS_AT
from autoopt.catalogue.own import entry_of
from autoopt.catalogue.ranges import is_plain
from autoopt.errors import SpaceError, unknown_name
from autoopt.recipe import WHOLE, Recipe, Setting

BatchSize = int | Literal["whole"] | None

BATCH_SIZE = Hyperparameter("batch_size", kind="int", legal="at least 1", says="Rows a training batch.")
CLIP_NORM = Hyperparameter("clip_norm", legal="above 0", says="Largest 2-norm of the whole gradient.")
CLIP_VALUE = Hyperparameter(
    "clip_value", legal="above 0", says="Largest size of each number in the gradient."
)
NO_CLIPPING = "off"

OWN_BATCH: dict[Batches, BatchSize] = {"any": None, "whole": WHOLE, "single": 1}
"""The batch size that an optimizer sets by itself; ``None`` where the recipe does."""

_IS_LEGAL: dict[Legal, Callable[[float], bool]] = {
    "above 0": lambda value: value > 0,
    "at least 0": lambda value: value >= 0,
    "at least 1": lambda value: value >= 1,
    "from 0 to below 1": lambda value: 0 <= value < 1,
    "above 0 up to 1": lambda value: 0 < value <= 1,
    "of any size": lambda value: True,  # noqa: ARG005
}


def check_value(hyperparameter: Hyperparameter, value: object) -> Setting:
    """Return the value in the type of its hyperparameter.

    Raises:
        SpaceError: the type is wrong, or no such value makes sense.
    """
    name, legal = hyperparameter.name, hyperparameter.legal
    if hyperparameter.kind == "bool":
        if isinstance(value, bool):
            return value
        raise SpaceError(f"{name} must be true or false, got {value!r}")
    if hyperparameter.kind == "choice":
        if isinstance(value, Setting) and value in hyperparameter.choices:
            return value
        raise SpaceError(
            f"{name} must be one of {', '.join(map(str, hyperparameter.choices))}, got {value!r}"
        )
    number = _number(value)
    if hyperparameter.kind == "int":
        if math.isfinite(number) and number == int(number) and _IS_LEGAL[legal](number):
            return int(number)
        raise SpaceError(f"{name} must be a whole number {legal}, got {value!r}")
    if math.isfinite(number) and _IS_LEGAL[legal](number):
        return number
    raise SpaceError(f"{name} must be a number {legal}, got {value!r}")


def check_name(kind: str, name: object, known: Iterable[str]) -> None:
    """Make sure that the catalogue has an optimizer or schedule of that name.

    Raises:
        SpaceError: it has none; the nearest name is offered.
    """
    if not isinstance(name, str):
        raise SpaceError(f"the {kind} must be a name, got {name!r}")
    if name not in set(known):
        raise SpaceError(unknown_name(kind, name, known))


def check_clip(limit: Hyperparameter, value: object) -> float | None:
    """Return the limit of clipping, by norm or by value, or ``None`` where the value says that nothing is clipped.

    Args:
        limit: ``CLIP_NORM`` or ``CLIP_VALUE``.

    Raises:
        SpaceError: neither a number above 0 nor "off".
    """
    if value is None or value == NO_CLIPPING:
        return None
    if isinstance(value, str):
        raise SpaceError(f"{limit.name} must be a number above 0, or {NO_CLIPPING!r}, got {value!r}")
    return float(check_value(limit, value))


def check_one_clipping(norm: object, value: object) -> None:
    """Refuse clipping by norm and by value at once; ``None`` and "off" are no clipping.

    Raises:
        SpaceError: both limits are set.
    """
    if norm not in (None, NO_CLIPPING) and value not in (None, NO_CLIPPING):
        raise SpaceError(
            f"clip_norm={norm} and clip_value={value}: a gradient is clipped by norm or by value, so leave one out"
        )


def check_batch_size(value: object) -> int | Literal["whole"]:
    """Return rows a batch, or ``WHOLE``.

    Raises:
        SpaceError: neither a whole number from 1 nor "whole".
    """
    return WHOLE if value == WHOLE else int(check_value(BATCH_SIZE, value))


def batch_of(entry: OptimizerEntry, given: object) -> BatchSize:
    """Return the batch size of an optimizer: its own, where it has one, or the given one.

    Raises:
        SpaceError: it has its own, and another one is given; or that makes no sense.
    """
    size, own = None if given is None else check_batch_size(given), OWN_BATCH[entry.batches]
    if own is None or size in (None, own):
        return own or size
    looks_at = LOOKS_AT[entry.batches]
    raise SpaceError(
        f"batch_size={given} does not go with {entry.name}, which looks at {looks_at} at every step: leave it out"
    )


def can_clip(entry: OptimizerEntry) -> bool:
    """Return whether gradients pass through the loop on their way to an optimizer."""
    return "second_derivatives" not in entry.needs


def check_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe with every value in its proper type, or say what is wrong with it.

    Raises:
        SpaceError: an optimizer, schedule or setting does not exist, a value has the wrong type or makes no
            sense.
    """
    if recipe.own is None:
        check_name("optimizer", recipe.optimizer, OPTIMIZERS)
    check_name("schedule", recipe.schedule, SCHEDULES)
    if not isinstance(recipe.decay_all, bool):
        raise SpaceError(f"decay_all must be true or false, got {recipe.decay_all!r}")
    settings = _optimizer_settings(recipe)
    if settings.get("nesterov") and not settings.get("momentum"):
        raise SpaceError("nesterov=true needs a momentum above 0: write momentum=0.9 nesterov=true")
    check_one_clipping(recipe.clip_norm, recipe.clip_value)
    if not can_clip(entry_of(recipe)) and (recipe.clip_norm or recipe.clip_value):
        raise SpaceError(
            f"{recipe.optimizer} takes the derivatives itself, so nothing can be clipped: leave clip_norm and "
            "clip_value out"
        )
    only = entry_of(recipe).schedules
    if only and recipe.schedule not in only:
        raise SpaceError(
            f"{recipe.optimizer} needs no schedule that decays: write schedule={' or schedule='.join(only)} "
            f"(warmup goes with it), got schedule={recipe.schedule}"
        )
    schedule = SCHEDULES[recipe.schedule]
    return replace(
        recipe,
        settings=settings,
        schedule_settings=_checked(recipe.schedule_settings, schedule.hyperparameters, recipe.schedule),
        batch_size=batch_of(entry_of(recipe), recipe.batch_size),
        clip_norm=check_clip(CLIP_NORM, recipe.clip_norm),
        clip_value=check_clip(CLIP_VALUE, recipe.clip_value),
    )


def _optimizer_settings(recipe: Recipe) -> dict[str, Setting]:
    if recipe.own is None:
        return _checked(recipe.settings, OPTIMIZERS[recipe.optimizer].hyperparameters, recipe.optimizer)
    for name, value in recipe.settings.items():  # the class decides what it takes; they become its arguments
        if not name.isidentifier() or iskeyword(name) or not is_plain(value):
            raise SpaceError(f"{name}={value!r} cannot be a setting of {recipe.own.target}")
    return dict(recipe.settings)


def _checked(
    settings: Mapping[str, Setting], hyperparameters: Iterable[Hyperparameter], owner: str
) -> dict[str, Setting]:
    known = {hyperparameter.name: hyperparameter for hyperparameter in hyperparameters}
    for name in settings:
        if name not in known:
            raise SpaceError(unknown_name(f"setting of {owner}", name, known))
    return {name: check_value(known[name], value) for name, value in settings.items()}


def _number(value: object) -> float:
    """Return a number as a float; NaN for what is none, so that the caller has one thing to refuse."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
