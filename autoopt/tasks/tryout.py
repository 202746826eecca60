"""A task tried out: model, data and loss brought together, one training batch, one evaluation batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import nn

from autoopt.tasks.choose import Forward, choose_forward
from autoopt.tasks.data import Data, suit_model, to_model_type
from autoopt.tasks.labels import batch_of_extremes
from autoopt.tasks.model import MakeModel, finish_lazy, floating_type, is_unfinished
from autoopt.tasks.probe import evaluate_once, on_fitting_device, run_inputs, train_once
from autoopt.tasks.samples import move_batch
from autoopt.tasks.task import BatchLoss


@dataclass(frozen=True)
class TriedTask:
    """What came of it.

    Attributes:
        make_model: gives complete models, lazy layers and all.
        data: with validation data, held out if none were given, and in the model's type.
        model: after one training batch without a step.
        evaluated: the first batch of the validation data.
    """

    make_model: MakeModel
    data: Data
    forward: Forward
    model: nn.Module
    evaluated: BatchLoss
    grad_in_evaluation: bool
    sparse_gradients: bool
    dense_gradients: bool


def try_out(
    make_model: MakeModel, raw: Data, *, step: Any, loss: Any, seed: int, notes: list[str]
) -> TriedTask:
    """Bring model, data and loss together, and try them on a batch of each part of the data.

    Raises:
        TaskError: something fails.
    """

    def attempt(device: str) -> tuple[TriedTask, list[str]]:
        told: list[str] = []
        return _try_on(device, make_model, raw, step, loss, seed, told), told

    tried, told = on_fitting_device(attempt)
    notes += told
    return tried


def _try_on(
    device: str, make_model: MakeModel, raw: Data, step: Any, loss: Any, seed: int, notes: list[str]
) -> TriedTask:
    plain = make_model()
    dtype = floating_type(plain)
    data = to_model_type(replace(raw, device=device), dtype)
    if step is None:
        data = suit_model(data, make_model, dtype, notes)
    if is_unfinished(plain):
        batch = data.first_batch()
        run = partial(step, batch=batch) if step is not None else partial(run_inputs, batch=batch)
        make_model = finish_lazy(make_model, run)
    forward = choose_forward(step, loss, make_model, data, notes)
    data = data if "val_data" in data.parts else data.held_out(seed, notes)
    return _try_batches(make_model, forward, data, notes)


def _try_batches(make_model: MakeModel, forward: Forward, data: Data, notes: list[str]) -> TriedTask:
    trained = train_once(make_model, forward.batch_loss, data.first_batch())
    if trained.idle:
        notes.append(f"{len(trained.idle)} parameters get no gradient, such as {trained.idle[0]}")
    evaluated, needs_gradients = trained.found, False
    for name, samples in data.parts.items():
        batches = [data.first_batch(name)] if name != "train_data" else []
        if forward.loss is not None and forward.loss.kind == "free":
            batches += [move_batch(b, data.device) for b in batch_of_extremes(samples, data.batch_size)]
        for number, batch in enumerate(batches):
            found, needed = evaluate_once(trained.model, forward.batch_loss, batch, name)
            needs_gradients = needs_gradients or needed
            if name == "val_data" and number == 0:
                evaluated = found
    return TriedTask(make_model, data, forward, trained.model, evaluated, needs_gradients,
                 trained.sparse_gradients, trained.dense_gradients)  # fmt: skip
