"""Data of a task that another process has loaded, taken instead of loading them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoopt.tasks.randomness import OwnRandomness
from autoopt.tasks.samples import Samples
from autoopt.tasks.task import Task

DATA_NAMES = ("train_data", "val_data", "test_data")


@dataclass(frozen=True)
class HandedData:
    """The data with which another process trains a task, and how to tell whether the task is the same with them here.

    Attributes:
        parts: by the names that the user's file has for them; what was held out is a part of its own.
        batch_size: rows a batch, for the loader that said so is not here.
        code, fingerprint: of the file, and of the task.
        losses: what ``first_losses`` gave there.
    """

    parts: Mapping[str, Samples]
    batch_size: int
    code: str
    fingerprint: str
    losses: tuple[str, ...]

    def instead_of(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the user gave with these data in place of the user's own."""
        rest = {name: value for name, value in given.items() if name not in DATA_NAMES}
        return {**rest, **self.parts, "batch_size": self.batch_size}


def first_losses(task: Task) -> tuple[str, ...]:
    """Return the losses of an untrained model on the first batch of each part, to the last bit.

    They tell whether something that the user's code keeps beside its data, such as the weights of classes, is the same
    in two processes.
    """
    told = []
    with task.surroundings(), OwnRandomness(0):
        model = task.make_model()
        for samples in (task.train, task.valid, task.test):
            if samples is not None:
                batch = next(iter(samples.batches(samples.fixed_batch_size or task.batch_size)))
                told.append(float(task.batch_loss(model, batch).loss.detach()).hex())
    return tuple(told)
