"""A model's loss and metric on data it is not trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autoopt.errors import TaskError
from autoopt.tasks.samples import Samples, move_batch
from autoopt.tasks.task import BatchLoss, MetricState, Task


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found: mean loss over the rows, and the metric where the task has one."""

    loss: float
    metric: float | None = None

    def score(self, task: Task) -> float:
        """Return the task's objective: the loss or the metric."""
        if task.objective == "loss":
            return self.loss
        if self.metric is None:
            raise TaskError(f"the objective is {task.objective!r}, but the evaluation measured no metric")
        return self.metric


def evaluate(task: Task, model: nn.Module, samples: Samples, device: str, batch_size: int,
             *, with_metric: bool = True) -> Evaluation:  # fmt: skip
    """Return the loss, weighted by rows, and the metric of a model in evaluation mode.

    Args:
        samples: the data, read in order.
        batch_size: rows a batch; data with batches of their own keep those.
        with_metric: measure the task's metric too.

    Raises:
        TaskError: the data gave no batch, or the metric gets no output to look at.
    """
    state = task.metric.start() if with_metric and task.metric is not None else None
    losses: list[Tensor] = []
    rows: list[int] = []
    model.eval()
    place = torch.device(device)
    with torch.enable_grad() if task.grad_in_evaluation else torch.no_grad():
        for batch in samples.batches(samples.fixed_batch_size or batch_size):
            found = task.batch_loss(model, move_batch(batch, place))
            losses.append(found.loss.detach())
            rows.append(found.rows)
            if state is not None and not measured(state, found, task):
                state = None
    if not sum(rows):
        raise TaskError("the data to evaluate on gave no rows; give at least one")
    loss = sum(a * b for a, b in zip(torch.stack(losses).tolist(), rows, strict=True)) / sum(rows)
    if task.metric is None or not with_metric:
        return Evaluation(loss)
    return Evaluation(loss, math.nan if state is None else float(state.compute()))


def measured(state: MetricState, found: BatchLoss, task: Task) -> bool:
    """Add a batch to the metric; False where the metric refuses the outputs of a model that has diverged."""
    if found.output is None or found.target is None:
        raise TaskError(
            f"the metric {task.objective!r} needs the model's output and a target, but the task's step "
            "gives only a loss; search for the loss instead"
        )
    try:
        state.update(found.output, found.target)
    except Exception:
        if torch.isfinite(found.loss).all():
            raise
        return False
    return True
