"""Metrics by name, computed by torchmetrics in the form that output and target ask for."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from autoopt.errors import TaskError, unknown_name
from autoopt.run import Direction
from autoopt.tasks.batch import describe_tensors
from autoopt.tasks.loss import Fit, fit_classes, fit_elements, wrong_shape
from autoopt.tasks.task import Metric

METRIC_DIRECTIONS: dict[str, Direction] = {
    "accuracy": "maximize",
    "auc": "maximize",
    "f1": "maximize",
    "mae": "minimize",
    "mse": "minimize",
    "perplexity": "minimize",
}

Form = Literal["multiclass", "tokens", "multilabel", "binary", "numbers"]
_CLASS_NAMES = {"accuracy": "Accuracy", "f1": "F1Score", "auc": "AUROC"}
_NO_CLASS = -100  # the target that torch's cross-entropy leaves out


@dataclass(frozen=True)
class _Shape:
    """How output and target are to be read."""

    form: Form
    count: int
    fit: Fit
    probabilities: bool


@dataclass
class NamedState:
    """A torchmetrics object being added up over one evaluation."""

    metric: Any
    shape: _Shape

    def update(self, output: Any, target: Any) -> None:
        output, target = self.shape.fit(output.detach(), target)
        self.metric.to(output.device)
        self.metric.update(*_prepared(output.float(), target, self.shape))

    def compute(self) -> float:
        with warnings.catch_warnings():
            # a class that the validation data lack is left out, which is what is wanted
            warnings.simplefilter("ignore", UserWarning)
            return float(self.metric.compute())


def named_metric(
    name: str, output: Any, target: Any, all_targets: Tensor | None, *, probabilities: bool
) -> Metric:
    """Return a metric by name, fitted to the model's output and the targets.

    Args:
        all_targets: the targets of all rows where they are at hand.
        probabilities: the model gives probabilities rather than raw scores.

    Raises:
        TaskError: no such name, or the metric makes no sense for these data.
    """
    if name not in METRIC_DIRECTIONS:
        raise TaskError(unknown_name("metric", name, METRIC_DIRECTIONS))
    if not isinstance(output, Tensor) or not isinstance(target, Tensor):
        raise TaskError(
            f"metric {name!r} needs the model's output and a target as tensors; got {describe_tensors(output)} and "
            f"{describe_tensors(target)}: give a function (output, target), or a step returning (loss, output, target)"
        )
    shape = _read_shape(output, target, target if all_targets is None else all_targets, probabilities)
    _check_sense(name, shape)
    return Metric(name, METRIC_DIRECTIONS[name], _starter(name, shape))


def _read_shape(output: Tensor, target: Tensor, all_targets: Tensor, probabilities: bool) -> _Shape:
    if not target.is_floating_point():
        fit = fit_classes(output, target, prefer_last=output.ndim == 3)
        classes = (
            0 if fit is None else output.shape[-1] if fit.classes_last or output.ndim < 2 else output.shape[1]
        )
        if fit is not None and classes > 1:
            return _Shape("multiclass", classes, fit, probabilities)
    fit = fit_elements(output, target)
    if fit is None:
        raise TaskError(wrong_shape(output, target))
    if not bool(((all_targets == 0) | (all_targets == 1)).all()):
        return _Shape("numbers", 1, fit, probabilities)
    several = output.ndim == 2 and output.shape[1] > 1
    return _Shape(
        "multilabel" if several else "binary", output.shape[1] if several else 1, fit, probabilities
    )


def _check_sense(name: str, shape: _Shape) -> None:
    wants_numbers, wants_classes = name in ("mse", "mae"), name in ("accuracy", "f1", "auc")
    if wants_numbers and shape.form == "multiclass":
        raise TaskError(
            f"metric {name!r} compares numbers, but the targets are classes: try 'accuracy' or 'f1'"
        )
    if wants_classes and shape.form == "numbers":
        raise TaskError(f"metric {name!r} needs classes, but the targets are numbers: try 'mse' or 'mae'")
    if name == "perplexity" and shape.form != "multiclass":
        raise TaskError("metric 'perplexity' needs classes or tokens as targets: try 'mse' or 'accuracy'")


def _starter(name: str, shape: _Shape) -> Callable[[], NamedState]:
    from torchmetrics import classification, regression

    if name in ("mse", "mae"):
        shape = replace(shape, form="numbers")
        make: Any = regression.MeanSquaredError if name == "mse" else regression.MeanAbsoluteError
    elif name == "perplexity":
        from torchmetrics.text import Perplexity

        make = partial(Perplexity, ignore_index=_NO_CLASS)
        shape = replace(shape, form="tokens")
    else:
        kind = getattr(classification, f"{shape.form.capitalize()}{_CLASS_NAMES[name]}")
        settings: dict[str, Any] = {"ignore_index": _NO_CLASS, "validate_args": False}
        if shape.form == "multiclass":
            settings |= {"num_classes": shape.count, "average": "micro" if name == "accuracy" else "macro"}
        if shape.form == "multilabel":
            settings["num_labels"] = shape.count
        make = partial(kind, **settings)
    return lambda: NamedState(make(), shape)


def _prepared(output: Tensor, target: Tensor, shape: _Shape) -> tuple[Tensor, Tensor]:
    """Return scores and targets as torchmetrics wants them: probabilities, rows of classes."""
    if shape.form in ("multiclass", "tokens"):
        scores, target = output.movedim(1, -1).reshape(-1, shape.count), target.reshape(-1)
        if shape.form == "tokens":  # perplexity takes raw scores, with a dimension of sequences
            return (scores.log() if shape.probabilities else scores)[None], target[None]
        return scores if shape.probabilities else scores.softmax(-1), target
    if shape.form == "numbers":
        return output.reshape(-1), target.reshape(-1).float()
    scores = output if shape.probabilities else torch.sigmoid(output)
    if shape.form == "binary":
        scores, target = scores.reshape(-1), target.reshape(-1)
    return scores, target.long()
