"""How long a study's runs will take: ``autoopt check --speed``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autoopt.cli import display

if TYPE_CHECKING:
    from autoopt.options import Options
    from autoopt.tasks.task import Task
    from autoopt.training.plan import Plan

COLUMNS = ("task", "runs", "a step", "an epoch", "a run", "memory of a run")


def check_speed(
    tasks: list[str], metric: str | None, device: str, changes: dict[str, Any], optimizers: list[str] | None,
    optimizer_from: list[str] | None, *, json: bool,
) -> None:  # fmt: skip
    """Print how fast the runs of tasks would be; see ``check``."""
    with display.stdout_kept_for_answer(json):
        from autoopt.options import Options
        from autoopt.tasks.load import load_task
        from autoopt.training.device import choose_device, device_for
        from autoopt.training.own_entry import read_optimizers
        from autoopt.training.precision import check_precision

        check_precision(changes.get("precision"), choose_device(device))
        names, own = read_optimizers(optimizers, optimizer_from or ())
        options = Options(optimizers=names, optimizers_from=own)
        loaded = [replace(load_task(task, metric=metric), **changes) for task in tasks]
        found = [speed_of(task, device_for(task, device), options) for task in loaded]
    if json:
        display.say_json(found[0] if len(found) == 1 else found)
    else:
        say_speed(found)


def speed_of(task: Task, device: str, options: Options) -> dict[str, Any]:
    """Return how the runs of a task would be trained, and what one needs, measured with the baseline.

    Args:
        options: of a study with the optimizers that are to be timed beside it.
    """
    from autoopt.options import study_costs
    from autoopt.space.written import BASELINE, SPARSE_BASELINE
    from autoopt.subject import task_subject
    from autoopt.training.holding import hold_data
    from autoopt.training.needs import advice, measure_needs

    held = hold_data(task, device)
    baseline = SPARSE_BASELINE if task.sparse_gradients else BASELINE
    needs = measure_needs(held, baseline, device)
    plan = way_of(held, device)
    trained = f"{plan.rows} in one pass" if plan.is_stacked else "one by one"
    return {
        "task": task.name, "device": device, "trained": trained, "why": plan.reason, "plan": plan.to_dict(),
        "epochs": task.epochs, "precision": task.precision, "accumulate": task.accumulate, **needs.to_dict(),
        "costs": study_costs(task_subject(held, device), options, baseline),
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
    for name, cost in each["costs"].items():
        yield f"a budget is charged {cost:g} for a training with {name}, by the time of an epoch beside the baseline's"
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
