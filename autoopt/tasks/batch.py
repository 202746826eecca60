"""Batches: their tensors, how many rows they have, and where their target is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from autoopt.errors import TaskError
from autoopt.tasks.task import Batch

TARGET_KEYS = ("labels", "label", "targets", "target", "y")


def tensors_of(batch: Batch) -> Iterator[Tensor]:
    """Yield every tensor of the batch, in order."""
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, Mapping):
        for part in batch.values():
            yield from tensors_of(part)
    elif isinstance(batch, (tuple, list)):
        for part in batch:
            yield from tensors_of(part)


def count_rows(batch: Batch) -> int:
    """Return the rows of the batch: the length of its first tensor, else of the batch itself."""
    if type(batch) is tuple and batch and isinstance(batch[0], Tensor) and batch[0].ndim:
        return len(batch[0])  # what most batches are; asked at every step
    for tensor in tensors_of(batch):
        return len(tensor) if tensor.ndim else 1
    for name in ("num_graphs", "batch_size"):
        if isinstance(rows := getattr(batch, name, None), int):
            return rows
    return len(batch) if isinstance(batch, (tuple, list)) else 1


def find_target_key(batch: Mapping[str, Any]) -> str | None:
    """Return the key under which a dict batch holds its target, or ``None``."""
    return next((key for key in TARGET_KEYS if key in batch), None)


def split_batch(batch: Batch) -> tuple[tuple[Any, ...], Any]:
    """Return the inputs of a tuple or dict batch, and its target (``None`` when a dict has none).

    Raises:
        TaskError: the batch is neither, or a tuple of one.
    """
    if isinstance(batch, Mapping):
        key = find_target_key(batch)
        return tuple(part for name, part in batch.items() if name != key), batch[key] if key else None
    if isinstance(batch, (tuple, list)) and len(batch) > 1:
        return tuple(batch[:-1]), batch[-1]
    got = (
        f"{type(batch).__name__} of {len(batch)}"
        if isinstance(batch, (tuple, list))
        else type(batch).__name__
    )
    raise TaskError(
        f"a batch of train_data is a {got}: give (inputs …, target) or a dict of keyword inputs, "
        "or write step(model, batch) -> loss"
    )


def describe_tensors(value: Any) -> str:
    """Return shapes and types in a few words, for messages.

    >>> import torch
    >>> describe_tensors((torch.zeros(64, 10), torch.zeros(64, dtype=torch.long)))
    '(64, 10) float32 and (64,) int64'
    """
    found = [f"{tuple(t.shape)} {str(t.dtype).removeprefix('torch.')}" for t in tensors_of(value)]
    return " and ".join(found) or type(value).__name__
