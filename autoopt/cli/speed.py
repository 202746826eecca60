"""How long a study's runs will take: ``autoopt check --speed``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from autoopt.cli import display

if TYPE_CHECKING:
    from autoopt.tasks.task import Task
    from autoopt.training.plan import Plan

COLUMNS = ("task", "runs", "a step", "an epoch", "a run", "memory of a run")


def speed_of(task: Task, device: str) -> dict[str, Any]:
    """Return how the runs of a task would be trained, and what one needs, measured with the baseline."""
    from autoopt.space.written import BASELINE, SPARSE_BASELINE
    from autoopt.training.holding import hold_data
    from autoopt.training.needs import advice, measure_needs

    held = hold_data(task, device)
    needs = measure_needs(held, SPARSE_BASELINE if task.sparse_gradients else BASELINE, device)
    plan = way_of(held, device)
    trained = f"{plan.rows} in one pass" if plan.is_stacked else "one by one"
    return {
        "task": task.name, "device": device, "trained": trained, "why": plan.reason, "plan": plan.to_dict(),
        "epochs": task.epochs, "precision": task.precision, "accumulate": task.accumulate, **needs.to_dict(),
        "advice": advice(needs, task),
    }  # fmt: skip


def way_of(task: Task, device: str) -> Plan:
    """Return how runs of a search would be trained with ``tune --stacked auto``, and why so."""
    from autoopt.training.plan import choose_plan

    return choose_plan(task, device)


def say_speed(found: Sequence[dict[str, Any]]) -> None:
    """Print a table with a row for each task, what memory goes into, and what to do where it is short."""
    display.say_rows(COLUMNS, [_row(each) for each in found], right=COLUMNS[2:])
    display.say("")
    for each in found:
        for line in _lines(each):
            display.say(f"{each['task']}: {line}")


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    from autoopt.training.needs import megabytes

    epoch = each["seconds_epoch"]
    memory = "too little" if each["failure"] else megabytes(each["total"])
    return (each["task"], each["trained"], _time(each["seconds_step"]), _time(epoch),
            _time(epoch * each["epochs"]), memory)  # fmt: skip


def _lines(each: dict[str, Any]) -> Iterator[str]:
    from autoopt.training.needs import megabytes

    yield f"the data are {each['data']}"
    yield f"with --stacked auto, runs of a search are trained {each['trained']}: {each['why']}"
    if not each["failure"]:
        parts = ", ".join(f"{name} {megabytes(each[name])}" for name in ("weights", "gradients", "state"))
        yield (f"{parts}, and a batch leaves {megabytes(each['activations'])} for the backward pass; "
               f"{megabytes(each['free'])} are free")  # fmt: skip
    if not each["fits"]:
        yield f"the memory of {each['device']} is short:"
    yield from (f"· {line}" for line in each["advice"])


def _time(seconds: float) -> str:
    """Return a time with its unit.

    >>> _time(0.000_21), _time(0.284), _time(5.25), _time(7200), _time(float("nan"))
    ('0.21 ms', '284 ms', '5.2 s', '2.0 h', '?')
    """
    if seconds != seconds:
        return "?"
    for least, unit, number in ((3600, "h", seconds / 3600), (120, "min", seconds / 60), (1, "s", seconds)):
        if seconds >= least:
            return f"{number:.1f} {unit}"
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.2g} ms"
