"""How a batch becomes a loss: by the user's step, the model's own loss, the user's loss, or an inferred one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from autoopt.errors import TaskError
from autoopt.tasks.batch import TARGET_KEYS, split_batch
from autoopt.tasks.data import Data
from autoopt.tasks.forward import DictForward, StepForward, TupleForward, loss_of, scores_of, takes_target
from autoopt.tasks.infer import infer_loss
from autoopt.tasks.labels import check_labels
from autoopt.tasks.loss import Fit, LossFunction, read_loss
from autoopt.tasks.model import MakeModel
from autoopt.tasks.probe import BatchLossFunction, run_model
from autoopt.tasks.samples import TensorSamples


@dataclass(frozen=True)
class Forward:
    """The chosen way, with the name of the loss.

    Attributes:
        loss: ``None`` where the user's step or model computes it.
    """

    batch_loss: BatchLossFunction
    name: str
    loss: LossFunction | None = None


def choose_forward(step: Any, loss: Any, make_model: MakeModel, data: Data, notes: list[str]) -> Forward:
    """Return how a batch becomes a loss, decided on the first training batch.

    Raises:
        TaskError: no loss can be had, or output and target do not fit.
    """
    if step is not None:
        if not callable(step):
            raise TaskError(
                f"step is of type {type(step).__name__}: give a function step(model, batch) -> loss"
            )
        if loss is not None:
            notes.append("loss is not used: step gives it")
        return Forward(StepForward(step), "step")
    given = None if loss is None else read_loss(loss)
    batch = data.first_batch()
    model, result = run_model(make_model, batch)
    if not isinstance(batch, Mapping):
        chosen = _choose_loss(given, result, split_batch(batch)[1], data, model, notes)
        return Forward(TupleForward(chosen), chosen.name, chosen)
    passes_target = takes_target(model, batch)
    if given is None and loss_of(result) is not None:
        return Forward(DictForward(None, passes_target), "the model's own loss")
    target = split_batch(batch)[1]
    if target is None:
        raise TaskError(
            f"batches are dicts with {', '.join(map(str, batch))}, but without a target "
            f"({', '.join(TARGET_KEYS)}), "
            "and the model's output carries no .loss: write step(model, batch) -> loss"
        )
    chosen = _choose_loss(given, scores_of(result), target, data, model, notes)
    return Forward(DictForward(chosen, passes_target), chosen.name, chosen)


def _choose_loss(
    given: LossFunction | None, output: Any, target: Any, data: Data, model: nn.Module, notes: list[str]
) -> LossFunction:
    if given is None:
        loss = infer_loss(output, target, data.train_targets, model, notes)
    else:
        loss = given.fitted(output, target)
        _tell_fit(loss, output, target, notes)
    check_labels("train_data", target, output, loss)
    for name, samples in data.parts.items():
        if isinstance(samples, TensorSamples):
            check_labels(name, samples.target, output, loss)
    return loss


def _tell_fit(loss: LossFunction, output: Any, target: Any, notes: list[str]) -> None:
    if isinstance(loss.function, nn.Module) and any(True for _ in loss.function.parameters()):
        notes.append(f"{loss.name} has parameters of its own, which are not trained")
    if loss.fit.classes_last:
        notes.append(f"{loss.name}: the classes are taken from the last dimension of the output")
    if replace(loss.fit, classes_last=False, dtype=None) != Fit():
        shapes = f"targets {tuple(target.shape)} and outputs {tuple(output.shape)}"
        notes.append(f"{loss.name}: {shapes} are given the same shape, so that they are compared row by row")
