"""How much memory a row takes while it is trained."""

from __future__ import annotations

import torch
from torch import Tensor

from autoopt.tasks.samples import move_batch
from autoopt.tasks.task import Task
from autoopt.training.streams import RandomStreams

COPIES = 10  # of its weights, that a row has at once: state, gradient, those that an update makes
ACTIVATION_COPIES = 2  # what is kept for the gradient, and its gradient


def bytes_per_row(task: Task, device: str) -> int:
    """Return about how many bytes a row takes in a pass: its weights and what one batch leaves for the gradient.

    Raises:
        Exception: whatever the user's code raises.
    """
    seen: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with task.surroundings(), RandomStreams(0, device).active():
        model = task.make_model().to(device).train()
        batch = move_batch(next(iter(task.train.batches(task.batch_size))), device)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            task.batch_loss(model, batch)
    weights = {p.untyped_storage().data_ptr(): p.nbytes for p in model.parameters()}
    activations = sum(size for place, size in seen.items() if place not in weights)
    return COPIES * sum(weights.values()) + ACTIVATION_COPIES * activations
