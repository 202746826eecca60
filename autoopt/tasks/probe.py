"""One batch for trial: what the model gives, which gradients it gets, whether it can be evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from autoopt.errors import TaskError
from autoopt.tasks.arrays import check_finite
from autoopt.tasks.batch import count_rows, describe_tensors, split_batch, tensors_of
from autoopt.tasks.explain import explained
from autoopt.tasks.forward import run_dict, takes_target
from autoopt.tasks.model import MakeModel, floating_type
from autoopt.tasks.randomness import OwnRandomness
from autoopt.tasks.samples import Samples, move_batch
from autoopt.tasks.task import Batch, BatchLoss

Result = TypeVar("Result")
BatchLossFunction = Callable[[nn.Module, Batch], BatchLoss]


@dataclass(frozen=True)
class Trained:
    """One training batch, forward and backward, with fresh weights."""

    model: nn.Module
    found: BatchLoss
    sparse_gradients: bool
    dense_gradients: bool
    idle: tuple[str, ...]  # trainable parameters that got no gradient


def has_batch_norm(model: nn.Module) -> bool:
    """Return whether the model normalises over the rows of a batch."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())


def first_batch(samples: Samples, batch_size: int, name: str, device: str = "cpu") -> Batch:
    """Return the first batch in order, on the device.

    Raises:
        TaskError: there is none, or making it failed.
    """
    with explained(f"reading the first batch of {name}"):
        for batch in samples.batches(batch_size):
            return move_batch(batch, device)
    raise TaskError(f"{name} is empty: it needs at least one row")


def on_fitting_device(attempt: Callable[[str], Result]) -> Result:
    """Return what the attempt gives on the processor or, for code that moves batches itself, on a card.

    The processor comes first: errors are clearer there, and one on a card may end the whole program.
    """
    try:
        return attempt("cpu")
    except TaskError as error:
        if "cuda" not in str(error) or not torch.cuda.is_available():
            raise
    return attempt("cuda")


def device_of(batch: Batch) -> torch.device:
    """Return where the batch is; a batch without tensors counts as on the processor."""
    return next((tensor.device for tensor in tensors_of(batch)), torch.device("cpu"))


def check_batch(batch: Batch, name: str) -> None:
    """Refuse a batch with values that are not finite."""
    for tensor in tensors_of(batch):
        check_finite(f"the first batch of {name}", tensor)


def run_model(make_model: MakeModel, batch: Batch) -> tuple[nn.Module, Any]:
    """Return a fresh model in training mode, and what it gives for the inputs of the batch.

    Raises:
        TaskError: the model fails on it.
    """
    with OwnRandomness(0):
        model = make_model().to(device_of(batch)).train()
        inputs, _ = split_batch(batch)
        with _explained("the model on inputs", model, inputs):
            return model, run_inputs(model, batch)


def run_inputs(model: nn.Module, batch: Batch) -> Any:
    """Return what a model gives for the inputs of a tuple or dict batch."""
    if isinstance(batch, Mapping):
        return run_dict(model, batch, passes_target=takes_target(model, batch))
    return model(*split_batch(batch)[0])


@contextmanager
def _explained(doing: str, model: nn.Module, batch: Any) -> Iterator[None]:
    """Say what went in when the user's code fails, and what may be wrong with that."""
    try:
        with explained(f"{doing} {describe_tensors(batch)}"):
            yield
    except TaskError as told:
        raise TaskError(f"{told}{_hint(model, batch)}") from told.__cause__


def _hint(model: nn.Module, batch: Any) -> str:
    wanted = floating_type(model)
    first = next((t for t in tensors_of(batch) if t.is_floating_point()), None)
    if first is not None and first.dtype != wanted:
        return f"; the model computes in {wanted}: let the Dataset give its inputs in that type".replace(
            "torch.", ""
        )
    if has_batch_norm(model) and count_rows(batch) == 1:
        return "; batch norm needs at least two rows: make batch_size larger"
    return ""


def train_once(make_model: MakeModel, batch_loss: BatchLossFunction, batch: Batch) -> Trained:
    """Return one training batch, forward and backward.

    Raises:
        TaskError: the loss fails, is not finite, or does not lead back to the model's parameters.
    """
    with OwnRandomness(0), torch.enable_grad():
        model = make_model().to(device_of(batch)).train()
        with _explained("the loss of a training batch", model, batch):
            found = batch_loss(model, batch)
        _check_loss(found.loss.detach(), "training")
        if not found.loss.requires_grad:
            raise TaskError(
                "the loss does not depend on the model's parameters: leave out .item(), .detach() and no_grad"
            )
        with explained("the gradient of the loss"):
            found.loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    if all(gradient is None for gradient in gradients.values()):
        raise TaskError(
            "the loss does not depend on the model's parameters: compute it from the model's output"
        )
    return Trained(
        model,
        found,
        sparse_gradients=any(g is not None and g.is_sparse for g in gradients.values()),
        dense_gradients=any(g is not None and not g.is_sparse for g in gradients.values()),
        idle=tuple(name for name, gradient in gradients.items() if gradient is None),
    )


def evaluate_once(
    model: nn.Module, batch_loss: BatchLossFunction, batch: Batch, name: str
) -> tuple[BatchLoss, bool]:
    """Return one evaluation batch, and whether it needs gradients.

    Raises:
        TaskError: it fails with and without them, or its loss is not finite.
    """
    model.eval()
    needs_gradients = False
    with OwnRandomness(0), _explained(f"the loss of a batch of {name}", model, batch):
        try:
            with torch.no_grad():
                found = batch_loss(model, batch)
        except Exception as first:
            found, needs_gradients = _with_gradients(model, batch_loss, batch, first), True
    _check_loss(found.loss.detach(), name)
    return found, needs_gradients


def _with_gradients(
    model: nn.Module, batch_loss: BatchLossFunction, batch: Batch, first: Exception
) -> BatchLoss:
    try:
        with torch.enable_grad():
            return batch_loss(model, batch)
    except Exception:
        raise first from None


def _check_loss(loss: Tensor, where: str) -> None:
    if not bool(torch.isfinite(loss)):
        raise TaskError(
            f"the loss of the first {where} batch is {loss.item()} before any training: look for division by zero, "
            "log of zero, or missing values in the data"
        )
