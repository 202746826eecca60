"""AveragedMomentum: the form of momentum that torch lacks.

Exported code holds this file's source, so its lines fit a terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import torch
from torch.optim import Optimizer


class AveragedMomentum(Optimizer):
    """Descent along the running mean of the gradients.

    v ← βv + (1 − β)g; θ ← θ − ηv. It equals heavy-ball momentum at the rate
    η(1 − β). ``torch.optim.SGD`` with ``dampening`` of β does not equal it:
    its v begins as the whole first gradient, which is 1 / (1 − β) times too
    much and fades as β to the t.

    Args:
        params: tensors or groups of them.
        lr: η, the effective learning rate.
        momentum: β, from 0 to below 1.
        weight_decay: this multiple of the weights is added to their gradient.

    Raises:
        ValueError: a number makes no sense.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 0.2,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        if not lr >= 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not 0 <= momentum < 1:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if not weight_decay >= 0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
        }
        super().__init__(params, defaults)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step; a closure, if given, computes the loss first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)
        return loss

    def _move(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        gradient, beta = parameter.grad, group["momentum"]
        assert gradient is not None
        if group["weight_decay"]:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        state = self.state[parameter]
        if not state:
            state["velocity"] = torch.zeros_like(parameter)
        state["velocity"].mul_(beta).add_(gradient, alpha=1 - beta)
        parameter.add_(state["velocity"], alpha=-group["lr"])
