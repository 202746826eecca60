"""Making a task out of Python objects: what the user's names mean, tried on one batch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from autoopt.errors import TaskError
from autoopt.tasks.data import check_values, read_data
from autoopt.tasks.fingerprint import fingerprint_data, fingerprint_task
from autoopt.tasks.model import read_model
from autoopt.tasks.objective import build_metric, read_objective
from autoopt.tasks.probe import has_batch_norm
from autoopt.tasks.randomness import OwnRandomness
from autoopt.tasks.task import Task
from autoopt.tasks.tryout import try_out

EPOCHS = 20


@dataclass(frozen=True)
class Origin:
    """Where a task comes from: what to call it, its code, and the context in which this runs."""

    source: str = ""
    code: bytes = b""
    surroundings: Callable[[], AbstractContextManager[None]] = field(default=nullcontext)
    notes: tuple[str, ...] = ()


def make_task(
    *,
    model: Any,
    train_data: Any,
    val_data: Any = None,
    test_data: Any = None,
    loss: Any = None,
    metric: Any = None,
    metric_direction: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    step: Any = None,
    name: str = "task",
    objective: str | None = None,
    seed: int = 0,
    origin: Origin | None = None,
) -> Task:
    """Make a task out of Python objects, and try it on one batch.

    Args:
        model: a class or function that gives a fresh module, or a module.
        train_data: a pair (X, y) of arrays, a Dataset, a DataLoader, or a function that returns one.
        val_data, test_data: likewise; without ``val_data``, 20 % of the training rows are held out.
        loss: a module, a function of (output, target), a name of torch.nn.functional; inferred if ``None``.
        metric: a function of (output, target), a torchmetrics object, or a name such as ``"accuracy"``.
        metric_direction: ``"maximize"`` or ``"minimize"``, where the metric's name does not tell.
        epochs: of one complete training; 20 by default.
        batch_size: rows a batch; by default the DataLoader's, else 64.
        steps_per_epoch: batches an epoch of an IterableDataset.
        step: ``step(model, batch)`` → the loss, or (loss, output, target), instead of all the above.
        objective: what is searched: ``None`` or ``"loss"``, ``"metric"``, or the name of a metric.
        seed: decides which rows are held out.
        origin: where the objects come from.

    Raises:
        TaskError: something cannot be used.

    >>> import torch
    >>> from torch import nn
    >>> X, y = torch.randn(100, 4), torch.randint(3, (100,))
    >>> make_task(model=lambda: nn.Linear(4, 3), train_data=(X, y), epochs=5).loss_name
    'cross_entropy'
    """
    origin = origin or Origin()
    notes = list(origin.notes)
    epochs = _check_count("epochs", epochs) or EPOCHS
    batch_size, steps = (
        _check_count("batch_size", batch_size),
        _check_count("steps_per_epoch", steps_per_epoch),
    )
    searched = read_objective(metric, metric_direction, objective)
    given = {"train_data": train_data, "val_data": val_data, "test_data": test_data}
    with origin.surroundings(), OwnRandomness(0):
        make_model = read_model(model, origin.surroundings, notes)
        raw = read_data(given, batch_size, steps, whole=step is not None, notes=notes)
        if step is None:
            check_values(raw)
        tried = try_out(make_model, raw, step=step, loss=loss, seed=seed, notes=notes)
        data, forward = tried.data, tried.forward
        measured = build_metric(searched, tried.evaluated, data, tried.model, forward.name, notes)
        facts = {"epochs": epochs, "batch_size": data.batch_size, "steps_per_epoch": steps, "loss": forward.name,
                 "objective": searched.name, "direction": searched.direction}  # fmt: skip
        told = fingerprint_data(raw.parts, data.batch_size)
        fingerprint = fingerprint_task(origin.code, tried.model, told, facts)
    return Task(
        name=name, make_model=tried.make_model, train=data.train, valid=data.parts["val_data"],
        test=data.parts.get("test_data"),
        batch_loss=forward.batch_loss, epochs=epochs, batch_size=data.batch_size, metric=measured,
        objective=searched.name, direction=searched.direction, loss_name=forward.name,
        grad_in_evaluation=tried.grad_in_evaluation, has_batch_norm=has_batch_norm(tried.model),
        n_trainable=sum(p.numel() for p in tried.model.parameters() if p.requires_grad),
        sparse_gradients=tried.sparse_gradients, dense_gradients=tried.dense_gradients,
        source=origin.source, notes=tuple(notes),
        fingerprint=fingerprint, surroundings=origin.surroundings,
    )  # fmt: skip


def _check_count(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise TaskError(f"{name} is {value!r}: it must be a whole number of at least 1")
    return int(value)
