"""Class numbers: within the model's classes, in every row."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from autoopt.errors import TaskError
from autoopt.tasks.arrays import is_integer
from autoopt.tasks.loss import LossFunction
from autoopt.tasks.samples import Samples, TensorSamples
from autoopt.tasks.task import Batch


def check_labels(name: str, targets: Any, output: Any, loss: LossFunction) -> None:
    """Refuse class numbers that the model has no output for.

    Args:
        name: what the user calls the data.
        output: what the model gives for some batch.

    Raises:
        TaskError: naming the range of the labels and of the classes.
    """
    if loss.kind != "classes" or not isinstance(targets, Tensor) or targets.is_floating_point():
        return
    counted = targets[targets != loss.ignored].long()
    if not counted.numel() or output.ndim < 2:
        return
    classes = output.shape[-1] if loss.fit.classes_last else output.shape[1]
    low, high = int(counted.min()), int(counted.max())
    if low < 0 or high >= classes:
        hint = (
            "subtract 1 from the labels" if low == 1 and high == classes else "number the classes 0, 1, 2, …"
        )
        raise TaskError(
            f"the labels of {name} go from {low} to {high}, but the model's output has {classes} classes "
            f"(0 to {classes - 1}): {hint}, or give the model's last layer {high + 1} outputs"
        )


def batch_of_extremes(samples: Samples, batch_size: int) -> list[Batch]:
    """Return a batch with the lowest and the highest class number, or none where the targets are not classes.

    A loss function of the user's own may fail on them, and else would do so only in mid-training.
    """
    target = samples.target if isinstance(samples, TensorSamples) else None
    if not isinstance(samples, TensorSamples) or target is None or target.ndim != 1 or not is_integer(target):
        return []
    rows = [int(target.argmin()), int(target.argmax()), *range(min(batch_size, samples.rows))]
    chosen = samples.take(rows[: max(2, min(batch_size, samples.rows))])
    return list(chosen.batches(chosen.rows))
