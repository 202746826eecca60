"""The learning rate at every step: the reference rate of an optimizer, its warmup and its schedule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from autoopt.catalogue import SCHEDULES
from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, Value
from autoopt.catalogue.hyperparameters import RELATIVE_RATES
from autoopt.errors import SpaceError, unknown_name

LONG_STEPS = 40_000  # trainings of so many steps and more are run at the reference rates
MOST_PACE = 16.0


def warmup_steps(settings: Mapping[str, Value], total_steps: int) -> int:
    """Return how many steps the rate climbs: the share ``warmup`` of all steps, but never all of them.

    >>> warmup_steps({"warmup": 0.05}, 1000)
    50
    """
    return min(round(float(settings.get("warmup", 0.0)) * total_steps), total_steps - 1)


def learning_rate_factor(schedule: str, settings: Mapping[str, Value], step: int, total_steps: int) -> float:
    """Return what the base rate is multiplied by at a step, warmup included; past the end it stays.

    In the W warmup steps the factor is (step + 1) / (W + 1); then the schedule runs over the remaining steps.
    This equals torch's SequentialLR of LinearLR(start_factor=1 / (W + 1), total_iters=W) and ``torch_form``.

    Args:
        schedule: a name in ``SCHEDULES``.
        settings: of the schedule, ``warmup`` among them.
        step: counted from 0.
        total_steps: of the complete training, at least 1.

    Raises:
        SpaceError: there is no schedule of that name.

    >>> [learning_rate_factor("linear", {"warmup": 0.25}, step, 8) for step in (0, 1, 2, 5)]
    [0.3333333333333333, 0.6666666666666666, 1.0, 0.5]
    """
    if schedule not in SCHEDULES:
        raise SpaceError(unknown_name("schedule", schedule, SCHEDULES))
    warmup = warmup_steps(settings, total_steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    step = min(step, total_steps - 1)
    return SCHEDULES[schedule].factor(step - warmup, total_steps - warmup, settings)


def followed_factor(schedule: str, settings: Mapping[str, Value], valid_losses: Sequence[float]) -> float:
    """Return what ``learning_rate_factor`` is multiplied by after epochs that ended with these validation losses.

    1 for every schedule that is a closed form of the steps alone.

    >>> followed_factor("plateau", {"factor": 0.1, "patience": 1}, [0.5, 0.4, 0.41, 0.42])
    0.1
    """
    follow = SCHEDULES[schedule].follow
    return 1.0 if follow is None else follow(valid_losses, settings)


def learning_rate(entry: OptimizerEntry, relative: float, settings: Mapping[str, Value]) -> float:
    """Return the ``lr`` that is ``relative`` times the reference rate of an optimizer.

    Where momentum multiplies the steps the reference is an effective rate, hence lr = reference · relative ·
    (1 − momentum). Where a user gave the range, ``RELATIVE_RATES`` are laid over it, their ends on its ends.

    >>> from autoopt.catalogue import OPTIMIZERS
    >>> round(learning_rate(OPTIMIZERS["sgd"], 10.0, {"momentum": 0.9}), 6)
    0.2
    """
    lr = _rate_at(entry.hyperparameter("lr"), relative)
    return lr * (1 - float(settings.get("momentum", 0.0))) if entry.momentum_scales_lr else lr


def has_usual_range(lr: Hyperparameter) -> bool:
    """Return whether ``RELATIVE_RATES`` give the range of a rate, and not a user."""
    low, high = (float(lr.reference) * multiple for multiple in RELATIVE_RATES)
    return (lr.low, lr.high) == (low, high)


def _rate_at(lr: Hyperparameter, relative: float) -> float:
    reference = float(lr.reference)
    if has_usual_range(lr):
        return reference * relative
    low, high = RELATIVE_RATES
    end, part = (lr.high, math.log(high)) if relative > 1 else (lr.low, math.log(low))
    return reference * math.exp(math.log(end / reference) * math.log(relative) / part)


def pace(total_steps: int) -> float:
    """Return how many times its reference the rate of a training of so many steps should be, about.

    The references are those of long trainings. Of short ones the best rate falls with the root of their length:
    a factor of 3 to 4 where a digits MLP and a GRU were trained 9 times as long (studies/2026-11-21-pace).

    >>> pace(100_000), round(pace(2_500), 1), round(pace(100), 1)
    (1.0, 4.0, 16.0)
    """
    return min(max(math.sqrt(LONG_STEPS / max(1, total_steps)), 1.0), MOST_PACE)


def paced(entry: OptimizerEntry, times: float) -> OptimizerEntry:
    """Return the entry with the reference and the range of its rate so many times higher, if length matters to it."""
    lr = entry.hyperparameter("lr")
    if times == 1.0 or not entry.rate_by_length or not entry.takes_schedule or entry.batches == "whole":
        return entry
    share = 1.0 if entry.own_warmup is None else entry.own_warmup(round(LONG_STEPS / times**2))
    # all three from the reference, so that the range stays the one that RELATIVE_RATES are laid over
    reference = float(lr.reference) * times / share
    low, high = (reference * multiple for multiple in RELATIVE_RATES)
    lr = replace(lr, low=low, high=high, reference=reference)
    return replace(entry, hyperparameters=(lr, *entry.hyperparameters[1:]))


def reference_settings(entry: OptimizerEntry) -> dict[str, Value]:
    """Return an optimizer's settings with everything at its reference value, ``lr`` ready to use."""
    settings = {hyperparameter.name: hyperparameter.reference for hyperparameter in entry.hyperparameters}
    return {**settings, "lr": learning_rate(entry, 1.0, settings)}
