"""Parameters that an optimizer moves together: one by one, in torch's fused kernels, or as one vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, groupby
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from autoopt.training.arithmetic import ARITHMETIC, FUSED, Move

FUSED_TYPES = (torch.float32, torch.float64)
ALIGNMENT = 64  # bytes; where torch begins every tensor: matrix products round by where their numbers lie

Members = list[tuple[Tensor, float]]  # parameters, each with its decay


class Bundle(Protocol):
    """Parameters with common settings that are moved together."""

    def is_in_place(self) -> bool:
        """Whether weights and state are those that were there when the bundle was made."""

    def take_gradients(self) -> bool:
        """Take up the gradients; False if one is missing or sparse."""

    def norm(self) -> Tensor | None:
        """Return the 2-norm of the gradients taken up, if that costs next to nothing."""

    def move(self) -> None:
        """Move the weights."""


class _Apart:
    """Parameters that stay where they are."""

    _members: Members

    def is_in_place(self) -> bool:
        return False  # it costs next to nothing to make another one

    def take_gradients(self) -> bool:
        return _gradients(self._members) is not None

    def norm(self) -> Tensor | None:
        return None


class Loose(_Apart):
    """Parameters that are moved one by one."""

    def __init__(self, optimizer: Optimizer, settings: Mapping[str, Any], members: Members,
                 names: Sequence[str]) -> None:  # fmt: skip
        self._take_step = ARITHMETIC[type(optimizer)].take_step
        self._members = members
        states = [optimizer.state[p] for p, _ in members]
        self._steps = [state["step"] for state in states] if "step" in names else []
        self._moves = [
            Move(settings, p, p, {name: state[name] for name in names}, (), steps_taken(state))
            for (p, _), state in zip(members, states, strict=True)
        ]

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


class Fused(_Apart):
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

    def move(self) -> None:
        for decay, parameters, state in self._parts:
            if steps := state.get("step"):
                torch._foreach_add_(steps, 1)
            self._take_step(self._settings, decay, parameters, [p.grad for p in parameters], state)


class Flat:
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
        taken, state = steps_taken(states[0]), {}
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


def _gradients(members: Members) -> list[Tensor] | None:
    """Return the gradients; ``None`` if one is missing or sparse."""
    gradients = [p.grad for p, _ in members]
    for gradient in gradients:
        if gradient is None or gradient.is_sparse:
            return None
    return gradients  # type: ignore[return-value]


def steps_taken(state: Mapping[str, Any]) -> int:
    return int(state["step"].item()) if "step" in state else 1
