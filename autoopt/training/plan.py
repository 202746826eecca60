"""How the runs of a search are trained: one after the other, or so many in one pass; decided by trying both."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from autoopt.recipe import Recipe
from autoopt.run import Run
from autoopt.tasks.explain import describe_error
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import Task
from autoopt.training.checkpoints import Checkpoints
from autoopt.training.cohort import Cohort, StartCohort
from autoopt.training.parking import free_bytes
from autoopt.training.serial import serial_cohort
from autoopt.training.stack.agreement import find_disagreement
from autoopt.training.stack.epoch import Bench, train_rows
from autoopt.training.stack.memory import bytes_per_row
from autoopt.training.stack.model import StackedModel
from autoopt.training.stack.row import make_row
from autoopt.training.stack.stackable import refuse_model, refuse_randomness, refuse_task
from autoopt.training.stacked import ROWS, stacked_cohort
from autoopt.training.trainee import Trainee

WIDTHS = (4, 16)  # rows in a pass that are tried; wider gains next to nothing on a processor
GAIN = 1.2  # a stack must be so many times as fast to be worth its while
HOPELESS = 0.85  # if four rows are not as fast as this, more will not be worth it
MEMORY_SHARE = 0.5  # of what is free, that the rows of a pass may take
PROBE_SECONDS = 0.1  # that the serial path trains in a round
ROUNDS = 3
MANY = 100  # epochs, of which none is the last one
PROBE_RECIPE = Recipe("adamw", {"lr": 1e-4, "weight_decay": 0.01})


@dataclass(frozen=True)
class Plan:
    """How the runs of a search are trained.

    Attributes:
        rows: runs in one pass at most; 1 means one after the other.
        reason: why, in a sentence.
        serial_seconds: of a step of one run on the serial path; ``None`` where that was not timed.
        stacked_seconds: of a step of one row, by the number of rows in a pass.
    """

    rows: int
    reason: str
    serial_seconds: float | None = None
    stacked_seconds: Mapping[int, float] | None = None

    @property
    def is_stacked(self) -> bool:
        """Whether runs are trained in one pass at all."""
        return self.rows > 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; ``from_dict`` reads it back."""
        timed = {str(k): v for k, v in (self.stacked_seconds or {}).items()}
        return {**asdict(self), "stacked_seconds": timed or None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """Read what ``to_dict`` wrote."""
        timed = {int(k): float(v) for k, v in (data.get("stacked_seconds") or {}).items()}
        return cls(int(data["rows"]), str(data["reason"]), data.get("serial_seconds"), timed or None)

    def starter(self, task: Task, device: str, checkpoints: Checkpoints | None = None) -> StartCohort:
        """Return what starts cohorts that train so."""

        def start(runs: Sequence[Run]) -> Cohort:
            if self.is_stacked:
                return stacked_cohort(task, runs, device, rows=self.rows, checkpoints=checkpoints)
            return serial_cohort(task, runs, device, checkpoints=checkpoints)

        return start


def choose_plan(task: Task, device: str, *, timed: bool = True) -> Plan:
    """Decide how the runs of a search are trained; takes a second or a few, more where a step takes long.

    A stack must compute what the serial path computes and be 1.2 times as fast; whatever raises, disagrees or is
    slower is trained one after the other, and the plan says why.

    Args:
        timed: ask whether it is faster; if not, it is used wherever it computes the same.
    """
    try:
        if (refusal := _refuse(task, device)) is not None:
            return Plan(1, f"one run after the other: {refusal}")
        room = int(MEMORY_SHARE * free_bytes(device) / bytes_per_row(task, device))
        if room < WIDTHS[0]:
            return Plan(1, f"one run after the other: memory has room for {room} side by side")
        if not timed:
            return Plan(min(room, ROWS), "as many in one pass as was asked for")
        return _fastest(task, device, room)
    except Exception as error:  # the user's code, and all that torch.func does not know
        return Plan(1, f"one run after the other: a stack raised {describe_error(error)}")


def _refuse(task: Task, device: str) -> str | None:
    """Return why a task cannot be stacked, or does not compute the same in a stack."""
    if (reason := refuse_task(task)) is not None:
        return reason
    _, model = make_row(task, _run(0), device)
    if (reason := refuse_model(model)) is not None:
        return reason
    reason, _ = refuse_randomness(task, model, device)
    return reason or find_disagreement(task, device)


def _fastest(task: Task, device: str, room: int) -> Plan:
    """Time both ways and return the better one."""
    part = probe_task(task, 1)
    _, model = make_row(part, _run(0), device)
    once = seconds_of(Trainee(part, _run(0), device).train_epoch, device)
    steps = max(2, min(16, math.ceil(PROBE_SECONDS / max(once, 1e-6))))
    part = probe_task(task, steps)
    bench = Bench(part, StackedModel(part, model, calls_to_trace=0), device, draws=False)
    trainee = Trainee(part, _run(0), device)
    trainee.train_epoch()
    stacked: dict[int, float] = {}
    serial: list[float] = []
    for width in (w for w in WIDTHS if w <= room):
        epoch = _row_epoch(bench, width, device)
        epoch()  # finds the operations
        times = []
        for _ in range(ROUNDS):
            serial.append(seconds_of(trainee.train_epoch, device) / steps)
            times.append(seconds_of(epoch, device) / steps / width)
        stacked[width] = sorted(times)[ROUNDS // 2]
        if sorted(serial)[len(serial) // 2] / stacked[width] < HOPELESS:
            break
    alone = sorted(serial)[len(serial) // 2]
    width = min(stacked, key=lambda w: stacked[w])
    gain = alone / stacked[width]
    told = f"{width} in one pass take {1e6 * stacked[width]:.0f} µs a step and run, one alone {1e6 * alone:.0f} µs"
    if gain < GAIN:
        return Plan(1, f"one run after the other: {told}, which is not {GAIN} times as fast", alone, stacked)
    return Plan(width, f"{told}: {gain:.1f} times as fast", alone, stacked)


def _row_epoch(bench: Bench, width: int, device: str) -> Callable[[], object]:
    """Return what trains rows for one more epoch."""
    rows = [make_row(bench.task, _run(number), device)[0] for number in range(width)]
    return lambda: train_rows(bench, rows)


def _run(number: int) -> Run:
    lr = 1e-4 * 2 ** (number % 4)
    return Run(
        number, replace(PROBE_RECIPE, settings={**PROBE_RECIPE.settings, "lr": lr}), seed=0, epochs=MANY
    )


def probe_task(task: Task, steps: int) -> Task:
    """Return a task with so many training batches and a handful of rows to evaluate on."""
    train, valid = task.train, task.valid
    assert isinstance(train, TensorSamples)
    assert isinstance(valid, TensorSamples)
    rows = min(train.rows, steps * task.batch_size)
    few = min(valid.rows, 8)
    return replace(task, train=train.take(range(rows)), valid=valid.take(range(few)), test=None, epochs=MANY)


def seconds_of(act: Callable[[], object], device: str) -> float:
    """Return how long an act takes: of the processor's time where that trains, for others may be at work too."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(torch.device(device))
        began = time.perf_counter()
        act()
        torch.cuda.synchronize(torch.device(device))
        return time.perf_counter() - began
    clock = time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    began = clock()
    act()
    return clock() - began
