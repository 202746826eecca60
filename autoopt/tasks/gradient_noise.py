"""How noisy and how sparse a task's gradients are, measured on a few real batches."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

import torch
from torch import Tensor, nn
from torch.sparse import check_sparse_tensor_invariants

from autoopt.errors import TaskError
from autoopt.tasks.batch import count_rows
from autoopt.tasks.explain import explained
from autoopt.tasks.probe import on_fitting_device
from autoopt.tasks.randomness import OwnRandomness
from autoopt.tasks.samples import move_batch
from autoopt.tasks.task import Batch, Task

BATCHES = 16  # gradients that are compared
FEWEST = 4  # of them that say anything
STEPS = 20  # between the two measurements
SECONDS = 4.0


@dataclass(frozen=True)
class GradientFacts:
    """What a few gradients of fresh weights, and of hardly trained ones, have shown.

    Attributes:
        noise_scale: rows of a batch whose gradient is as much noise as signal, after a few steps of training if
            there was time for them, else with fresh weights; infinite if the noise hides the signal. The simple
            noise scale of McCandlish et al., An Empirical Model of Large-Batch Training, 2018.
        fresh_noise_scale: the same with fresh weights.
        zero_gradients: mean share of the weights whose gradient was exactly zero in a batch, 0 to 1.
        sparse_data: mean share of those that were zero in one batch but not in all, as words are that do not
            occur; what is zero in all, such as behind a dead unit, is left out.
        batches: how many gradients were compared at a time.
    """

    noise_scale: float
    fresh_noise_scale: float
    zero_gradients: float
    sparse_data: float
    batches: int


def measure_gradients(task: Task, seconds: float = SECONDS) -> GradientFacts | None:
    """Return how noisy and how sparse the gradients are, or ``None``.

    None if the user's code fails, the time is up before there are four gradients, or the data give fewer.

    Works on fresh models of its own; the caller's random state and the data stay as they were.

    Args:
        seconds: after which no further batch is begun.
    """
    ends = time.monotonic() + seconds
    try:
        with task.surroundings(), explained("measuring gradients"):
            return on_fitting_device(lambda device: _measure(task, device, ends))
    except TaskError:
        return None


def _measure(task: Task, device: str, ends: float) -> GradientFacts | None:
    # torch warns of sparse tensors until someone has said whether to check them: leave it as it is
    checks = check_sparse_tensor_invariants(bool(check_sparse_tensor_invariants.is_enabled()))
    with OwnRandomness(0), torch.enable_grad(), checks:
        model = task.make_model().to(device).train()
        batches = _batches(task, device)
        fresh = _Gradients(model)
        if task.train.steps_per_epoch(_rows(task), drop_single=task.has_batch_norm) < FEWEST:
            return None
        _add_batches(task, model, batches, fresh, ends)
        if fresh.batches < FEWEST:
            return None
        later = _Gradients(model)
        if _train(task, model, batches, ends):
            _add_batches(task, model, batches, later, ends)
    last = later if later.batches >= FEWEST else fresh
    return GradientFacts(last.noise_scale(), fresh.noise_scale(), *fresh.shares(), fresh.batches)


def _rows(task: Task) -> int:
    """Rows of a gradient: no more than leave enough of them that share none, or they would look alike."""
    rows = task.train.rows
    return task.batch_size if rows is None else max(2, min(task.batch_size, rows // BATCHES))


def _batches(task: Task, device: str) -> Iterator[Batch]:
    for epoch in count():
        drawn = task.train.batches(_rows(task), shuffle_seed=epoch, drop_single=task.has_batch_norm)
        for batch in drawn:
            yield move_batch(batch, device)


def _backward(task: Task, model: nn.Module, batch: Batch) -> None:
    model.zero_grad(set_to_none=True)
    task.batch_loss(model, batch).loss.backward()


def _add_batches(
    task: Task, model: nn.Module, batches: Iterator[Batch], gradients: _Gradients, ends: float
) -> None:
    for batch in islice(batches, BATCHES):
        _backward(task, model, batch)
        gradients.add(count_rows(batch))
        if time.monotonic() > ends:
            return


def _train(task: Task, model: nn.Module, batches: Iterator[Batch], ends: float) -> bool:
    """Take a few steps at a usual rate; False if the time is up before they are done."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer: torch.optim.Optimizer = torch.optim.Adam(trained, 1e-3)
    if task.sparse_gradients:
        optimizer = torch.optim.Adagrad(trained, 0.1)
    for batch in islice(batches, STEPS):
        if time.monotonic() > ends:
            return False
        _backward(task, model, batch)
        optimizer.step()
    return True


class _Gradients:
    """Sums over the gradients of several batches, as many rows each."""

    def __init__(self, model: nn.Module) -> None:
        self.batches = 0
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._sums: list[Tensor | None] = [None] * len(self._parameters)
        self._ever: list[Tensor | None] = [None] * len(self._parameters)
        self._squares = 0.0
        self._rows = 0
        self._zeros = 0

    def add(self, rows: int) -> None:
        """Add the gradients that the parameters hold now."""
        self.batches += 1
        self._rows += rows
        for number, parameter in enumerate(self._parameters):
            if parameter.grad is None:
                continue
            gradient = parameter.grad.detach().to_dense()
            self._squares += float(gradient.square().sum())
            moved = gradient != 0
            self._zeros += moved.numel() - int(moved.sum())
            total, ever = self._sums[number], self._ever[number]
            self._sums[number] = gradient.clone() if total is None else total.add_(gradient)
            self._ever[number] = moved if ever is None else ever.logical_or_(moved)

    def noise_scale(self) -> float:
        """Return tr Σ / |G|² in rows, Σ being the covariance of the gradient of one row and G its mean."""
        n = self.batches
        mean_square = sum(float(s.square().sum()) for s in self._sums if s is not None) / n**2
        spread = max(0.0, self._squares - n * mean_square) / (n - 1)
        signal = mean_square - spread / n  # the mean of n gradients still holds an n-th of their noise
        return self._rows / n * spread / signal if signal > 0 else math.inf

    def shares(self) -> tuple[float, float]:
        """Return the share of zeros in a batch, and of those zeros that other batches do not have."""
        masks = [mask for mask in self._ever if mask is not None]
        size = sum(mask.numel() for mask in masks)
        if not size:
            return 0.0, 0.0
        never = sum(mask.numel() - int(mask.sum()) for mask in masks) / size
        zeros = self._zeros / self.batches / size
        return zeros, zeros - never
