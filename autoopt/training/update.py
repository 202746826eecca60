"""The move of an optimizer's weights, quicker than its own ``step`` where its arithmetic is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from sys import float_info
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from autoopt.training.arithmetic import ARITHMETIC, FUSED, OTHERWISE
from autoopt.training.bundles import FUSED_TYPES, Bundle, Flat, Fused, Loose, Members, steps_taken

FLAT_BELOW = (
    2**16
)  # numbers of a model that lie in one vector: with more, the processor's cache does not hold its state
TRIES = 8  # times that other parameters than before may have gradients

_SMALLEST = float_info.min  # halved, it is zero where such numbers are taken for it


class Update:
    """Takes the steps of a torch optimizer.

    Whatever it cannot do is left to the optimizer's own ``step``: the first one, which makes its state, and those with
    sparse gradients. The state is always that of torch, so it can be saved, and either can go on from it. The
    parameters of a small model are laid into one vector, and so is their state; they stay the same objects.

    Args:
        optimizer: whose groups share their learning-rate schedule.
        beside: what else the model holds: parameters that share memory with one of these stay where they are.
    """

    def __init__(self, optimizer: Optimizer, beside: Iterable[Tensor] = ()) -> None:
        self._optimizer = optimizer
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._beside = [tensor for tensor in beside if tensor.layout == torch.strided]
        known = type(optimizer) in ARITHMETIC and all(p.is_floating_point() for p in self._parameters)
        self._tries = TRIES if known else 0
        self._apart: bool | None = None
        self._bundles: list[Bundle] = []
        self._idle: list[Tensor] = []
        self._rested = False

    def take_gradients(self) -> Tensor | None:
        """Take up the gradients for the next ``move``; return their common 2-norm where it costs next to nothing."""
        if self._rested:  # what is in place still is as good as what would be made of it now
            self._rested = False
            if not (all(bundle.is_in_place() for bundle in self._bundles) and self._taken_up()):
                self.let_go()
        if not self._bundles and self._tries:
            self._tries -= 1
            self._bundles = list(self._bundled())
        if not self._taken_up():
            self._bundles = []
        return self._bundles[0].norm() if len(self._bundles) == 1 else None

    def _taken_up(self) -> bool:
        """Take up the gradients; False if others have one than those that are moved."""
        return all(bundle.take_gradients() for bundle in self._bundles) and all(
            p.grad is None for p in self._idle
        )

    def move(self) -> None:
        """Move the weights."""
        if not self._bundles:
            self._optimizer.step()
            return
        with torch.no_grad(), no_denormals():
            for bundle in self._bundles:
                bundle.move()

    def state_dict(self) -> dict[str, Any]:
        """Return what the next steps need of those so far, beside the optimizer's state."""
        return {"tries": self._tries + bool(self._bundles)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` returned."""
        self._tries = state["tries"]

    def rest(self) -> None:
        """Be ready for weights and state that were moved elsewhere until the next step."""
        self._rested = True

    def let_go(self) -> None:
        """Hold no weights and no state any more, so that whoever moves them elsewhere frees their memory."""
        self._tries += bool(self._bundles)
        self._bundles = []

    def _bundled(self) -> Iterator[Bundle]:
        """Yield the parameters that have gradients in bundles; nothing where they cannot be moved like that (yet)."""
        kind, groups = type(self._optimizer), self._optimizer.param_groups
        moving = [p for p in self._parameters if p.grad is not None]
        if any(group.get(name) for group in groups for name in OTHERWISE) or any(
            p.grad.is_sparse for p in moving
        ):
            self._tries = 0
            return
        state = self._optimizer.state
        alike = list(_alike(self._optimizer))
        for settings, members in alike:
            names = ARITHMETIC[kind].names(settings)
            if any(not isinstance(state.get(p, {}).get(name), Tensor) for p, _ in members for name in names):
                return
        self._idle = [p for p in self._parameters if p.grad is None]
        for settings, members in alike:
            names = ARITHMETIC[kind].names(settings)
            make: type[Loose | Flat | Fused] = Loose
            if self._can_lie_flat([p for p, _ in members]):
                make = Flat
            elif kind in FUSED and _suits_fused([p for p, _ in members]):
                make = Fused
            yield make(self._optimizer, settings, members, names)

    def _can_lie_flat(self, parameters: Sequence[Tensor]) -> bool:
        if self._apart is None:  # asked once: later on those that lie flat share memory with each other
            places = [p.untyped_storage().data_ptr() for p in [*self._parameters, *self._beside]]
            self._apart = all(places.count(place) == 1 for place in places[: len(self._parameters)])
        return (
            self._apart
            and len(parameters) > 1
            and sum(p.numel() for p in parameters) < FLAT_BELOW
            and len({p.dtype for p in parameters}) == 1
            and all(p.device.type == "cpu" and p.is_contiguous() for p in parameters)
        )


@contextmanager
def no_denormals() -> Iterator[None]:
    """Take numbers below the smallest normal one (1e-38 in 32 bits) for zero meanwhile, as computing with them is slow.

    Squares of small gradients are such numbers. Settings of the caller's come back.
    """
    before = _SMALLEST * 0.5 == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _alike(optimizer: Optimizer) -> Iterator[tuple[Mapping[str, Any], Members]]:
    """Yield parameters with gradients that differ in nothing but their decay: settings, and each with its decay."""
    found: list[tuple[Mapping[str, Any], Any, Members]] = []
    group: Mapping[str, Any]
    for group in optimizer.param_groups:
        settings = {k: v for k, v in group.items() if k not in ("params", "weight_decay", "initial_lr")}
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            key = settings, steps_taken(optimizer.state.get(parameter, {}))
            members = next((members for _, other, members in found if other == key), None)
            if members is None:
                found.append((group, key, members := []))
            members.append((parameter, float(group.get("weight_decay", 0.0))))
    for group, _, members in found:
        # the strongest decay first, so that those that decay alike lie side by side
        yield group, sorted(members, key=lambda member: -member[1])


def _suits_fused(parameters: Sequence[Tensor]) -> bool:
    large = sum(p.numel() for p in parameters) >= FLAT_BELOW
    kinds = {(p.device.type, p.dtype) for p in parameters}
    return large and len(kinds) == 1 and kinds <= {("cpu", dtype) for dtype in FUSED_TYPES}
