"""BFGS and Newton: the two methods of curvature that torch lacks, for models of few parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lbfgs import _strong_wolfe

SUFFICIENT = (
    1e-4  # share of the promised descent that a Newton step must bring (Armijo; Nocedal & Wright, 3.1)
)
TRIES = 40  # dampings that a Newton step tries; each is four times the one before
BASIS = 64  # rows of the Hessian that are computed at once


class BFGS(Optimizer):
    """Quasi-Newton with the whole inverse of the Hessian, learned from how the gradient changes.

    H ← (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ with s the last step, y what it changed in the gradient, ρ = 1 / yᵀs; the
    step is −Hg, its length found by torch's strong-Wolfe line search. Nocedal & Wright, Numerical Optimization,
    2006, algorithm 6.1.

    Args:
        params: tensors, all in one group.
        lr: length that the line search tries first, 1 being −Hg itself.
        max_iter: iterations a ``step``; it evaluates the closure at most about 1.25 times as often.
        tolerance_grad: no number of the gradient above this is the end.

    Raises:
        ValueError: a number makes no sense, or there are several groups.
    """

    def __init__(
        self, params: Any, lr: float = 1.0, max_iter: int = 10, tolerance_grad: float = 1e-9
    ) -> None:
        if not lr >= 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not max_iter >= 1:
            raise ValueError(f"Invalid max_iter value: {max_iter}")
        super().__init__(params, {"lr": lr, "max_iter": max_iter, "tolerance_grad": tolerance_grad})
        self._parameters = _only_group(self)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any]) -> float:  # type: ignore[override]
        """Take ``max_iter`` steps.

        Args:
            closure: computes the loss and its gradient anew, and returns the loss.

        Returns:
            The loss before the first of them.
        """
        group, state = self.param_groups[0], self.state[self._parameters[0]]
        point = _flat(self._parameters)

        def measure(start: Tensor, length: float, direction: Tensor) -> tuple[float, Tensor]:
            _write(self._parameters, start + length * direction)
            with torch.enable_grad():
                loss = float(torch.as_tensor(closure()).detach())
            return loss, _flat_gradient(self._parameters)

        loss, gradient = measure(point, 0.0, point)
        first, evaluations = loss, 1
        for _ in range(group["max_iter"]):
            if not bool(gradient.abs().max() > group["tolerance_grad"]):
                break
            direction, slope = self._direction(state, gradient)
            fresh = "inverse_hessian" not in state
            length = group["lr"] * (min(1.0, 1.0 / float(gradient.abs().sum())) if fresh else 1.0)
            found, after, length, used = _strong_wolfe(
                measure, point, length, direction, loss, gradient, slope
            )
            evaluations += used
            if not found < loss:
                # no lower point: forget a curvature that misleads, and give up where there is none
                state.pop("inverse_hessian", None)
                if fresh:
                    break
                continue
            move = length * direction
            _learn(state, move, after - gradient)
            point, loss, gradient = point + move, found, after
            if evaluations >= group["max_iter"] * 5 // 4:
                break
        _write(self._parameters, point)
        return first

    def _direction(self, state: dict[str, Any], gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return −Hg and its slope; −g where there is no H yet, or no longer one that leads down."""
        if "inverse_hessian" in state:
            direction = -(state["inverse_hessian"] @ gradient)
            if bool((slope := gradient.dot(direction)) < 0):
                return direction, slope
            del state["inverse_hessian"]
        return -gradient, -gradient.dot(gradient)


class Newton(Optimizer):
    """Newton's method with the exact Hessian, damped after Levenberg so that it descends where that is not positive.

    (H + λI) d = −g; λ grows fourfold until the matrix is positive and the step lowers the loss, and shrinks fourfold
    after a step that did. Nocedal & Wright, Numerical Optimization, 2006, sections 3.4 and 10.3.

    Args:
        params: tensors, all in one group.
        lr: share of d that is taken; 1 is Newton's own.
        damping: λ at first.

    Raises:
        ValueError: a number makes no sense, or there are several groups.
    """

    def __init__(self, params: Any, lr: float = 1.0, damping: float = 1e-3) -> None:
        if not lr >= 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not damping > 0:
            raise ValueError(f"Invalid damping value: {damping}")
        super().__init__(params, {"lr": lr, "damping": damping})
        self._parameters = _only_group(self)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor | Iterable[Tensor]]) -> float:  # type: ignore[override]
        """Take one step.

        Args:
            closure: returns the loss anew, with its graph and without a backward pass, which is taken here, twice;
                or parts that add up to it.

        Returns:
            The loss before the step.
        """
        group, state = self.param_groups[0], self.state[self._parameters[0]]
        damping = state.get("damping", group["damping"])
        loss, gradient, hessian = self._measure(closure)
        point, unit = (
            _flat(self._parameters),
            torch.eye(len(gradient), dtype=hessian.dtype, device=hessian.device),
        )
        for _ in range(TRIES):
            factor, failed = torch.linalg.cholesky_ex(hessian + damping * unit)
            if not failed:
                direction = -torch.cholesky_solve(gradient[:, None], factor)[:, 0]
                _write(self._parameters, point + group["lr"] * direction)
                promised = group["lr"] * float(gradient.dot(direction))
                if self._value(closure) <= loss + SUFFICIENT * promised:
                    state["damping"] = max(damping / 4, 1e-12)
                    return loss
            damping *= 4
        _write(self._parameters, point)
        return loss

    @torch.enable_grad()
    def _value(self, closure: Callable[[], Tensor | Iterable[Tensor]]) -> float:
        return sum(float(part.detach()) for part in _parts(closure()))

    @torch.enable_grad()
    def _measure(self, closure: Callable[[], Tensor | Iterable[Tensor]]) -> tuple[float, Tensor, Tensor]:
        """Return loss, gradient and Hessian, and leave the gradient in the parameters for whoever wants to look."""
        count = sum(parameter.numel() for parameter in self._parameters)
        device = self._parameters[0].device
        # a Hessian is often near singular, so solve in 64 bits where the device has them
        exact = torch.float32 if device.type == "mps" else torch.float64
        loss, gradient = 0.0, torch.zeros(count, dtype=exact, device=device)
        hessian = torch.zeros(count, count, dtype=exact, device=device)
        for part in _parts(closure()):
            found = torch.autograd.grad(part, self._parameters, create_graph=True, materialize_grads=True)
            flat = torch.cat([each.flatten() for each in found])
            loss, gradient = loss + float(part.detach()), gradient + flat.detach()
            hessian += _rows_of_hessian(flat, self._parameters)
        for parameter, part in zip(self._parameters, _cut(gradient, self._parameters), strict=True):
            parameter.grad = part.to(parameter.dtype)
        return loss, gradient, (hessian + hessian.T) / 2


def _rows_of_hessian(gradient: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Return the derivative of a flat gradient that still has its graph."""
    count = len(gradient)
    if not gradient.requires_grad:
        return torch.zeros(count, count, dtype=gradient.dtype, device=gradient.device)
    rows = []
    for basis in torch.eye(count, dtype=gradient.dtype, device=gradient.device).split(BASIS):
        found = torch.autograd.grad(
            gradient, parameters, basis, retain_graph=True, is_grads_batched=True, allow_unused=True
        )
        blocks = [
            basis.new_zeros(len(basis), p.numel()) if each is None else each.reshape(len(basis), -1)
            for each, p in zip(found, parameters, strict=True)
        ]
        rows.append(torch.cat(blocks, 1))
    return torch.cat(rows)


def _learn(state: dict[str, Any], step: Tensor, change: Tensor) -> None:
    """Update the inverse Hessian, in place, unless the curvature along the step is not positive."""
    curvature = change.dot(step)
    if not bool(curvature > 1e-10 * change.norm() * step.norm()):
        return
    if "inverse_hessian" not in state:
        state["inverse_hessian"] = torch.diag(torch.full_like(step, float(curvature / change.dot(change))))
    inverse = state["inverse_hessian"]
    image = inverse @ change
    inverse.addr_(step, step, alpha=float((1 + change.dot(image) / curvature) / curvature))
    inverse.addr_(image, step, alpha=float(-1 / curvature))
    inverse.addr_(step, image, alpha=float(-1 / curvature))


def _only_group(optimizer: Optimizer) -> list[Tensor]:
    if len(optimizer.param_groups) != 1:
        raise ValueError(
            f"{type(optimizer).__name__} doesn't support per-parameter options (parameter groups)"
        )
    parameters: list[Tensor] = optimizer.param_groups[0]["params"]
    return parameters


def _parts(loss: Tensor | Iterable[Tensor]) -> Iterable[Tensor]:
    return [loss] if isinstance(loss, Tensor) else loss


def _flat(parameters: Sequence[Tensor]) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in parameters])


def _flat_gradient(parameters: Sequence[Tensor]) -> Tensor:
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    return torch.cat([(g.to_dense() if g.is_sparse else g).flatten() for g in gradients])


def _cut(flat: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    parts = flat.split([parameter.numel() for parameter in parameters])
    return [part.view_as(parameter) for part, parameter in zip(parts, parameters, strict=True)]


def _write(parameters: Sequence[Tensor], flat: Tensor) -> None:
    for parameter, part in zip(parameters, _cut(flat, parameters), strict=True):
        parameter.detach().copy_(part)
