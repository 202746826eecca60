"""Metrics beside the loss: the user's own functions and torchmetrics objects, and which way is better."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from autoopt.errors import TaskError
from autoopt.run import Direction
from autoopt.tasks.batch import count_rows
from autoopt.tasks.explain import explained

_BETTER_HIGH = frozenset(
    [
        "accuracy",
        "acc",
        "f1",
        "auc",
        "auroc",
        "auprc",
        "r2",
        "score",
        "precision",
        "recall",
        "map",
        "dice",
        "iou",
        "bleu",
        "rouge",
        "ndcg",
        "mcc",
        "kappa",
        "correlation",
        "pearson",
        "spearman",
        "sensitivity",
        "specificity",
        "likelihood",
        "hits",
        "psnr",
        "ssim",
        "top1",
        "top5",
    ]
)
_BETTER_LOW = frozenset(
    [
        "loss",
        "error",
        "mse",
        "mae",
        "rmse",
        "mape",
        "perplexity",
        "ppl",
        "nll",
        "entropy",
        "distance",
        "deviation",
        "wer",
        "cer",
        "brier",
    ]
)
KEPT_ELEMENTS = 2**26  # of outputs that are kept for one evaluation: 256 MiB of float32


@dataclass
class FunctionState:
    """A user's function over one evaluation: on all outputs at once, or as the mean of batches by rows."""

    function: Callable[[Any, Any], Any]
    name: str
    by_batch: bool = False
    kept: list[tuple[Any, Any]] = field(default_factory=list)
    total: float = 0.0
    rows: int = 0

    def update(self, output: Any, target: Any) -> None:
        output, target = _detached(output), _detached(target)
        if self.by_batch:
            self._add(output, target)
        else:
            self.kept.append((output, target))

    def compute(self) -> float:
        if self.kept:
            joined = _joined(self.kept)
            if joined is not None:
                return self._value(*joined)
            for output, target in self.kept:
                self._add(output, target)
        return self.total / self.rows

    def _add(self, output: Any, target: Any) -> None:
        rows = count_rows((target, output))
        self.total += rows * self._value(output, target)
        self.rows += rows

    def _value(self, output: Any, target: Any) -> float:
        value = self.function(output, target)
        if isinstance(value, Tensor) and value.numel() != 1:
            raise TaskError(
                f"metric {self.name} returned shape {tuple(value.shape)}: it must return one number"
            )
        try:
            return float(value)
        except (TypeError, ValueError):
            raise TaskError(
                f"metric {self.name} returned {type(value).__name__}: it must return one number"
            ) from None


@dataclass
class ObjectState:
    """A torchmetrics object of the user's, copied for one evaluation."""

    metric: Any

    def update(self, output: Any, target: Any) -> None:
        if isinstance(output, Tensor):
            self.metric.to(output.device)
        self.metric.update(_detached(output), target)

    def compute(self) -> float:
        return float(self.metric.compute())


@dataclass(frozen=True)
class UserMetric:
    """What the user gave as ``metric``, with its name; ``direction`` is ``None`` when nothing tells."""

    name: str
    given: Any
    direction: Direction | None

    def start(self, *, by_batch: bool = False) -> FunctionState | ObjectState:
        """Begin one evaluation."""
        if is_metric_object(self.given):
            fresh = copy.deepcopy(self.given)
            fresh.reset()
            return ObjectState(fresh)
        return FunctionState(self.given, self.name, by_batch)


def read_metric(given: Any, direction: str | None) -> UserMetric:
    """Return the user's own metric: a function of (output, target) or a torchmetrics object.

    Raises:
        TaskError: neither, or a direction that is none.
    """
    if direction not in (None, "minimize", "maximize"):
        raise TaskError(f"metric_direction is {direction!r}: write 'maximize' or 'minimize'")
    if isinstance(given, type) and is_metric_object(given):
        with explained("metric()"):
            given = given()
    if not callable(given):
        raise TaskError(
            f"metric is of type {type(given).__name__}: give a function of (output, target), or a name such as "
            "'accuracy'"
        )
    name = getattr(given, "__name__", type(given).__name__)
    name = "metric" if name == "<lambda>" else name
    known: Direction | None = "minimize" if direction == "minimize" else "maximize" if direction else None
    return UserMetric(name, given, known or _told_direction(given) or guess_direction(name))


def guess_direction(name: str) -> Direction | None:
    """Return which way is better for a well-known name, else ``None``.

    >>> guess_direction("val_accuracy"), guess_direction("relative_error"), guess_direction("shape")
    ('maximize', 'minimize', None)
    """
    words = set(re.findall(r"[a-z]+\d*", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("_", " ")))
    if words & _BETTER_LOW:
        return "minimize"
    return "maximize" if words & _BETTER_HIGH else None


def is_metric_object(value: Any) -> bool:
    """Return whether the value has the methods of a torchmetrics object."""
    return all(callable(getattr(value, method, None)) for method in ("update", "compute", "reset"))


def must_go_by_batch(output: Any, rows_in_batch: int, rows: int | None) -> bool:
    """Return whether the outputs of a whole evaluation are too large to keep, or of unknown number."""
    if not isinstance(output, Tensor) or rows is None:
        return True
    return output.numel() / max(rows_in_batch, 1) * rows > KEPT_ELEMENTS


def _told_direction(given: Any) -> Direction | None:
    higher = getattr(given, "higher_is_better", None)
    return None if higher is None else "maximize" if higher else "minimize"


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


def _joined(kept: list[tuple[Any, Any]]) -> tuple[Tensor, Tensor] | None:
    """Return all outputs and all targets as one tensor each, or ``None`` where they cannot be."""
    parts = list(zip(*kept, strict=True))
    for tensors in parts:
        if not all(isinstance(t, Tensor) and t.ndim for t in tensors):
            return None
        if len({t.shape[1:] for t in tensors}) > 1:
            return None
    return torch.cat(parts[0]), torch.cat(parts[1])
