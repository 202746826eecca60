"""One training batch and one evaluation batch, through the same door as every run of a study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from autoopt.errors import TaskError
from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.space.written import BASELINE, SPARSE_BASELINE
from autoopt.tasks.samples import Samples
from autoopt.tasks.task import Batch, Task
from autoopt.training.serial import serial_cohort


@dataclass(frozen=True)
class FirstBatch:
    """The same samples, but an epoch ends after one batch."""

    samples: Samples

    @property
    def rows(self) -> int | None:
        return self.samples.rows

    @property
    def fixed_batch_size(self) -> int | None:
        return self.samples.fixed_batch_size

    def steps_per_epoch(self, batch_size: int, *, drop_single: bool = False) -> int:  # noqa: ARG002
        return 1

    def batches(
        self, batch_size: int, *, shuffle_seed: int | None = None, drop_single: bool = False
    ) -> Iterator[Batch]:
        return islice(self.samples.batches(batch_size, shuffle_seed=shuffle_seed, drop_single=drop_single), 1)


def rehearse(task: Task, device: str, recipe: Recipe | None = None) -> EpochReport:
    """Train for one batch, evaluate on one, and return what was seen.

    Args:
        recipe: to train with; the baseline if ``None``.

    Raises:
        TaskError: the user's code raised, or the loss was not finite.
    """
    short = replace(task, train=FirstBatch(task.train), valid=FirstBatch(task.valid))
    recipe = recipe or (SPARSE_BASELINE if task.sparse_gradients else BASELINE)
    (report,) = serial_cohort(short, [Run(0, recipe, seed=0, epochs=1)], device).advance()
    if report.failure is not None:
        raise TaskError(report.failure)
    if report.diverged:
        raise TaskError(
            f"the loss is not finite after one batch (training {report.train_loss:g}, validation "
            f"{report.valid_loss:g}): look for NaN or very large numbers in the data"
        )
    return report
