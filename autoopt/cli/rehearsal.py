"""One training batch and one evaluation batch, through the same door as every run of a study."""

from __future__ import annotations

from dataclasses import replace

from autoopt.errors import TaskError
from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.space.written import BASELINE, SPARSE_BASELINE
from autoopt.tasks.task import Task
from autoopt.training.needs import FirstBatches
from autoopt.training.serial import serial_cohort


def rehearse(task: Task, device: str, recipe: Recipe | None = None) -> EpochReport:
    """Train for one batch, evaluate on one, and return what was seen.

    Args:
        recipe: to train with; the baseline if ``None``.

    Raises:
        TaskError: the user's code raised, or the loss was not finite.
    """
    short = replace(task, train=FirstBatches(task.train, 1), valid=FirstBatches(task.valid, 1))
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
