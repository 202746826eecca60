"""The whole training set as one batch, in parts, so that memory is that of a few batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn

from autoopt.errors import TaskError
from autoopt.tasks.loaders import DatasetSamples
from autoopt.tasks.samples import Samples, move_batch
from autoopt.tasks.task import Batch, Task

PART_BATCHES = (
    4  # a part is this many training batches of the task, as many rows as an evaluation takes at once
)


@dataclass(frozen=True)
class Parts:
    """A training batch, perhaps in several parts; it can be walked through again and again, and gives the same.

    Attributes:
        batches: one, or those that are the parts, or samples whose batches are.
        part_rows: of each part of samples.
        rows: of all parts together; ``None`` where there is one part, whose loss counts as it is.
        seed: of what is random in making the rows.
    """

    batches: tuple[Batch, ...] | Samples
    part_rows: int = 1
    rows: int | None = None
    seed: int | None = None

    def __iter__(self) -> Iterator[Batch]:
        if isinstance(self.batches, tuple):
            return iter(self.batches)
        return self.batches.batches(self.part_rows, shuffle_seed=self.seed)


class WholeSet:
    """All rows of a task's training data, for gradients that are exact.

    The mean loss over all rows is the mean over parts, weighted by rows, where rows do not see each other. Where
    they do, by batch norm or in a loss that is no mean over rows, all of them are one part. Which it is, is tried on
    a few rows.

    Args:
        model: fresh; it is evaluated, not trained.

    Raises:
        TaskError: the data come in batches of their own, so there is no whole to speak of.
    """

    def __init__(self, task: Task, model: nn.Module, device: str) -> None:
        samples: Samples = task.train
        rows = samples.rows
        if samples.fixed_batch_size is not None or rows is None:
            raise TaskError(
                "the gradient of the whole training set needs a Dataset or arrays: these data come in batches of "
                "their own"
            )
        self._is_made = isinstance(samples, DatasetSamples)
        if isinstance(samples, DatasetSamples):
            # every row counts, in any order; a seed is for what is drawn at random in making them
            samples = replace(samples, in_order=True, drop_last=False)
        self._samples = samples
        self._rows = rows
        part = PART_BATCHES * task.batch_size
        apart = (
            part < rows and not task.has_batch_norm and _is_mean_over_rows(task, self._samples, model, device)
        )
        self._part_rows = part if apart else rows

    def parts(self, seed: int) -> Parts:
        """Return all rows as one batch in parts; ``seed`` is for rows that are made with random numbers."""
        together = self._rows if self._part_rows < self._rows else None
        return Parts(self._samples, self._part_rows, together, seed if self._is_made else None)


def _is_mean_over_rows(task: Task, samples: Samples, model: nn.Module, device: str) -> bool:
    """Tell whether the loss of a batch is the mean of those of its halves."""
    half = max(1, min(task.batch_size, (samples.rows or 2) // 2))

    def losses(batch_size: int, count: int) -> list[tuple[float, int]]:
        walk = zip(range(count), samples.batches(batch_size), strict=False)
        found = [task.batch_loss(model, move_batch(batch, device)) for _, batch in walk]
        return [(each.loss.item(), each.rows) for each in found]

    model.eval()
    with torch.enable_grad() if task.grad_in_evaluation else torch.no_grad():
        ((whole, rows),), halves = losses(2 * half, 1), losses(half, 2)
    mean = sum(loss * count for loss, count in halves) / sum(count for _, count in halves)
    return [rows, *(count for _, count in halves)] == [2 * half, half, half] and abs(mean - whole) <= (
        1e-4 * max(abs(whole), 1e-2)
    )
