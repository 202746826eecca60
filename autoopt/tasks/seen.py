"""Seen: what one training batch through a fresh model shows of a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from autoopt.errors import TaskError
from autoopt.tasks.batch import tensors_of
from autoopt.tasks.explain import explained
from autoopt.tasks.graph import Uses, read_uses
from autoopt.tasks.probe import on_fitting_device
from autoopt.tasks.randomness import OwnRandomness
from autoopt.tasks.samples import move_batch
from autoopt.tasks.task import Batch, BatchLoss, Task

ALIKE = 0.95  # correlation from which on a target is the input again, scaled, or with a little noise


@dataclass(frozen=True)
class Seen:
    """What one batch, forward and backward, has shown.

    Attributes:
        uses: how the parameters were used; ``None`` if that could not be read.
        zero_gradients: share of the trainable weights whose gradient was exactly zero, 0 to 1.
        reconstructs: the model gives back its input.
    """

    uses: Uses | None
    zero_gradients: float
    reconstructs: bool


def see_batch(task: Task) -> Seen | None:
    """Put one training batch through a fresh model and back, and say what was seen; nothing is trained.

    The caller's random state stays as it was. ``None`` if the user's code fails on it.
    """
    try:
        with task.surroundings(), explained("looking at one batch"):
            return on_fitting_device(lambda device: _see(task, device))
    except TaskError:
        return None  # the study itself will say what fails


def _see(task: Task, device: str) -> Seen:
    with OwnRandomness(0), torch.enable_grad():
        model = task.make_model().to(device).train()
        drawn = task.train.batches(task.batch_size, shuffle_seed=0, drop_single=task.has_batch_norm)
        batch = move_batch(next(iter(drawn)), device)
        calls: list[tuple[list[Tensor], list[Tensor]]] = []
        model.register_forward_hook(
            lambda _, given, named, output: calls.append((_floats((given, named)), _floats(output))),
            with_kwargs=True,
        )
        found = task.batch_loss(model, batch)
        uses = read_uses(found.loss, model)
        found.loss.backward()
    inputs, outputs = calls[-1] if calls else ([], [])
    return Seen(uses, _share_of_zeros(model), _reconstructs(inputs, outputs, found, batch))


def _floats(value: Any) -> list[Tensor]:
    """Tensors of real numbers, however nested; an output class may hold them as fields."""
    if hasattr(value, "__dict__") and not isinstance(value, Tensor | dict):
        value = vars(value)
    return [t.detach() for t in tensors_of(value) if t.is_floating_point() and t.ndim > 1]


def _share_of_zeros(model: nn.Module) -> float:
    zeros = elements = 0
    for parameter in model.parameters():
        if (gradient := parameter.grad) is None:
            continue
        values = gradient.coalesce().values() if gradient.is_sparse else gradient
        zeros += parameter.numel() - int(torch.count_nonzero(values))
        elements += parameter.numel()
    return zeros / elements if elements else 0.0


def _reconstructs(inputs: list[Tensor], outputs: list[Tensor], found: BatchLoss, batch: Batch) -> bool:
    """The model gives something of an input's size, and is told that input, or nothing at all."""
    for given in inputs:
        if not any(len(out) == len(given) and out.numel() == given.numel() for out in outputs):
            continue
        if found.target is None:  # a step that gives no more than a loss
            return sum(1 for _ in tensors_of(batch)) == 1
        targets = [t for t in tensors_of(found.target) if t.numel() == given.numel()]
        if any(_correlation(given, target) >= ALIKE for target in targets):
            return True
    return False


def _correlation(one: Tensor, other: Tensor) -> float:
    pair = torch.stack([one.reshape(-1).double(), other.detach().reshape(-1).double()])
    return float(torch.nan_to_num(torch.corrcoef(pair))[0, 1])
