"""From a recipe to plain torch: parameter groups, an optimizer and a learning-rate scheduler."""

from __future__ import annotations

import importlib
from typing import Any

from torch import nn
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from autoopt.catalogue import SCHEDULES
from autoopt.catalogue.available import check_available
from autoopt.catalogue.entry import OptimizerEntry, ScheduleEntry
from autoopt.catalogue.misfit import misfit
from autoopt.catalogue.own import entry_of
from autoopt.catalogue.rate import warmup_steps
from autoopt.errors import SpaceError, TaskError, unknown_name
from autoopt.recipe import Recipe
from autoopt.tasks.explain import describe_error
from autoopt.training.muon import hidden_matrices
from autoopt.training.own import load_class


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Return the groups that the optimizer gets: decayed and undecayed parameters, or all in one.

    With weight decay in the recipe, parameters of fewer than two dimensions (biases, normalisation) get a
    group with ``weight_decay`` 0, unless the recipe has ``decay_all``. Frozen parameters are left out, tied
    ones appear once. For Muon the hidden matrices have groups of their own, with ``use_muon`` true.

    Raises:
        TaskError: the model has no parameter to train, or no hidden matrix for Muon.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise TaskError(
            f"the model {type(model).__name__} has no parameter with requires_grad=True, so nothing to train"
        )
    groups: list[dict[str, Any]] = [{"params": parameters}]
    if recipe.settings.get("weight_decay") and not recipe.decay_all:
        decayed = [parameter for parameter in parameters if parameter.ndim >= 2]
        others = [parameter for parameter in parameters if parameter.ndim < 2]
        groups = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    if "hidden_matrices" in entry_of(recipe).needs:
        groups = _split_for_muon(model, groups)
    return [group for group in groups if group["params"]]


def _split_for_muon(model: nn.Module, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    hidden = {id(parameter) for parameter in hidden_matrices(model)}
    if not hidden:
        raise TaskError(
            f"Muon moves matrices between other layers, and the model {type(model).__name__} has none (embeddings, "
            "the last layer and kernels of convolutions are left to AdamW): take adamw"
        )
    return [
        {
            **group,
            "params": [p for p in group["params"] if (id(p) in hidden) == use_muon],
            "use_muon": use_muon,
        }
        for group in groups
        for use_muon in (True, False)
    ]


def build_optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """Return the recipe's optimizer for the model: a plain torch optimizer, parameter groups done.

    Raises:
        SpaceError: there is no such optimizer, its library is not installed, or it refuses a setting.
        TaskError: the model has no parameter to train, or none that the optimizer is for.
    """
    entry = entry_of(recipe)
    check_available(entry)
    make = _class_of(entry)
    arguments = entry.arguments(recipe.settings)
    groups = parameter_groups(model, recipe)
    if reason := misfit(entry, n_trainable=sum(p.numel() for group in groups for p in group["params"])):
        raise SpaceError(reason)
    try:
        optimizer: Optimizer = make(groups, **arguments)
    except Exception as error:
        written = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        said = error if isinstance(error, ValueError | TypeError) else describe_error(error)
        raise SpaceError(f"{entry.title} refuses {written}: {said}") from error
    return optimizer


def build_warmup(optimizer: Optimizer, recipe: Recipe, total_steps: int) -> LRScheduler | None:
    """Return the warmup of a schedule that follows the validation loss; call its ``step`` after every batch.

    ``None`` where there is no warmup, or ``build_scheduler`` has it in: torch's ReduceLROnPlateau is stepped once
    an epoch, and stands in no chain of schedulers.

    Raises:
        SpaceError: there is no such schedule.
    """
    warmup = warmup_steps(recipe.schedule_settings, total_steps)
    if not warmup or _schedule_entry(recipe.schedule).follow is None:
        return None
    return lr_scheduler.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)


def build_scheduler(optimizer: Optimizer, recipe: Recipe, total_steps: int) -> LRScheduler:
    """Return the recipe's schedule as a plain torch scheduler; call its ``step`` after every batch.

    Its rates are those of ``autoopt.catalogue.rate.learning_rate_factor``. With W warmup steps the factor
    rises from 1 / (W + 1), and the schedule itself spans the remaining ``total_steps`` − W. A schedule that
    follows the validation loss is stepped with that loss after every epoch; its warmup is ``build_warmup``.

    Args:
        total_steps: batches of the whole training, warmup included; at least 1.

    Raises:
        SpaceError: there is no such schedule, or it refuses a setting.
    """
    entry = _schedule_entry(recipe.schedule)
    if total_steps < 1:
        raise SpaceError(f"a schedule needs at least 1 step, got total_steps={total_steps}")
    warmup = warmup_steps(recipe.schedule_settings, total_steps)
    try:
        if not warmup or entry.follow is not None:
            return _main_scheduler(optimizer, entry, recipe, total_steps)
        rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
        main = _main_scheduler(optimizer, entry, recipe, max(1, total_steps - warmup))
        return lr_scheduler.SequentialLR(optimizer, [rise, main], milestones=[warmup])
    except (ValueError, TypeError) as error:
        settings = ", ".join(f"{key}={value!r}" for key, value in recipe.schedule_settings.items())
        raise SpaceError(f"schedule {entry.name} refuses {settings or 'its settings'}: {error}") from error


def _main_scheduler(optimizer: Optimizer, entry: ScheduleEntry, recipe: Recipe, steps: int) -> LRScheduler:
    settings = recipe.schedule_settings
    if entry.torch_form is None:
        # torch steps once beyond the last batch, where the closed form may be undefined
        last = steps - 1
        return lr_scheduler.LambdaLR(optimizer, lambda step: entry.factor(min(step, last), steps, settings))
    name, arguments = entry.torch_form(steps, settings)
    scheduler: LRScheduler = getattr(lr_scheduler, name)(optimizer, **arguments)
    return scheduler


def _class_of(entry: OptimizerEntry) -> Any:
    if entry.own is not None:
        return load_class(entry.own)
    module, _, name = entry.target.partition(":")
    return getattr(importlib.import_module(module), name)


def _schedule_entry(name: str) -> ScheduleEntry:
    if name not in SCHEDULES:
        raise SpaceError(unknown_name("schedule", name, SCHEDULES))
    return SCHEDULES[name]
