"""The commands that list the catalogue: ``optimizers`` and ``schedules``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.available import is_available
from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, ScheduleEntry, Value
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
        display.say_json([optimizer_to_dict(entry) for entry in OPTIMIZERS.values()])
        return
    rows = [(entry.name, entry.title, _tried(entry), f"{entry.state_floats:,.4g}", show_settings(entry))
            for entry in OPTIMIZERS.values() if entry.around is None]  # fmt: skip
    display.say_rows(("name", "title", "tried", "memory", "searched (best guess)"), rows, right=("memory",))
    display.say(
        "\ntried: by default, or where it is named or all are (--optimizers all)\n"
        "memory: numbers kept for each parameter of the model (where shapes matter, of a matrix of 64 × 64)\n"
        "lookahead_NAME: Lookahead around nearly each of these; 'lookahead' is it around each that is named beside it\n"
        "autoopt explain NAME tells all of one"
    )


def list_schedules(json: AsJson = False) -> None:
    """List the learning-rate schedules that can be tried, with their searched ranges.

    \b
    Examples
      autoopt schedules
      autoopt schedules --json
    """
    if json:
        display.say_json([schedule_to_dict(entry) for entry in SCHEDULES.values()])
        return
    rows = [(entry.name, _tried(entry), show_settings(entry), entry.says) for entry in SCHEDULES.values()]
    display.say_rows(("name", "tried", "searched (best guess)", "what it does"), rows)
    display.say("\ntried: by default, or where it is named or all are (--schedules all)")


def show_settings(entry: OptimizerEntry | ScheduleEntry) -> str:
    """Write ranges and best guesses one under the other: ``lr 0.0001 to 0.1 (0.002)``."""
    lines = [_show_setting(hyperparameter) for hyperparameter in entry.hyperparameters]
    if isinstance(entry, OptimizerEntry) and entry.momentum_scales_lr:
        lines[0] = lines[0].replace("lr", "lr/(1-momentum)", 1)
    return "\n".join(lines)


def _tried(entry: OptimizerEntry | ScheduleEntry) -> str:
    if isinstance(entry, OptimizerEntry) and not is_available(entry):
        return "not installed"
    return "by default" if entry.in_default_search else "if named"


def _show_setting(hyperparameter: Hyperparameter) -> str:
    return f"{hyperparameter.name} {show_range(hyperparameter)} ({show_value(hyperparameter.reference)})"


def show_range(hyperparameter: Hyperparameter) -> str:
    """Write what is searched: ``0.0001 to 0.1``."""
    match hyperparameter.kind:
        case "bool":
            values = "true or false"
        case "choice":
            values = " or ".join(map(str, hyperparameter.choices))
        case _:
            values = f"{hyperparameter.low:.4g} to {hyperparameter.high:.4g}"
    return f"0 or {values}" if hyperparameter.or_zero else values


def show_value(value: Value) -> str:
    """Write a value of a setting: ``0.05``, ``true``."""
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()


def optimizer_to_dict(entry: OptimizerEntry) -> dict[str, Any]:
    """Return the entry as plain data for JSON."""
    return {
        "name": entry.name, "title": entry.title, "family": entry.family, "target": entry.target,
        "state_floats": entry.state_floats, "momentum_scales_lr": entry.momentum_scales_lr,
        "rank": entry.rank, "needs": sorted(entry.needs), "batches": entry.batches,
        "most_parameters": entry.most_parameters, "takes_schedule": entry.takes_schedule,
        "schedules": list(entry.schedules),
        "in_default_search": entry.in_default_search,
        "around": entry.around.name if entry.around else None,
        "available": is_available(entry), "extra": entry.extra,
        "hyperparameters": [asdict(h) for h in entry.hyperparameters], "says": entry.says,
        "formula": entry.formula, "references": list(entry.references),
    }  # fmt: skip


def schedule_to_dict(entry: ScheduleEntry) -> dict[str, Any]:
    """Return the entry as plain data for JSON."""
    return {
        "name": entry.name, "title": entry.title, "in_default_search": entry.in_default_search,
        "hyperparameters": [asdict(h) for h in entry.hyperparameters],
        "says": entry.says, "formula": entry.formula, "references": list(entry.references),
    }  # fmt: skip
