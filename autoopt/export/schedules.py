"""Learning-rate schedules as lines of PyTorch, in terms of ``total_steps``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autoopt.catalogue import SCHEDULES
from autoopt.catalogue.further_schedules import THRESHOLD
from autoopt.errors import SpaceError, unknown_name
from autoopt.export.lines import fold
from autoopt.recipe import Recipe, Setting


def _step(settings: Mapping[str, Setting]) -> str:
    pieces = int(settings["pieces"])
    milestones = f"[-(-n * steps // {pieces}) for n in {tuple(range(1, pieces))}]"
    return f"MultiStepLR(optimizer, milestones={milestones}, gamma={settings['gamma']!r})"


def _multi_step(settings: Mapping[str, Setting]) -> str:
    shares = tuple(sorted((float(settings["first_drop"]), float(settings["second_drop"]))))
    milestones = f"[-int(-share * steps // 1) for share in {shares}]"
    return f"MultiStepLR(optimizer, milestones={milestones}, gamma={settings['gamma']!r})"


def _wsd(settings: Mapping[str, Setting]) -> str:
    left = f"(steps - min(n, steps - 1)) / max(1, round({settings['decay_share']!r} * steps))"
    return f"LambdaLR(optimizer, lambda n: min(1.0, {left}))"


def _one_cycle(settings: Mapping[str, Setting]) -> str:
    rates = '[group["lr"] for group in optimizer.param_groups]'
    rise = float(settings["rise"])
    return f"OneCycleLR(optimizer, {rates}, total_steps=steps, pct_start={rise!r}, cycle_momentum=False)"


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
    "polynomial": lambda settings: f"PolynomialLR(optimizer, total_iters=steps, power={settings['power']!r})",
    "multi_step": _multi_step,
    "wsd": _wsd,
    "inverse_sqrt": lambda settings: (
        f"LambdaLR(optimizer, lambda n: (1 + n / ({settings['timescale']!r} * steps)) ** -0.5)"
    ),
    "one_cycle": _one_cycle,
    "plateau": lambda settings: (
        f"ReduceLROnPlateau(optimizer, factor={settings['factor']!r}, patience={int(settings['patience'])}, "
        f"threshold={THRESHOLD!r}, eps=0.0)"
    ),
}
"""From the settings of a schedule, all given, to its call on ``optimizer`` over ``steps`` steps."""


_RISE = "lr_scheduler.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)"


def follows_loss(recipe: Recipe) -> bool:
    """Return whether the scheduler is stepped with the validation loss after every epoch."""
    return recipe.schedule in SCHEDULES and SCHEDULES[recipe.schedule].follow is not None


def has_warmup_apart(recipe: Recipe) -> bool:
    """Return whether the warmup is a scheduler of its own, to be stepped beside the other: ``make_warmup``."""
    return follows_loss(recipe) and bool(recipe.schedule_settings.get("warmup"))


def write_scheduler(recipe: Recipe) -> list[str]:
    """Return the lines of ``make_scheduler(optimizer, total_steps)``, warmup included or as ``make_warmup``.

    Raises:
        SpaceError: there is no such schedule.
    """
    if recipe.schedule not in SCHEDULE_CODE:
        raise SpaceError(unknown_name("schedule", recipe.schedule, SCHEDULE_CODE))
    usual = {each.name: each.reference for each in SCHEDULES[recipe.schedule].hyperparameters}
    call = SCHEDULE_CODE[recipe.schedule]({**usual, **recipe.schedule_settings})
    head = "def make_scheduler(optimizer, total_steps):"
    warmup = recipe.schedule_settings.get("warmup", 0.0)
    if follows_loss(recipe):
        lines = [head, *fold(f"    return lr_scheduler.{call}")]
        return [*lines, *_make_warmup(warmup)] if has_warmup_apart(recipe) else lines
    if not warmup:
        lines = ["    steps = total_steps"] if "steps" in call else []
        return [head, *lines, *fold(f"    return lr_scheduler.{call}")]
    return [
        head,
        *_warmup_steps(warmup),
        *(["    steps = total_steps - warmup"] if "steps" in call else []),
        "    if warmup == 0:",
        *fold(f"        return lr_scheduler.{call}"),
        *fold(f"    rise = {_RISE}"),
        *fold(f"    main = lr_scheduler.{call}"),
        *fold("    return lr_scheduler.SequentialLR(optimizer, [rise, main], milestones=[warmup])"),
    ]


def _warmup_steps(share: Setting) -> list[str]:
    return [
        "    # steps in which the rate climbs",
        f"    warmup = min(round({share!r} * total_steps), total_steps - 1)",
    ]


def _make_warmup(share: Setting) -> list[str]:
    head = ["", "", "def make_warmup(optimizer, total_steps):", *_warmup_steps(share)]
    return [*head, *fold(f"    return {_RISE}")]
