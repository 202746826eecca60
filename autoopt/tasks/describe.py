"""What was found and inferred in a task, after one training and one evaluation batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from autoopt.run import Direction
from autoopt.tasks.batch import describe_tensors, split_batch
from autoopt.tasks.probe import Trained, evaluate_once, first_batch, on_fitting_device, train_once
from autoopt.tasks.task import Batch, BatchLoss, Task


@dataclass(frozen=True)
class TaskDescription:
    """What ``autoopt check`` shows.

    Attributes:
        model: name of the model's class.
        parameters: number of trainable parameters; ``frozen_parameters`` of the others.
        train_rows, valid_rows, test_rows: ``None`` for a stream, and for test data that are not given.
        steps_per_epoch: training batches an epoch.
        inputs, target, output: shapes and types of the first training batch, such as ``(64, 10) float32``.
        first_loss: of the first training batch, before any step; ``valid_loss`` of the first validation batch.
        metric: name of the metric beside the loss, or ``None``.
        notes: what was inferred or adapted.
    """

    name: str
    source: str
    model: str
    parameters: int
    frozen_parameters: int
    train_rows: int | None
    valid_rows: int | None
    test_rows: int | None
    batch_size: int
    steps_per_epoch: int
    epochs: int
    inputs: str
    target: str
    output: str
    loss: str
    metric: str | None
    objective: str
    direction: Direction
    first_loss: float
    valid_loss: float
    has_batch_norm: bool
    sparse_gradients: bool
    grad_in_evaluation: bool
    notes: tuple[str, ...]
    fingerprint: str


def describe_task(task: Task) -> TaskDescription:
    """Train one batch and evaluate another, with fresh weights, and return what was found.

    Raises:
        TaskError: something in the task fails.
    """

    def attempt(device: str) -> tuple[Batch, Trained, BatchLoss]:
        batch = first_batch(task.train, task.batch_size, "train_data", device)
        trained = train_once(task.make_model, task.batch_loss, batch)
        held = first_batch(task.valid, task.batch_size, "val_data", device)
        return batch, trained, evaluate_once(trained.model, task.batch_loss, held, "val_data")[0]

    with task.surroundings():
        batch, trained, evaluated = on_fitting_device(attempt)
    inputs, target = _tell_batch(batch, trained.found.target)
    return TaskDescription(
        name=task.name, source=task.source, model=type(trained.model).__name__,
        parameters=_count(trained.model, trained=True), frozen_parameters=_count(trained.model, trained=False),
        train_rows=task.train.rows, valid_rows=task.valid.rows, test_rows=task.test.rows if task.test else None,
        batch_size=task.batch_size,
        steps_per_epoch=task.train.steps_per_epoch(task.batch_size, drop_single=task.has_batch_norm),
        epochs=task.epochs, inputs=inputs, target=target,
        output="" if trained.found.output is None else describe_tensors(trained.found.output),
        loss=task.loss_name, metric=task.metric.name if task.metric else None,
        objective=task.objective, direction=task.direction,
        first_loss=trained.found.loss.item(), valid_loss=evaluated.loss.item(),
        has_batch_norm=task.has_batch_norm, sparse_gradients=task.sparse_gradients,
        grad_in_evaluation=task.grad_in_evaluation, notes=task.notes, fingerprint=task.fingerprint,
    )  # fmt: skip


def _tell_batch(batch: Batch, target: Any) -> tuple[str, str]:
    """Return inputs and target in words; a batch of another form is told as a whole."""
    if isinstance(batch, Mapping) or (isinstance(batch, (tuple, list)) and len(batch) > 1):
        inputs, found = split_batch(batch)
        target = found if target is None else target
        return describe_tensors(inputs), "" if target is None else describe_tensors(target)
    return describe_tensors(batch), "" if target is None else describe_tensors(target)


def _count(model: nn.Module, *, trained: bool) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad is trained)
