"""The move of an optimizer's weights, quicker than its own ``step`` where its arithmetic is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate, groupby
from sys import float_info
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from autoopt.training.arithmetic import ARITHMETIC, FUSED, OTHERWISE, Move

FLAT_BELOW = (
    2**16
)  # numbers of a model that lie in one vector: with more, the processor's cache does not hold its state
FUSED_TYPES = (torch.float32, torch.float64)
ALIGNMENT = 64  # bytes; where torch begins every tensor: matrix products round by where their numbers lie
TRIES = 8  # times that other parameters than before may have gradients

_SMALLEST = float_info.min  # halved, it is zero where such numbers are taken for it

Members = list[tuple[Tensor, float]]  # parameters, each with its decay


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
        self._bundles: list[_Bundle] = []
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

    def _bundled(self) -> Iterator[_Bundle]:
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
            make: type[_Loose | _Flat | _Fused] = _Loose
            if self._can_lie_flat([p for p, _ in members]):
                make = _Flat
            elif kind in FUSED and _suits_fused([p for p, _ in members]):
                make = _Fused
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


class _Bundle(Protocol):
    """Parameters with common settings that are moved together."""

    def is_in_place(self) -> bool:
        """Whether weights and state are those that were there when the bundle was made."""

    def take_gradients(self) -> bool:
        """Take up the gradients; False if one is missing or sparse."""

    def norm(self) -> Tensor | None:
        """Return the 2-norm of the gradients taken up, if that costs next to nothing."""

    def move(self) -> None:
        """Move the weights."""


class _Loose:
    """Parameters that are moved one by one."""

    def __init__(self, optimizer: Optimizer, settings: Mapping[str, Any], members: Members,
                 names: Sequence[str]) -> None:  # fmt: skip
        self._take_step = ARITHMETIC[type(optimizer)].take_step
        self._members = members
        states = [optimizer.state[p] for p, _ in members]
        self._steps = [state["step"] for state in states] if "step" in names else []
        self._moves = [
            Move(settings, p, p, {name: state[name] for name in names}, (), _steps_taken(state))
            for (p, _), state in zip(members, states, strict=True)
        ]

    def is_in_place(self) -> bool:
        return False  # it costs next to nothing to make another one

    def take_gradients(self) -> bool:
        return _gradients(self._members) is not None

    def norm(self) -> Tensor | None:
        return None

    def move(self) -> None:
        if self._steps:
            torch._foreach_add_(self._steps, 1)
        for move, (parameter, decay) in zip(self._moves, self._members, strict=True):
            assert parameter.grad is not None
            move.step += 1
            move.gradient = parameter.grad
            move.decays = ((decay, parameter, parameter.grad),) if decay else ()
            self._take_step(move)
            move.gradient, move.decays = parameter, ()  # keeps no gradient alive


class _Fused:
    """Large parameters, each moved in one pass."""

    def __init__(self, optimizer: Optimizer, settings: Mapping[str, Any], members: Members,
                 names: Sequence[str]) -> None:  # fmt: skip
        self._take_step = FUSED[type(optimizer)]
        self._settings = settings
        self._members = members
        self._parts = [
            (decay, alike, {name: [optimizer.state[p][name] for p in alike] for name in names})
            for decay, found in groupby(members, key=lambda member: member[1])
            for alike in [[p for p, _ in found]]
        ]

    def is_in_place(self) -> bool:
        return False  # it costs next to nothing to make another one

    def take_gradients(self) -> bool:
        return _gradients(self._members) is not None

    def norm(self) -> Tensor | None:
        return None

    def move(self) -> None:
        for decay, parameters, state in self._parts:
            if steps := state.get("step"):
                torch._foreach_add_(steps, 1)
            self._take_step(self._settings, decay, parameters, [p.grad for p in parameters], state)


class _Flat:
    """Parameters in one vector, and each kind of state in another."""

    def __init__(self, optimizer: Optimizer, settings: Mapping[str, Any], members: Members,
                 names: Sequence[str]) -> None:  # fmt: skip
        self._take_step = ARITHMETIC[type(optimizer)].take_step
        self._members = members
        parameters = [p for p, _ in members]
        numbers = ALIGNMENT // parameters[0].element_size()
        ends = list(accumulate(-(-p.numel() // numbers) * numbers for p in parameters))
        self._starts = [0, *ends[:-1]]
        states = [optimizer.state[p] for p in parameters]
        taken, state = _steps_taken(states[0]), {}
        weights, places = self._lay(parameters, ends[-1])
        for parameter, place in zip(parameters, places, strict=True):
            parameter.data = place
        for name in names:
            state[name], places = self._lay([each[name] for each in states], ends[-1])
            for each, place in zip(states, places, strict=True):
                each[name] = place
        gradient, self._places = self._lay(parameters, ends[-1])
        parts, done = [], 0
        for decay, alike in groupby(decay for _, decay in members):
            part, done = slice(self._starts[done], ends[(stop := done + len(list(alike))) - 1]), stop
            parts.append((decay, part))
        decays = [(decay, weights[part], gradient[part]) for decay, part in parts if decay]
        self._move = Move(settings, weights, gradient, state, decays, taken)
        kind = type(optimizer)
        self._state = optimizer.state
        self._homes = [
            (p, p.data_ptr(), p.shape, {name: each[name] for name in names})
            for p, each in zip(parameters, states, strict=True)
        ]
        self._step_fused = FUSED[kind] if kind in FUSED and weights.dtype in FUSED_TYPES else None
        self._taken = torch.tensor(float(taken))
        self._parts = [
            (decay, [weights[part]], [gradient[part]],
             {n: [self._taken if n == "step" else each[part]] for n, each in state.items()})
            for decay, part in parts
        ]  # fmt: skip

    def _lay(self, tensors: Sequence[Tensor], length: int) -> tuple[Tensor, list[Tensor]]:
        """Return a vector with what the tensors hold, and its parts that stand for them."""
        if all(tensor.shape != p.shape for tensor, (p, _) in zip(tensors, self._members, strict=True)):
            vector = torch.stack(list(tensors))  # a number for each parameter
            return vector, list(vector.unbind())
        vector = torch.zeros(length, dtype=tensors[0].dtype)
        parts = [vector[a : a + t.numel()].view(t.shape) for a, t in zip(self._starts, tensors, strict=True)]
        torch._foreach_copy_(parts, [tensor.detach() for tensor in tensors])
        return vector, parts

    def is_in_place(self) -> bool:
        return all(
            parameter.data_ptr() == place
            and parameter.shape == shape
            and all(self._state.get(parameter, {}).get(name) is part for name, part in parts.items())
            for parameter, place, shape, parts in self._homes
        )

    def take_gradients(self) -> bool:
        gradients = _gradients(self._members)
        if gradients is not None:
            torch._foreach_copy_(self._places, gradients)
        return gradients is not None

    def norm(self) -> Tensor | None:
        norm: Tensor = torch.linalg.vector_norm(self._move.gradient)
        return norm

    def move(self) -> None:
        move = self._move
        move.step += 1
        if "step" in move.state:
            move.state["step"].add_(1)
        if self._step_fused is None:
            self._take_step(move)
            return
        self._taken.add_(1)
        for decay, weights, gradients, state in self._parts:
            self._step_fused(move.settings, decay, weights, gradients, state)


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


def _gradients(members: Members) -> list[Tensor] | None:
    """Return the gradients; ``None`` if one is missing or sparse."""
    gradients = [p.grad for p, _ in members]
    for gradient in gradients:
        if gradient is None or gradient.is_sparse:
            return None
    return gradients  # type: ignore[return-value]


def _steps_taken(state: Mapping[str, Any]) -> int:
    return int(state["step"].item()) if "step" in state else 1


def _alike(optimizer: Optimizer) -> Iterator[tuple[Mapping[str, Any], Members]]:
    """Yield parameters with gradients that differ in nothing but their decay: settings, and each with its decay."""
    found: list[tuple[Mapping[str, Any], Any, Members]] = []
    group: Mapping[str, Any]
    for group in optimizer.param_groups:
        settings = {k: v for k, v in group.items() if k not in ("params", "weight_decay", "initial_lr")}
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            key = settings, _steps_taken(optimizer.state.get(parameter, {}))
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
