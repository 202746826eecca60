"""Lookahead: slow weights around any torch optimizer.

Exported code holds this file's source, so its lines fit a terminal.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, overload

import torch
from torch.optim import SGD, Optimizer


class Lookahead(Optimizer):
    """Slow weights that follow those of an inner optimizer part of the way.

    After every ``sync_steps`` steps the slow weights move by ``slow_share``
    of the way to the fast ones, which go on from there. The groups are those
    of the inner optimizer, its state lies beside the slow weights: schedulers
    and checkpoints see one optimizer.

    Args:
        params: tensors or groups of them.
        inner: the class of the inner optimizer, or ``"module:Class"``.
        sync_steps: steps between two returns, at least 1.
        slow_share: above 0, at most 1.
        arguments: those of the inner optimizer.

    Raises:
        ValueError: a number makes no sense.
    """

    def __init__(
        self,
        params: Any,
        inner: Any = SGD,
        sync_steps: int = 5,
        slow_share: float = 0.5,
        **arguments: Any,
    ) -> None:
        if not sync_steps >= 1:
            raise ValueError(f"Invalid sync_steps value: {sync_steps}")
        if not 0 < slow_share <= 1:
            raise ValueError(f"Invalid slow_share value: {slow_share}")
        make = inner
        if isinstance(inner, str):
            module, _, name = inner.partition(":")
            make = getattr(importlib.import_module(module), name)
        self._inner: Optimizer = make(params, **arguments)
        own = {"sync_steps": sync_steps, "slow_share": slow_share, "taken": 0}
        # the very groups of the inner one, so that rates set here reach it
        defaults = {**self._inner.defaults, **own}
        super().__init__(self._inner.param_groups, defaults)

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
        new = [
            (parameter, parameter.detach().clone())
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
            if "slow" not in self.state.get(parameter, {})
        ]
        # anew at every step: loading a state replaces the two
        self._inner.state = self.state
        self._inner.param_groups = self.param_groups
        self._inner.step()
        # only now, for the inner one starts where it finds no state
        for parameter, start in new:
            self.state[parameter]["slow"] = start
        for group in self.param_groups:
            group["taken"] += 1
            if group["taken"] % group["sync_steps"] == 0:
                for slow, parameter in self._pairs(group):
                    slow.lerp_(parameter, group["slow_share"])
                    parameter.copy_(slow)
        return loss

    @contextmanager
    def slow_weights(self) -> Iterator[None]:
        """Put the slow weights into the model; outside, it has its own."""
        pairs = [p for group in self.param_groups for p in self._pairs(group)]
        fast = [parameter.detach().clone() for _, parameter in pairs]
        with torch.no_grad():
            for slow, parameter in pairs:
                parameter.copy_(slow)
        try:
            yield
        finally:
            with torch.no_grad():
                for (_, parameter), own in zip(pairs, fast, strict=True):
                    parameter.copy_(own)

    def _pairs(self, group: dict[str, Any]) -> list[tuple[Any, Any]]:
        """Return slow and fast weights side by side, of those that moved."""
        members = [p for p in group["params"] if "slow" in self.state[p]]
        return [(self.state[p]["slow"], p) for p in members]
