"""From arrays to a task, and from a task to a trained module: what the estimators stand on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from autoopt.errors import EstimatorError
from autoopt.recipe import Recipe
from autoopt.tasks.explain import explained
from autoopt.tasks.make import make_task
from autoopt.tasks.randomness import OwnRandomness
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import Task
from autoopt.training.final import train_model

Array = np.ndarray[Any, Any]
LOSSES = ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss")
CLASS_LOSSES = ("cross_entropy", "binary_cross_entropy_with_logits")
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class PlainNetwork:
    """Makes a multilayer perceptron with ReLU: what is trained where no module is given."""

    hidden: Sequence[int]

    def __call__(self, n_features: int, n_outputs: int) -> nn.Module:
        widths = [n_features, *self.hidden]
        layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(*layers, nn.Linear(widths[-1], n_outputs))


@dataclass(frozen=True)
class Weighted:
    """A step on batches (X, weights, y): the mean of the rows' losses, each times its weight."""

    loss: str

    def __call__(
        self, model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        inputs, weights, target = batch
        output = model(inputs)
        fitting = target if self.loss == CLASS_LOSSES[0] else target.reshape(output.shape).to(output.dtype)
        losses = getattr(functional, self.loss)(output, fitting, reduction="none")
        return (losses.reshape(len(weights), -1).mean(1) * weights).mean(), output, target


def module_maker(given: Any, n_features: int, n_outputs: int) -> Callable[[], nn.Module] | nn.Module:
    """Return what makes the module, with those of ``n_features`` and ``n_outputs`` filled in that it takes.

    Raises:
        EstimatorError: it is neither a module nor a function or class that makes one.
    """
    if isinstance(given, nn.Module):
        return given
    if not callable(given):
        raise EstimatorError(
            f"module={given!r}: give a class or function that returns a torch.nn.Module, or None for a "
            "multilayer perceptron"
        )
    known = {"n_features": n_features, "n_outputs": n_outputs}
    try:
        taken = {name: known[name] for name in inspect.signature(given).parameters if name in known}
    except (TypeError, ValueError):
        taken = {}
    return lambda: given(**taken)


def array_task(make: Any, X: Array, y: Array, weights: Array | None, loss: str, **facts: Any) -> Task:
    """Return the task of training on arrays; ``facts`` are further arguments of ``make_task``.

    Args:
        weights: of the rows, their mean 1; ``None`` where all weigh the same.
        loss: of ``LOSSES`` or ``CLASS_LOSSES``.
    """
    task = make_task(model=make, train_data=(X, y), loss=loss, **facts)
    if weights is None:
        return task
    assert isinstance(task.train, TensorSamples)
    inputs = torch.as_tensor(X).to(task.train.tensors[0].dtype)  # as the model takes them
    weighted = make_task(model=make, train_data=(inputs, weights, y), step=Weighted(loss), **facts)
    return replace(weighted, loss_name=loss)


def train_on_all(task: Task, recipe: Recipe, seed: int, device: str) -> nn.Module:
    """Return a module trained on all rows, those too that were held out while recipes were compared."""
    train, valid = task.train, task.valid
    assert isinstance(train, TensorSamples)
    assert isinstance(valid, TensorSamples)
    pairs = zip(train.tensors, valid.tensors, strict=True)
    both = replace(train, tensors=tuple(torch.cat(pair) for pair in pairs))
    return train_model(replace(task, train=both), recipe, seed, device)


def try_module(make: Any, X: Array) -> tuple[int, ...]:
    """Return the shape of what a fresh module gives for a few rows.

    Raises:
        TaskError: it fails on them, or gives something else than a tensor.
    """
    with OwnRandomness(0), explained(f"module on X of shape {X[:2].shape}"):
        module = make if isinstance(make, nn.Module) else make()
        try:
            return tuple(outputs(module, X[:2]).shape)
        except RuntimeError:  # whole numbers, where the module takes others only
            return tuple(outputs(module, X[:2].astype(np.float32)).shape)


def outputs(module: nn.Module, X: Array, dtype: torch.dtype | None = None) -> Array:
    """Return what the module gives for the rows, in evaluation mode, where its weights are.

    Args:
        dtype: of the inputs; ``None`` for the module's own where they are numbers with a point.
    """
    first = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    inputs = torch.tensor(X)
    if dtype is not None or inputs.is_floating_point():
        inputs = inputs.to(dtype or first.dtype)
    was_training = module.training
    module.eval()
    with torch.no_grad():
        found = [module(part.to(first.device)).cpu() for part in inputs.split(_ROWS_AT_ONCE)]
    module.train(was_training)
    return np.asarray(torch.cat(found).double())
