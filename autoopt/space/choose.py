"""The walk through a space: ask a chooser for everything that a recipe needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from autoopt.catalogue import SCHEDULES, WARMUP
from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, ScheduleEntry
from autoopt.catalogue.hyperparameters import RELATIVE_RATES
from autoopt.catalogue.rate import learning_rate
from autoopt.errors import SpaceError, unknown_name
from autoopt.recipe import Recipe, Setting
from autoopt.space.build import SearchSpace
from autoopt.space.check import (
    CLIP_NORM,
    CLIP_VALUE,
    NO_CLIPPING,
    OWN_BATCH,
    BatchSize,
    can_clip,
    check_batch_size,
    check_clip,
)
from autoopt.space.extra import Extra
from autoopt.space.question import Chooser, Question, question_for, setting_for

LR_RELATIVE = Question("lr_relative", "float", 1.0, low=RELATIVE_RATES[0], high=RELATIVE_RATES[1], log=True)

# A few shares and not a range: "no warmup" must be among the answers, and AlgoPerf's best configurations use
# 2, 5 and 10 %, nothing finer.
WARMUP_SHARES = Question("warmup", "categorical", WARMUP.reference, choices=(0.0, 0.05, 0.1))

# One question for both kinds, of which a recipe has one at most. Norms around 1 are what language models are tuned
# with; the values are a proposal, as none were found tuned: single numbers of a gradient are far smaller than its norm.
CLIPPINGS = (NO_CLIPPING, "norm 0.3", "norm 1", "norm 3", "value 0.01", "value 0.1", "value 1")

Ask = Callable[[Question], Any]


def suggest(space: SearchSpace, chooser: Chooser) -> Recipe:
    """Let the chooser pick a recipe from the space.

    Args:
        chooser: an Optuna trial, or anything with its ``suggest_float``, ``suggest_int`` and
            ``suggest_categorical``.
    """
    return walk_space(space, lambda question: question.ask(chooser))


def reference_choices(space: SearchSpace, optimizer: str) -> dict[str, Any]:
    """Return what a chooser must answer to get the reference recipe of an optimizer.

    That is its reference rate and settings, a linear decay to zero (else cosine, else the first schedule of
    the space) and a short warmup. The names are exactly those that ``suggest`` asks then.

    Raises:
        SpaceError: the optimizer is not in the space.
    """
    if optimizer not in space.optimizers:
        raise SpaceError(unknown_name("optimizer of this space", optimizer, space.optimizers))
    answers: dict[str, Any] = {}

    def answer(question: Question) -> Any:
        given = optimizer if question.name == "optimizer" else question.reference
        return answers.setdefault(question.name, given)

    walk_space(space, answer)
    return answers


def reference_recipe(space: SearchSpace, optimizer: str) -> Recipe:
    """Return the recipe that ``reference_choices`` lead to; SpaceError if the optimizer is not in the space."""
    answers = reference_choices(space, optimizer)
    return walk_space(space, lambda question: answers[question.name])


def walk_space(space: SearchSpace, ask: Ask) -> Recipe:
    """Build a recipe, asking for everything that the space does not fix."""
    optimizer = ask(Question("optimizer", "categorical", space.optimizers[0], choices=space.optimizers))
    entry = space.entry(optimizer)
    schedule, shape = _schedule(space, entry, ask) if entry.takes_schedule else ("constant", {})
    return Recipe(
        optimizer=optimizer,
        settings=_optimizer_settings(space, entry, ask),
        schedule=schedule,
        schedule_settings=shape,
        batch_size=_batch_size(space, entry, ask),
        **(_clipping(space, ask) if can_clip(entry) else {}),
        decay_all=space.decay_all,
        own=entry.own,
        extras={extra.name: _extra(space, extra, ask) for extra in space.extras},
    )


def _schedule(space: SearchSpace, entry: OptimizerEntry, ask: Ask) -> tuple[str, dict[str, Setting]]:
    """Ask for a schedule of the space; an optimizer that goes with few has one of those, whatever the space says."""
    name, choices = "schedule", space.schedules
    if entry.schedules:
        # another name, since what is asked under one name must offer the same every time
        name = f"{entry.name}.schedule"
        choices = tuple(each for each in entry.schedules if each in space.schedules) or entry.schedules
    reference = next((each for each in ("linear", "cosine") if each in choices), choices[0])
    one = entry.schedules and len(choices) == 1
    chosen = reference if one else ask(Question(name, "categorical", reference, choices=choices))
    return chosen, _schedule_settings(space, SCHEDULES[chosen], ask)


def _optimizer_settings(space: SearchSpace, entry: OptimizerEntry, ask: Ask) -> dict[str, Setting]:
    low, high = space.rates
    relative = None if "lr" in space.fixed else ask(replace(LR_RELATIVE, low=low, high=high))
    settings: dict[str, Setting] = {"lr": space.fixed.get("lr", 0.0)}
    for hyperparameter in entry.hyperparameters:
        if hyperparameter.name != "lr" and _exists(hyperparameter, settings, space):
            settings[hyperparameter.name] = _setting(space, hyperparameter, entry.name, ask)
    if relative is not None:
        settings["lr"] = learning_rate(entry, relative, settings)  # momentum may scale it, so it comes last
    return settings


def _exists(hyperparameter: Hyperparameter, settings: dict[str, Setting], space: SearchSpace) -> bool:
    if hyperparameter.name == "weight_decay" and space.sparse_gradients:
        return "weight_decay" in space.fixed
    if hyperparameter.name == "nesterov" and settings.get("momentum") == 0:
        return False  # nothing leads ahead, and torch refuses the pair
    if hyperparameter.only_if is None:
        return True
    name, value = hyperparameter.only_if
    return settings.get(name) == value


def _schedule_settings(space: SearchSpace, entry: ScheduleEntry, ask: Ask) -> dict[str, Setting]:
    return {
        hyperparameter.name: ask(WARMUP_SHARES)
        if hyperparameter.name == WARMUP.name and WARMUP.name not in space.fixed
        else _setting(space, hyperparameter, entry.name, ask)
        for hyperparameter in entry.hyperparameters
    }


def _setting(space: SearchSpace, hyperparameter: Hyperparameter, owner: str, ask: Ask) -> Setting:
    if hyperparameter.name in space.fixed:
        return space.fixed[hyperparameter.name]
    return setting_for(hyperparameter, ask(question_for(hyperparameter, owner)))


def _extra(space: SearchSpace, extra: Extra, ask: Ask) -> Setting:
    return space.fixed[extra.name] if extra.name in space.fixed else extra.value(ask(extra.question))


def _batch_size(space: SearchSpace, entry: OptimizerEntry, ask: Ask) -> BatchSize:
    if (own := OWN_BATCH[entry.batches]) is not None:
        return own
    if "batch_size" in space.fixed:
        return check_batch_size(space.fixed["batch_size"])
    if not space.batch_sizes:
        return None
    middle = space.batch_sizes[(len(space.batch_sizes) - 1) // 2]
    return int(ask(Question("batch_size", "categorical", middle, choices=space.batch_sizes)))


def _clipping(space: SearchSpace, ask: Ask) -> dict[str, float | None]:
    """Return ``clip_norm`` and ``clip_value``; where one is fixed to "off", only the other is searched."""
    limits = (CLIP_NORM, CLIP_VALUE)
    found = {each.name: check_clip(each, space.fixed.get(each.name)) for each in limits}
    left = [each.name for each in limits if each.name not in space.fixed]
    if not space.tune_clip or not left or any(found.values()):
        return found
    kinds = [name.removeprefix("clip_") for name in left]
    choices = tuple(each for each in CLIPPINGS if each == NO_CLIPPING or each.split()[0] in kinds)
    kind, _, limit = str(ask(Question("clip", "categorical", NO_CLIPPING, choices=choices))).partition(" ")
    return {**found, f"clip_{kind}": float(limit)} if limit else found
