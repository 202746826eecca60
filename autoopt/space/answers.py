"""The walk through a space backwards: from a recipe to the answers that lead to it."""

from __future__ import annotations

import math
from typing import Any

from autoopt.catalogue import SCHEDULES
from autoopt.catalogue.entry import Hyperparameter
from autoopt.catalogue.rate import learning_rate
from autoopt.errors import SpaceError
from autoopt.recipe import Recipe, Setting
from autoopt.space.build import SearchSpace
from autoopt.space.check import NO_CLIPPING
from autoopt.space.choose import LR_RELATIVE, walk_space
from autoopt.space.question import ZERO_SPAN, Question
from autoopt.space.tidy import tidy


def answers_for(space: SearchSpace, recipe: Recipe) -> dict[str, Any]:
    """Return what a chooser must answer for ``suggest`` to give this recipe.

    A number outside its range is answered with the nearer end, a setting that the recipe leaves out with its
    reference. What is fixed in the space is not asked, and so not among the answers. Numbers are tidy, so that
    the way from answers to a recipe and back ends where it began.

    Raises:
        SpaceError: the optimizer, the schedule or another choice of the recipe is not among those of the space.
    """
    answers: dict[str, Any] = {}

    def answer(question: Question) -> Any:
        value = _answer(question, recipe, space)
        if question.kind != "categorical":
            low, high = question.low, question.high
            value = tidy(min(max(float(value), low), high), low, high, log=question.log)
            value = round(value) if question.kind == "int" else value
        elif value not in question.choices:
            choices = ", ".join(map(str, question.choices))
            raise SpaceError(f"{question.name}={value} is none of those searched: {choices}")
        answers[question.name] = value
        return value

    walk_space(space, answer)
    return answers


def _answer(question: Question, recipe: Recipe, space: SearchSpace) -> Any:
    entry = space.entry(recipe.optimizer) if recipe.optimizer in space.optimizers else None
    match question.name:
        case "optimizer":
            return recipe.optimizer
        case "schedule":
            return recipe.schedule
        case "batch_size":
            return recipe.batch_size or question.reference
        case "clip":
            limits = {"norm": recipe.clip_norm, "value": recipe.clip_value}
            return next((f"{kind} {limit:g}" for kind, limit in limits.items() if limit), NO_CLIPPING)
        case "warmup":
            return recipe.schedule_settings.get("warmup", 0.0)
        case LR_RELATIVE.name if entry and "lr" in recipe.settings:
            return float(recipe.settings["lr"]) / learning_rate(entry, 1.0, recipe.settings)
    if question.name in {extra.name for extra in space.extras}:
        return recipe.extras.get(question.name, question.reference)
    owner, _, walked = question.name.rpartition(".")
    settings = recipe.settings if owner == recipe.optimizer else recipe.schedule_settings
    name = walked.removeprefix("one_minus_")
    if name not in settings:
        return question.reference
    holder = entry if entry and owner == recipe.optimizer else SCHEDULES[recipe.schedule]
    return _answer_for(holder.hyperparameter(name), settings[name], question)


def _answer_for(hyperparameter: Hyperparameter, value: Setting, question: Question) -> Any:
    """Return the answer that ``setting_for`` turns into this value."""
    if hyperparameter.kind != "float":
        return value
    if hyperparameter.scale == "one_minus_log":
        return 1 - float(value)
    if hyperparameter.or_zero and not value:
        return question.low * math.sqrt(ZERO_SPAN)
    return value
