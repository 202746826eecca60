"""Whether a stack computes what the serial path computes: two recipes, two steps, loss, weights and buffers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor, nn

from autoopt.recipe import Recipe
from autoopt.run import Run
from autoopt.tasks.explain import describe_error
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import Task
from autoopt.training.stack.epoch import Bench, train_rows
from autoopt.training.stack.model import StackedModel
from autoopt.training.stack.row import make_row
from autoopt.training.trainee import Trainee

RECIPES = (
    Recipe("adamw", {"lr": 1e-3, "weight_decay": 0.1}, "linear"),
    Recipe("sgd", {"lr": 1e-2, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}),
)
STEPS = 2
FINE, COARSE = 1e-8, 1e-4  # largest difference in 64 and in 32 bits, relative to what is compared


def find_disagreement(task: Task, device: str) -> str | None:
    """Return in what a stack differs from the serial path; ``None`` if in nothing that shows.

    Compared in 64 bits where the model and its data can be cast to them.

    Args:
        task: with data that are tensors.
    """
    small = _small(task)
    if device != "mps":  # which has no such numbers
        with suppress(Exception):  # a model may insist on its type
            return _compare(_double(small), device, FINE)
    try:
        return _compare(small, device, COARSE)
    except Exception as error:
        return f"torch.func cannot train its model for many runs at once: {describe_error(error)}"


def _compare(task: Task, device: str, tolerance: float) -> str | None:
    # the stack first: what it cannot do raises before anything is trained
    runs = [Run(number, recipe, seed=0, epochs=1) for number, recipe in enumerate(RECIPES)]
    pairs = [make_row(task, run, device) for run in runs]
    rows = [row for row, _ in pairs]
    model = StackedModel(task, pairs[0][1], calls_to_trace=0)
    mine = train_rows(Bench(task, model, device, draws=True), rows)
    for run, row, report in zip(runs, rows, mine, strict=True):
        trainee = Trainee(task, run, device)
        theirs = trainee.train_epoch()
        layout = model.layout
        compared: list[tuple[str, Tensor | float, Tensor | float]] = [
            ("the loss", report.train_loss, theirs.train_loss),
            ("the validation loss", report.valid_loss, theirs.valid_loss),
            ("a weight", row.weights, layout.weights_of(trainee.model)),
        ]
        fixed = zip(layout.fixed, row.fixed, layout.fixed_of(trainee.model), strict=True)
        compared += [(f"the buffer {name!r}", one, other) for name, one, other in fixed]
        for what, one, other in compared:
            if (apart := _difference(one, other)) > tolerance:
                return (
                    f"in a stack {what} differs by {apart:.1g} after {STEPS} steps of {run.recipe.optimizer}"
                )
    return None


def _difference(one: Tensor | float, other: Tensor | float) -> float:
    """Return the largest difference relative to the largest number; infinite where numbers are none."""
    a, b = torch.as_tensor(one).double().cpu(), torch.as_tensor(other).double().cpu()
    if not a.numel():
        return 0.0
    if not torch.isfinite(a).all() or not torch.isfinite(b).all():
        return 0.0 if torch.equal(torch.isfinite(a), torch.isfinite(b)) else float("inf")
    return float((a - b).abs().max() / max(1.0, float(b.abs().max())))


def _small(task: Task) -> Task:
    train, valid = task.train, task.valid
    assert isinstance(train, TensorSamples)
    assert isinstance(valid, TensorSamples)
    rows, few = min(train.rows, STEPS * task.batch_size), min(valid.rows, 2 * task.batch_size)
    return replace(
        task, train=train.take(range(rows)), valid=valid.take(range(few)), test=None, metric=None,
        objective="loss", direction="minimize", epochs=1,
    )  # fmt: skip


def _double(task: Task) -> Task:
    """Return the task in 64 bits."""

    def make() -> nn.Module:
        return task.make_model().double()

    return replace(task, make_model=make, train=_widened(task.train), valid=_widened(task.valid))


def _widened(samples: object) -> TensorSamples:
    assert isinstance(samples, TensorSamples)
    return replace(
        samples, tensors=tuple(t.double() if t.is_floating_point() else t for t in samples.tensors)
    )
