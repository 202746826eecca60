"""Learning-rate schedules as plain Python, for libraries that are not torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autoopt.catalogue import SCHEDULES
from autoopt.errors import SpaceError, unknown_name
from autoopt.export.refusal import cannot_write
from autoopt.recipe import Recipe, Setting

_WAVE = "return (1 + math.cos(math.pi * step / steps)) / 2"

FACTOR_CODE: dict[str, Callable[[Mapping[str, Setting]], list[str]]] = {
    "constant": lambda _: ["return 1.0"],
    "linear": lambda _: ["return 1 - step / steps"],
    "cosine": lambda _: [_WAVE],
    "step": lambda settings: [
        f"pieces = {int(settings['pieces'])}",
        "drops = [-(-n * steps // pieces) for n in range(1, pieces)]",
        f"return {settings['gamma']!r} ** sum(step >= drop for drop in drops)",
    ],
    "exponential": lambda settings: [f"return {settings['final_fraction']!r} ** (step / steps)"],
    "cosine_restarts": lambda settings: [
        f"steps = -(-steps // {int(settings['cycles'])})  # of a cycle",
        "step = step % steps",
        _WAVE,
    ],
    "polynomial": lambda settings: [f"return (1 - step / steps) ** {settings['power']!r}"],
    "multi_step": lambda settings: [
        f"shares = ({settings['first_drop']!r}, {settings['second_drop']!r})",
        "drops = [math.ceil(share * steps) for share in shares]",
        f"return {settings['gamma']!r} ** sum(step >= drop for drop in drops)",
    ],
    "wsd": lambda settings: [
        f"decay = max(1, round({settings['decay_share']!r} * steps))",
        "return min(1.0, (steps - step) / decay)",
    ],
    "inverse_sqrt": lambda settings: [
        f"timescale = {settings['timescale']!r} * steps",
        "return (1 + step / timescale) ** -0.5",
    ],
    "one_cycle": lambda settings: [
        f"top, last = {settings['rise']!r} * steps - 1, steps - 1",
        "if step <= top:",
        "    start, end, done = 1 / 25, 1.0, step / top if top else 1.0",
        "else:",
        "    start, end = 1.0, 1 / 25 / 1e4",
        "    done = (step - top) / (last - top)",
        "return end + (start - end) / 2 * (1 + math.cos(math.pi * done))",
    ],
}
"""From the settings of a schedule, all given, to the body of its factor at ``step`` of ``steps``."""


def write_factor(recipe: Recipe, library: str) -> list[str]:
    """Return the lines of ``rate_factor(step, total_steps)``, warmup included; they need ``math``.

    Raises:
        SpaceError: there is no such schedule, or it follows the validation loss, which is no function of the steps.
    """
    if recipe.schedule not in SCHEDULES:
        raise SpaceError(unknown_name("schedule", recipe.schedule, SCHEDULES))
    if recipe.schedule not in FACTOR_CODE:
        raise cannot_write(recipe, library, f"the schedule {recipe.schedule} follows the validation loss")
    usual = {each.name: each.reference for each in SCHEDULES[recipe.schedule].hyperparameters}
    settings = {**usual, **recipe.schedule_settings}
    share = recipe.schedule_settings.get("warmup", 0.0)
    head = [
        "def rate_factor(step, total_steps):",
        '    """What the rate is multiplied by at a step, counted from 0."""',
        "    step, steps = min(step, total_steps - 1), total_steps",
    ]
    warmup = [
        f"    warmup = min(round({share!r} * total_steps), total_steps - 1)",
        "    if step < warmup:",
        "        return (step + 1) / (warmup + 1)",
        "    step, steps = step - warmup, steps - warmup",
    ]
    return [
        *head,
        *(warmup if share else []),
        *(f"    {line}" for line in FACTOR_CODE[recipe.schedule](settings)),
    ]
