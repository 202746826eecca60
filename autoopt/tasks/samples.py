"""Samples: rows of data that give batches, reproducibly; here those that lie in memory as tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from autoopt.tasks.batch import find_target_key
from autoopt.tasks.task import Batch

GATHERED = 2**20  # bytes that are gathered at once
ALIGNMENT = 64  # bytes; where torch begins every tensor of its own


class Samples(Protocol):
    """Data for training or evaluation."""

    @property
    def rows(self) -> int | None:
        """Number of rows, or ``None`` when a stream does not tell."""

    @property
    def fixed_batch_size(self) -> int | None:
        """Rows a batch when nobody but the user sets them (own batch sampler, stream), else ``None``."""

    def steps_per_epoch(self, batch_size: int, *, drop_single: bool = False) -> int:
        """Return the number of batches an epoch."""

    def batches(
        self, batch_size: int, *, shuffle_seed: int | None = None, drop_single: bool = False
    ) -> Iterator[Batch]:
        """Yield the batches of one epoch.

        Args:
            batch_size: rows a batch; without effect where ``fixed_batch_size`` is set.
            shuffle_seed: decides the order and all that is random in making the rows; ``None`` keeps the order.
            drop_single: leave out a last batch of one row, unless it is the only one.
        """


def count_batches(rows: int, batch_size: int, *, drop_last: bool = False, drop_single: bool = False) -> int:
    """Return how many batches the rows make; never none when there are rows.

    >>> count_batches(65, 32), count_batches(65, 32, drop_single=True), count_batches(20, 32, drop_last=True)
    (3, 2, 1)
    """
    full, rest = divmod(rows, batch_size)
    dropped = full > 0 and (drop_last or (drop_single and rest == 1))
    return full + (1 if rest and not dropped else 0)


def move_batch(batch: Batch, device: torch.device | str) -> Batch:
    """Return the batch with all its tensors on the device; tuples, lists, dicts and nestings keep their form.

    Objects of other classes are moved when they have a ``to`` method, and left alone otherwise.
    """
    if isinstance(batch, Tensor):
        return batch if batch.device == device else batch.to(device, non_blocking=True)
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(move_batch(part, device) for part in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(move_batch(part, device) for part in batch)
    if isinstance(batch, dict):
        return {key: move_batch(part, device) for key, part in batch.items()}
    move = getattr(batch, "to", None)
    return move(device) if callable(move) else batch


@dataclass(frozen=True, eq=False)
class TensorSamples:
    """Rows of tensors of equal length; batches are slices, with no DataLoader between.

    Attributes:
        tensors: inputs in order, the target last.
        keys: names of the tensors when batches are dicts; ``None`` for tuples.
        bare: the batch is the one tensor itself, for a user's own ``step``.
        as_given: the tensors of a Dataset, never to be cast.
    """

    tensors: tuple[Tensor, ...] = field(repr=False)
    keys: tuple[str, ...] | None = None
    bare: bool = False
    as_given: bool = False

    @property
    def rows(self) -> int:
        return len(self.tensors[0])

    @property
    def fixed_batch_size(self) -> int | None:
        return None

    @property
    def target_index(self) -> int | None:
        """Which of the tensors is the target; ``None`` when there is none."""
        if self.keys is None:
            return len(self.tensors) - 1 if len(self.tensors) > 1 else None
        key = find_target_key(dict.fromkeys(self.keys))
        return None if key is None else self.keys.index(key)

    @property
    def target(self) -> Tensor | None:
        """The target of all rows."""
        return None if self.target_index is None else self.tensors[self.target_index]

    def steps_per_epoch(self, batch_size: int, *, drop_single: bool = False) -> int:
        return count_batches(self.rows, batch_size, drop_single=drop_single)

    def batches(
        self, batch_size: int, *, shuffle_seed: int | None = None, drop_single: bool = False
    ) -> Iterator[Batch]:
        steps = self.steps_per_epoch(batch_size, drop_single=drop_single)
        if shuffle_seed is None:
            for start in range(0, steps * batch_size, batch_size):
                # copies, as a model or step that works in place would else change the data for good
                yield self._pack([tensor[start : start + batch_size].clone() for tensor in self.tensors])
            return
        order = shuffled(self.rows, shuffle_seed)[: steps * batch_size]
        for chosen in order.split(batch_size * self._batches_together(batch_size)):
            taken = [tensor[chosen.to(tensor.device)].split(batch_size) for tensor in self.tensors]
            for parts in zip(*taken, strict=True):
                yield self._pack(list(parts))

    def _batches_together(self, batch_size: int) -> int:
        """Return how many batches are gathered at once: a megabyte of them, if each lies as one alone would.

        Matrix products round by where their numbers lie in memory, so a batch is to lie as one gathered alone.
        """
        sizes = [batch_size * tensor[:1].numel() * tensor.element_size() for tensor in self.tensors]
        return max(1, GATHERED // max(1, sum(sizes))) if all(size % ALIGNMENT == 0 for size in sizes) else 1

    def take(self, rows: Sequence[int]) -> TensorSamples:
        """Return these rows only."""
        index = torch.as_tensor(rows, dtype=torch.long, device="cpu")
        return replace(self, tensors=tuple(tensor[index.to(tensor.device)] for tensor in self.tensors))

    def _pack(self, tensors: list[Tensor]) -> Batch:
        if self.bare:
            return tensors[0]
        return tuple(tensors) if self.keys is None else dict(zip(self.keys, tensors, strict=True))


def shuffled(rows: int, seed: int) -> Tensor:
    """Return the numbers 0 … rows − 1 in an order that depends on the seed alone."""
    return torch.randperm(rows, generator=torch.Generator().manual_seed(seed), device="cpu")
