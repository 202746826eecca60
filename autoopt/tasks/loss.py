"""Losses: the user's own, a name of torch.nn.functional, and how output and target are made to fit."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoopt.errors import TaskError, unknown_name
from autoopt.tasks.batch import describe_tensors
from autoopt.tasks.explain import explained
from autoopt.tasks.keras_model import is_keras

Kind = Literal["classes", "elementwise", "free"]

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("cross_entropy", "nll_loss", "multi_margin_loss"), "classes"),
    **dict.fromkeys(("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"), "classes"),
    **dict.fromkeys(
        ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss"), "elementwise"
    ),
    **dict.fromkeys(
        ("binary_cross_entropy", "binary_cross_entropy_with_logits", "poisson_nll_loss"), "elementwise"
    ),
    **dict.fromkeys(("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "SoftMarginLoss"), "elementwise"),
    **dict.fromkeys(("BCELoss", "BCEWithLogitsLoss", "PoissonNLLLoss"), "elementwise"),
}
PROBABILITY_LOSSES = ("binary_cross_entropy", "BCELoss")


@dataclass(frozen=True)
class Fit:
    """How output and target are brought together before a loss sees them.

    Attributes:
        classes_last: the classes are in the last dimension of the output; torch wants them in the second.
        squeeze_target: the target has a last dimension of one too many.
        like_output: the target takes the output's shape, (B,) beside (B, 1).
        dtype: type that the target takes, or ``None``.
    """

    classes_last: bool = False
    squeeze_target: bool = False
    like_output: bool = False
    dtype: torch.dtype | None = None

    def __call__(self, output: Any, target: Any) -> tuple[Any, Any]:
        if self.classes_last:
            output = output.movedim(-1, 1)
        if self.squeeze_target:
            target = target.squeeze(-1)
        if self.like_output:
            target = target.reshape(output.shape)
        return output, target if self.dtype is None else target.to(self.dtype)


@dataclass(frozen=True)
class LossFunction:
    """A loss of (output, target) with its name.

    Attributes:
        kind: torch's ``classes`` and ``elementwise`` losses get a target that fits, ``free`` ones what there is.
        ignored: a class number that means no class.
        target_first: it takes (target, output), one loss a row perhaps, as those of Keras do.
    """

    name: str
    function: Callable[[Any, Any], Any]
    kind: Kind = "free"
    fit: Fit = field(default_factory=Fit)
    ignored: int = -100
    target_first: bool = False

    def __call__(self, output: Any, target: Any) -> Tensor:
        function = self.function
        output, target = self.fit(output, target)
        if isinstance(function, nn.Module) and isinstance(output, Tensor):
            function.to(output.device)  # class weights follow the model; costs nothing when there are none
        if self.target_first:
            return as_scalar(function(target, output).mean(), self.name)
        return as_scalar(function(output, target), self.name)

    def fitted(self, output: Any, target: Any) -> LossFunction:
        """Return the loss with output and target made to fit, decided on one batch.

        Raises:
            TaskError: their shapes cannot belong together.
        """
        if self.kind == "free" or not isinstance(output, Tensor) or not isinstance(target, Tensor):
            return self
        fit = fit_classes(output, target) if self.kind == "classes" else fit_elements(output, target)
        if fit is None:
            raise TaskError(wrong_shape(output, target))
        return replace(self, fit=fit)


def read_loss(given: Any) -> LossFunction:
    """Return the loss that the user gives: a module, a class of one, a function, or a name.

    Raises:
        TaskError: something else, or a name that torch.nn.functional does not have.
    """
    if isinstance(given, str):
        known = [name for name in dir(functional) if name.endswith("loss") or name in _KINDS]
        if given not in known:
            raise TaskError(unknown_name("loss of torch.nn.functional", given, known))
        return LossFunction(given, getattr(functional, given), _KINDS.get(given, "free"))
    if is_keras(given):
        made: Any = given() if inspect.isclass(given) else given
        name = getattr(made, "__name__", type(made).__name__)
        numbers = re.search(
            "squared|absolute|huber", name.lower()
        )  # of which a target of (B,) must become (B, 1)
        return LossFunction(name, made, "elementwise" if numbers else "free", target_first=True)
    if inspect.isclass(given) and issubclass(given, nn.Module):
        with explained("loss()"):
            given = given()
    if isinstance(given, nn.Module):
        name = type(given).__name__
        ignored = getattr(given, "ignore_index", -100)
        return LossFunction(name, given, _KINDS.get(name, "free"), ignored=ignored)
    if callable(given):
        name = getattr(given, "__name__", type(given).__name__)
        known_name = name if getattr(functional, name, None) is given else ""
        return LossFunction("loss" if name == "<lambda>" else name, given, _KINDS.get(known_name, "free"))
    raise TaskError(
        f"loss is of type {type(given).__name__}: give a torch.nn loss, a function of (output, target), "
        "or a name such as 'cross_entropy'"
    )


def as_scalar(loss: Any, name: str) -> Tensor:
    """Return the loss as a tensor without dimensions.

    Raises:
        TaskError: not a tensor, or more than one value.
    """
    if not isinstance(loss, Tensor):
        raise TaskError(
            f"{name} returned {type(loss).__name__}: it must return a scalar tensor with its graph (no .item())"
        )
    if loss.numel() != 1:
        raise TaskError(f"{name} returned a tensor of shape {tuple(loss.shape)}, not a scalar: take its mean")
    return loss.reshape(()) if loss.ndim else loss


def fit_classes(output: Tensor, target: Tensor, *, prefer_last: bool = False) -> Fit | None:
    """Return how class scores and class numbers fit, or ``None``; probabilities as targets are left alone."""
    if target.is_floating_point():
        return Fit() if target.shape == output.shape else None
    dtype = None if target.dtype == torch.long else torch.long
    for squeeze in (False, True):
        shape = target.shape[:-1] if squeeze else target.shape
        if squeeze and (target.ndim < 2 or target.shape[-1] != 1):
            continue
        second = output.ndim >= 1 and shape == output.shape[:1] * (output.ndim > 1) + output.shape[2:]
        last = output.ndim > 2 and shape == output.shape[:-1]
        if second or last:
            return Fit(classes_last=last and (prefer_last or not second), squeeze_target=squeeze, dtype=dtype)
    return None


def fit_elements(output: Tensor, target: Tensor) -> Fit | None:
    """Return how values fit that are compared one by one, or ``None``; ones at the end of a shape do not count."""
    dtype = None if target.is_floating_point() else output.dtype
    if target.shape == output.shape:
        return Fit(dtype=dtype)
    return Fit(like_output=True, dtype=dtype) if _without_ones(target) == _without_ones(output) else None


def wrong_shape(output: Any, target: Any) -> str:
    """Say that the model's output does not fit the targets."""
    hint = ""
    if isinstance(output, Tensor) and isinstance(target, Tensor) and output.ndim == target.ndim + 1 > 1:
        floats = target.is_floating_point() and target.shape[0] == output.shape[0]
        hint = "; for classes the targets must be integers" if floats else ""
    return (
        f"the model's output {describe_tensors(output)} does not fit the target {describe_tensors(target)}{hint}: "
        "change the model's last layer or the targets, or give a loss(output, target) of your own"
    )


def _without_ones(tensor: Tensor) -> tuple[int, ...]:
    shape = list(tensor.shape)
    while len(shape) > 1 and shape[-1] == 1:
        shape.pop()
    return tuple(shape)
