"""The loss, inferred from the model's output and the target where the user gives none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoopt.errors import TaskError
from autoopt.tasks.loss import Fit, LossFunction, fit_classes, fit_elements, wrong_shape

_CROSS_ENTROPY = LossFunction("cross_entropy", functional.cross_entropy, "classes")
_BINARY = LossFunction(
    "binary_cross_entropy_with_logits", functional.binary_cross_entropy_with_logits, "elementwise"
)
_SQUARES = LossFunction("mse_loss", functional.mse_loss, "elementwise")


def infer_loss(
    output: Any, target: Any, all_targets: Tensor | None, model: nn.Module, notes: list[str]
) -> LossFunction:
    """Return the loss that output and target ask for, and say so in a note.

    Integers with a dimension of classes in the output get cross-entropy; zeros and ones of the output's shape
    binary cross-entropy with logits; other numbers the mean squared error.

    Args:
        all_targets: the targets of all rows if at hand; one batch may show zeros and ones by chance.

    Raises:
        TaskError: output or target is not a tensor, or their shapes do not fit.
    """
    if not isinstance(output, Tensor) or not isinstance(target, Tensor):
        found = output if isinstance(target, Tensor) else target
        what = "model's output" if isinstance(target, Tensor) else "target"
        raise TaskError(
            f"the loss cannot be inferred, as the {what} is a {type(found).__name__}: give loss(output, target)"
        )
    if output.is_complex() or target.is_complex():
        what = "target" if target.is_complex() else "model's output"
        raise TaskError(
            f"the loss cannot be inferred, as the {what} is complex: give loss(output, target), which returns a "
            "real number"
        )
    loss = _choose(output, target, target if all_targets is None else all_targets)
    notes.append(f"loss inferred: {loss.name}, {_reason(loss, output, target)}")
    _warn_of_squashing(loss, model, notes)
    return loss


def _choose(output: Tensor, target: Tensor, all_targets: Tensor) -> LossFunction:
    if not target.is_floating_point():
        fit = fit_classes(output, target, prefer_last=output.ndim == 3)
        if fit is not None and _count_classes(output, fit) > 1:
            return replace(_CROSS_ENTROPY, fit=fit)
    fit = fit_elements(output, target)
    if fit is None:
        raise TaskError(wrong_shape(output, target))
    return replace(_BINARY if _only_zeros_and_ones(all_targets) else _SQUARES, fit=fit)


def _count_classes(output: Tensor, fit: Fit) -> int:
    return output.shape[-1] if fit.classes_last else output.shape[1] if output.ndim > 1 else 1


def _only_zeros_and_ones(target: Tensor) -> bool:
    return target.dtype == torch.bool or bool(((target == 0) | (target == 1)).all())


def _reason(loss: LossFunction, output: Tensor, target: Tensor) -> str:
    if loss.kind == "classes":
        where = (
            ""
            if output.ndim == 2
            else " in the last dimension"
            if loss.fit.classes_last
            else " in dimension 1"
        )
        said = f"as the targets are integers and the output has {_count_classes(output, loss.fit)} classes{where}"
    elif loss.name == _BINARY.name:
        said = "as the targets are zeros and ones"
    else:
        said = "as the targets are numbers"
    if loss.fit.like_output:
        said += f"; targets {tuple(target.shape)} take the shape of the output {tuple(output.shape)}"
    if loss.fit.squeeze_target:
        said += f"; targets {tuple(target.shape)} lose their last dimension"
    return said


def _warn_of_squashing(loss: LossFunction, model: nn.Module, notes: list[str]) -> None:
    if loss.name == _SQUARES.name:
        return
    last = next((m for m in reversed(list(model.modules())) if not any(m.children())), None)
    if isinstance(last, (nn.Sigmoid, nn.Softmax)):
        name = type(last).__name__
        notes.append(f"the model ends in {name}, but {loss.name} expects raw scores: leave the {name} out")
