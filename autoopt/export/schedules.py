"""Learning-rate schedules as lines of PyTorch, in terms of ``total_steps``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autoopt.catalogue import SCHEDULES
from autoopt.errors import SpaceError, unknown_name
from autoopt.export.lines import fold
from autoopt.recipe import Recipe, Setting


def _step(settings: Mapping[str, Setting]) -> str:
    pieces = int(settings["pieces"])
    milestones = f"[-(-n * steps // {pieces}) for n in {tuple(range(1, pieces))}]"
    return f"MultiStepLR(optimizer, milestones={milestones}, gamma={settings['gamma']!r})"


SCHEDULE_CODE: dict[str, Callable[[Mapping[str, Setting]], str]] = {
    "constant": lambda _: "ConstantLR(optimizer, factor=1.0, total_iters=0)",
    "linear": lambda _: "LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=steps)",
    "cosine": lambda _: "CosineAnnealingLR(optimizer, T_max=steps)",
    "step": _step,
    "exponential": lambda settings: (
        f"ExponentialLR(optimizer, gamma={settings['final_fraction']!r} ** (1 / steps))"
    ),
    "cosine_restarts": lambda settings: (
        f"CosineAnnealingWarmRestarts(optimizer, T_0=-(-steps // {int(settings['cycles'])}))"
    ),
}
"""From the settings of a schedule, all given, to its call on ``optimizer`` over ``steps`` steps."""


def write_scheduler(recipe: Recipe) -> list[str]:
    """Return the lines of ``make_scheduler(optimizer, total_steps)``, warmup included.

    Raises:
        SpaceError: there is no such schedule.
    """
    if recipe.schedule not in SCHEDULE_CODE:
        raise SpaceError(unknown_name("schedule", recipe.schedule, SCHEDULE_CODE))
    usual = {each.name: each.reference for each in SCHEDULES[recipe.schedule].hyperparameters}
    call = SCHEDULE_CODE[recipe.schedule]({**usual, **recipe.schedule_settings})
    head = "def make_scheduler(optimizer, total_steps):"
    warmup = recipe.schedule_settings.get("warmup", 0.0)
    if not warmup:
        lines = ["    steps = total_steps"] if "steps" in call else []
        return [head, *lines, *fold(f"    return lr_scheduler.{call}")]
    return [
        head,
        "    # steps in which the rate climbs",
        f"    warmup = min(round({warmup!r} * total_steps), total_steps - 1)",
        *(["    steps = total_steps - warmup"] if "steps" in call else []),
        "    if warmup == 0:",
        *fold(f"        return lr_scheduler.{call}"),
        *fold(
            "    rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)"
        ),
        *fold(f"    main = lr_scheduler.{call}"),
        *fold("    return lr_scheduler.SequentialLR(optimizer, [rise, main], milestones=[warmup])"),
    ]
