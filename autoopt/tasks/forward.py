"""One batch through the model: tuples, dicts, or whole to the user's own step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from autoopt.errors import TaskError
from autoopt.tasks.batch import count_rows, find_target_key, split_batch
from autoopt.tasks.loss import LossFunction, as_scalar
from autoopt.tasks.task import Batch, BatchLoss


@dataclass(frozen=True)
class TupleForward:
    """Batches (inputs …, target): the inputs go to the model in order, output and target to the loss."""

    loss: LossFunction

    def __call__(self, model: nn.Module, batch: Batch) -> BatchLoss:
        inputs, target = split_batch(batch)
        output = model(*inputs)
        return BatchLoss(self.loss(output, target), count_rows(batch), output, target)


@dataclass(frozen=True)
class DictForward:
    """Batches of keyword inputs.

    Attributes:
        loss: ``None`` when the model's output carries its own ``loss``.
        passes_target: the model takes the target as a keyword too, Hugging Face style.
    """

    loss: LossFunction | None
    passes_target: bool

    def __call__(self, model: nn.Module, batch: Batch) -> BatchLoss:
        result = run_dict(model, batch, passes_target=self.passes_target)
        output, key = scores_of(result), find_target_key(batch)
        target = None if key is None else batch[key]
        if self.loss is None:
            loss = as_scalar(loss_of(result), "the loss in the model's output")
        else:
            loss = self.loss(output, target)
        return BatchLoss(loss, count_rows(batch), output, target)


@dataclass(frozen=True)
class StepForward:
    """Batches that go whole to the user's ``step(model, batch)``: the loss, or (loss, output, target)."""

    step: Callable[[nn.Module, Batch], Any]

    def __call__(self, model: nn.Module, batch: Batch) -> BatchLoss:
        found = self.step(model, batch)
        if not isinstance(found, tuple):
            return BatchLoss(as_scalar(found, "step"), count_rows(batch))
        if len(found) != 3:
            raise TaskError(
                f"step returned a tuple of {len(found)}: return the loss, or (loss, output, target)"
            )
        loss, output, target = found
        return BatchLoss(as_scalar(loss, "step"), count_rows(batch), output, target)


def run_dict(model: nn.Module, batch: Mapping[str, Any], *, passes_target: bool) -> Any:
    """Return what the model gives for keyword inputs."""
    target = None if passes_target else find_target_key(batch)
    return model(**{name: part for name, part in batch.items() if name != target})


def takes_target(model: nn.Module, batch: Mapping[str, Any]) -> bool:
    """Return whether the model's ``forward`` has a parameter for the target of a dict batch."""
    key = find_target_key(batch)
    try:
        parameters = inspect.signature(model.forward).parameters
    except (TypeError, ValueError):  # compiled code shows no parameters
        return True
    return key in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def loss_of(result: Any) -> Tensor | None:
    """Return the loss that a model's output carries, or ``None``."""
    found = result.get("loss") if isinstance(result, Mapping) else getattr(result, "loss", None)
    return found if isinstance(found, Tensor) else None


def scores_of(result: Any) -> Any:
    """Return the logits of a model's output where it names them, else the output itself."""
    if isinstance(result, Mapping):
        return result.get("logits", result)
    return getattr(result, "logits", result)
