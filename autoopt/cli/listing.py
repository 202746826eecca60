"""The commands that list the catalogue: ``optimizers`` and ``schedules``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, ScheduleEntry
from autoopt.cli import display
from autoopt.cli.options import AsJson


def list_optimizers(json: AsJson = False) -> None:
    """List the optimizers that can be tried, with their searched ranges.

    \b
    Examples
      autoopt optimizers
      autoopt optimizers --json
    """
    if json:
        display.say_json([_optimizer_to_dict(entry) for entry in OPTIMIZERS.values()])
        return
    rows = [(entry.name, entry.title, f"{entry.state_floats:g}", show_settings(entry))
            for entry in OPTIMIZERS.values()]  # fmt: skip
    display.say_rows(("name", "title", "memory", "searched (best guess)"), rows, right=("memory",))
    display.say("\nmemory: numbers kept for each parameter of the model")


def list_schedules(json: AsJson = False) -> None:
    """List the learning-rate schedules that can be tried, with their searched ranges.

    \b
    Examples
      autoopt schedules
      autoopt schedules --json
    """
    if json:
        display.say_json([_schedule_to_dict(entry) for entry in SCHEDULES.values()])
        return
    rows = [(entry.name, show_settings(entry), entry.says) for entry in SCHEDULES.values()]
    display.say_rows(("name", "searched (best guess)", "what it does"), rows)


def show_settings(entry: OptimizerEntry | ScheduleEntry) -> str:
    """Write ranges and best guesses one under the other: ``lr 0.0001 to 0.1 (0.002)``."""
    lines = [_show_setting(hyperparameter) for hyperparameter in entry.hyperparameters]
    if isinstance(entry, OptimizerEntry) and entry.momentum_scales_lr:
        lines[0] = lines[0].replace("lr", "lr/(1-momentum)", 1)
    return "\n".join(lines)


def _show_setting(hyperparameter: Hyperparameter) -> str:
    match hyperparameter.kind:
        case "bool":
            values = "true or false"
        case "choice":
            values = " or ".join(map(str, hyperparameter.choices))
        case _:
            values = f"{hyperparameter.low:.4g} to {hyperparameter.high:.4g}"
    if hyperparameter.or_zero:
        values = f"0 or {values}"
    guess = hyperparameter.reference
    shown = f"{guess:.4g}" if isinstance(guess, float) else str(guess).lower()
    return f"{hyperparameter.name} {values} ({shown})"


def _optimizer_to_dict(entry: OptimizerEntry) -> dict[str, Any]:
    return {
        "name": entry.name, "title": entry.title, "family": entry.family, "target": entry.target,
        "state_floats": entry.state_floats, "momentum_scales_lr": entry.momentum_scales_lr,
        "rank": entry.rank, "needs": sorted(entry.needs),
        "hyperparameters": [asdict(h) for h in entry.hyperparameters], "says": entry.says,
        "formula": entry.formula, "references": list(entry.references),
    }  # fmt: skip


def _schedule_to_dict(entry: ScheduleEntry) -> dict[str, Any]:
    return {
        "name": entry.name, "title": entry.title,
        "hyperparameters": [asdict(h) for h in entry.hyperparameters],
        "says": entry.says, "formula": entry.formula, "references": list(entry.references),
    }  # fmt: skip
