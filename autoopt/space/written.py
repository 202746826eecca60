"""Recipes and settings as people write them on a command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.entry import OptimizerEntry
from autoopt.catalogue.ranges import parse_value
from autoopt.errors import SpaceError, unknown_name
from autoopt.recipe import Recipe, Setting
from autoopt.space.check import CLIP_NORM, CLIP_VALUE, check_clip, check_name, check_recipe

_FIELDS = ("schedule", "batch_size", "clip_norm", "clip_value", "decay_all")


def parse_recipe(text: str, own: Iterable[OptimizerEntry] = ()) -> Recipe:
    """Return the recipe that a line says: an optimizer, then its settings and those of the schedule.

    What is not said keeps torch's default; the schedule is constant, without warmup, unless said.

    Args:
        text: ``adamw lr=1e-3 schedule=cosine``.
        own: entries of the user's own optimizers, which may be named beside those of the catalogue.

    Raises:
        SpaceError: the line is not of that form, or an optimizer, schedule, setting or value does not exist.

    >>> print(parse_recipe("adamw lr=1e-3 weight_decay=0.1 schedule=cosine warmup=0.05 batch_size=64"))
    adamw · lr 0.001 · weight_decay 0.1 · cosine (warmup 0.05) · batch 64
    """
    words = text.split()
    if not words or "=" in words[0]:
        raise SpaceError(
            f"a recipe starts with an optimizer: write 'adamw lr=1e-3 schedule=cosine', got {text!r}"
        )
    optimizer, values = words[0].lower(), _parse_pairs(words[1:])
    known = {**OPTIMIZERS, **{entry.name: entry for entry in own}}
    check_name("optimizer", optimizer, known)
    entry = known[optimizer]
    fields: dict[str, Any] = {name: values.pop(name) for name in _FIELDS if name in values}
    schedule = str(fields.setdefault("schedule", "constant")).lower()
    check_name("schedule", schedule, SCHEDULES)
    of_optimizer = {hyperparameter.name for hyperparameter in entry.hyperparameters}
    of_schedule = {hyperparameter.name for hyperparameter in SCHEDULES[schedule].hyperparameters}
    for name in values:
        if name not in of_optimizer | of_schedule:
            names = of_optimizer | of_schedule | {*_FIELDS}
            raise SpaceError(unknown_name(f"setting of {optimizer} with schedule {schedule}", name, names))
    limits = {each.name: check_clip(each, fields.get(each.name)) for each in (CLIP_NORM, CLIP_VALUE)}
    fields.update(schedule=schedule, **limits)
    settings = {name: value for name, value in values.items() if name in of_optimizer}
    schedule_settings = {name: value for name, value in values.items() if name in of_schedule}
    return check_recipe(
        Recipe(optimizer, settings=settings, schedule_settings=schedule_settings, own=entry.own, **fields)
    )


def parse_fixed(pairs: Iterable[str]) -> dict[str, Setting]:
    """Return values by setting name from texts such as ``lr=1e-3``; ``build_space`` checks them.

    Raises:
        SpaceError: a text is not of the form name=value, or a name comes twice.

    >>> parse_fixed(["lr=1e-3", "nesterov=true", "clip_norm=off"])
    {'lr': 0.001, 'nesterov': True, 'clip_norm': 'off'}
    """
    return _parse_pairs(pairs)


def _parse_pairs(pairs: Iterable[str]) -> dict[str, Setting]:
    values: dict[str, Setting] = {}
    for pair in pairs:
        name, equals, written = (part.strip() for part in pair.partition("="))
        if not (name and equals and written):
            raise SpaceError(f"a setting is written name=value, for example lr=1e-3, got {pair!r}")
        if name in values:
            raise SpaceError(f"{name} is given twice: {name}={values[name]} and {pair}")
        values[name] = parse_value(written)
    return values


BASELINE = parse_recipe("adamw lr=1e-3 decay_all=true")
"""What a person writes without thinking: AdamW at 1e-3, everything else as torch has it."""

SPARSE_BASELINE = parse_recipe("adagrad lr=1e-2")
"""The same for tasks with sparse gradients, which AdamW refuses: Adagrad at torch's default rate."""
