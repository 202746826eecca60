"""What is searched, the validation loss or a metric, and the metric that is measured beside the loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from autoopt.errors import TaskError, unknown_name
from autoopt.run import Direction
from autoopt.tasks.batch import describe_tensors
from autoopt.tasks.data import Data
from autoopt.tasks.explain import explained
from autoopt.tasks.loss import PROBABILITY_LOSSES
from autoopt.tasks.metric import UserMetric, must_go_by_batch, read_metric
from autoopt.tasks.named_metric import METRIC_DIRECTIONS, named_metric
from autoopt.tasks.task import BatchLoss, Metric


@dataclass(frozen=True)
class Objective:
    """What is searched.

    Attributes:
        name: ``"loss"`` or the metric's name.
        metric: the metric to measure: the user's own, a name of ``METRIC_DIRECTIONS``, or ``None``.
    """

    name: str
    metric: UserMetric | str | None

    @property
    def direction(self) -> Direction:
        """Which way is better; the loss is minimised."""
        if self.name == "loss" or self.metric is None:
            return "minimize"
        found = METRIC_DIRECTIONS[self.metric] if isinstance(self.metric, str) else self.metric.direction
        if found is None:
            raise TaskError(
                f"whether more of {self.name!r} is better cannot be told from its name: add "
                "metric_direction = 'maximize' (or 'minimize') to the file"
            )
        return found


def read_objective(given: Any, direction: str | None, wanted: str | None) -> Objective:
    """Return what is searched and measured.

    Args:
        given: the ``metric`` of the user's file: a function, a torchmetrics object, a name, or ``None``.
        direction: its ``metric_direction``.
        wanted: ``None`` or ``"loss"``; ``"metric"`` or the given one's name; a name of ``METRIC_DIRECTIONS``.

    Raises:
        TaskError: an unknown name, or a metric whose direction nobody tells.
    """
    if isinstance(given, str):
        if given not in METRIC_DIRECTIONS:
            raise TaskError(unknown_name("metric", given, METRIC_DIRECTIONS))
        own: UserMetric | str | None = given
    else:
        own = None if given is None else read_metric(given, direction)
    own_name = own.name if isinstance(own, UserMetric) else own
    if wanted in (None, "loss"):
        return Objective("loss", own)
    if own is not None and own_name is not None and wanted in ("metric", own_name):
        return _checked(Objective(own_name, own))
    if wanted in METRIC_DIRECTIONS:
        return Objective(wanted, wanted)
    if wanted == "metric":
        raise TaskError("the file has no metric: add one, or choose one of " + ", ".join(METRIC_DIRECTIONS))
    raise TaskError(
        unknown_name(
            "metric", str(wanted), {"loss", *METRIC_DIRECTIONS} | ({own_name} if own_name else set())
        )
    )


def build_metric(
    objective: Objective, found: BatchLoss, data: Data, model: nn.Module, loss_name: str, notes: list[str]
) -> Metric | None:
    """Return the metric to measure, tried on one evaluated batch.

    Args:
        found: the evaluated batch.

    Raises:
        TaskError: there is no output to measure, or the metric fails on it.
    """
    wanted = objective.metric
    if wanted is None:
        return None
    name = wanted if isinstance(wanted, str) else wanted.name
    if found.output is None or found.target is None:
        raise TaskError(
            f"metric {name!r} needs the model's output and a target, and there is none: let step return "
            "(loss, output, target), or leave the metric out"
        )
    if isinstance(wanted, str):
        probabilities = loss_name in PROBABILITY_LOSSES or _ends_in_probabilities(model)
        metric = named_metric(
            name, found.output, found.target, data.train_targets, probabilities=probabilities
        )
    else:
        by_batch = must_go_by_batch(found.output, found.rows, data.parts["val_data"].rows)
        if by_batch:
            notes.append(f"metric {name!r} is the mean over the batches: all outputs at once cannot be kept")
        metric = Metric(name, wanted.direction or "maximize", partial(wanted.start, by_batch=by_batch))
    with explained(f"metric {name!r} on {describe_tensors((found.output, found.target))}"):
        state = metric.start()
        state.update(found.output, found.target)
        state.compute()
    return metric


def _checked(objective: Objective) -> Objective:
    _ = objective.direction  # raises where nobody tells it
    return objective


def _ends_in_probabilities(model: nn.Module) -> bool:
    last = next((m for m in reversed(list(model.modules())) if not any(m.children())), None)
    return isinstance(last, (nn.Sigmoid, nn.Softmax))
