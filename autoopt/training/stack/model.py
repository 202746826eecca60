"""A model for many rows at once: their losses, their gradients and what they give on data they are not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.utils._pytree import TreeSpec, tree_flatten, tree_map, tree_unflatten

from autoopt.tasks.task import Batch, Task
from autoopt.training.stack.layout import Layout
from autoopt.training.stack.tracing import Traced, trace

Gradients = tuple[Tensor, Tensor, list[Tensor]]
CALLS_TO_TRACE = 32
"""Batches of one shape after which it is traced: before, what tracing takes would not come in again."""


class StackedModel:
    """One module that computes with the tensors of any rows.

    Args:
        model: gives the structure; its own tensors are never used.
        calls_to_trace: batches of one shape after which their operations are found out for good, see ``trace``.
            The numbers are the same before and after.
        compiled: compile what was found, where gradients are taken; each shape takes seconds to a minute.
    """

    def __init__(
        self, task: Task, model: nn.Module, *, calls_to_trace: float = CALLS_TO_TRACE, compiled: bool = False
    ) -> None:
        self.layout = Layout.of(model)
        self._task = task
        self._wrapped = _LossOf(task, model).train()
        self._calls_to_trace, self._compiled = (0 if compiled else calls_to_trace), compiled
        self._ways: dict[Any, _Way] = {}

    def gradients(
        self, weights: Sequence[Tensor], fixed: Sequence[Tensor], batch: Batch, *, own: bool
    ) -> Gradients:
        """Return the losses (K), the gradients (K, P) and the buffers after a training batch.

        Args:
            weights: as ``Layout.views`` gives them.
            fixed: buffers and frozen parameters, each (K, …).
            own: every row has a batch of its own: tensors of the batch are (K, …).
        """
        self._set_mode(training=True)
        loss, gradient, *after = self._call("gradients", weights, fixed, batch, own=own)
        return loss, gradient, after

    def evaluate(
        self, weights: Sequence[Tensor], fixed: Sequence[Tensor], batch: Batch, *, with_outputs: bool
    ) -> tuple[Tensor, list[tuple[Any, Any]], list[Tensor]]:
        """Return the losses (K) of an evaluation batch, each row's output and target, and the buffers after it."""
        self._set_mode(training=False)
        what = "outputs" if with_outputs else "losses"
        with torch.no_grad():
            loss, *rest = self._call(what, weights, fixed, batch, own=False)
        shape = self._shape
        count = len(self.layout.fixed)
        after, leaves = rest[:count], rest[count:]
        if not with_outputs:
            return loss, [], after
        assert shape.spec is not None
        found = [tree_unflatten([leaf[k] for leaf in leaves], shape.spec) for k in range(len(loss))]
        return loss, found, after

    def _set_mode(self, *, training: bool) -> None:
        if (
            self._wrapped.training != training
        ):  # walking through all modules takes longer than small layers do
            self._wrapped.train(training)

    def _call(
        self, what: str, weights: Sequence[Tensor], fixed: Sequence[Tensor], batch: Batch, *, own: bool
    ) -> tuple[Tensor, ...]:
        leaves, spec = tree_flatten(batch)
        arguments = [*weights, *fixed, *leaves]
        key = (what, own, spec, tuple((t.shape, t.dtype) for t in arguments))
        if key not in self._ways:
            shape = _Shape()
            self._ways[key] = _Way(self._function(what, spec, shape, own=own), shape)
        way = self._ways[key]
        way.calls += 1
        if way.calls > self._calls_to_trace and not way.traced:
            way.function, way.traced = trace(way.function, arguments), True
            if self._compiled and what == "gradients":
                way.function = torch.compile(way.function, dynamic=False)
        self._shape = way.shape
        return way.function(*arguments)

    def _function(self, what: str, spec: TreeSpec, shape: _Shape, *, own: bool) -> Traced:
        names, fixed_names = self.layout.names, self.layout.fixed
        n, f = len(names), len(fixed_names)
        wrapped = self._wrapped

        def loss_of(weights: list[Tensor], fixed: list[Tensor], leaves: list[Tensor]) -> Any:
            # buffers may be written to, or replaced; functional_call leaves the new ones in the dictionary
            held = dict(zip(names, weights, strict=True))
            held |= {name: tensor.clone() for name, tensor in zip(fixed_names, fixed, strict=True)}
            held = {f"model.{name}": tensor for name, tensor in held.items()}
            batch = tree_map(torch.clone, tree_unflatten(leaves, spec))  # a model may work in place
            found = functional_call(wrapped, held, (batch,))
            after = [held[f"model.{name}"].detach() for name in fixed_names]
            return found.loss, (after, found)

        in_batch = 0 if own else None

        def gradients(*arguments: Tensor) -> tuple[Tensor, ...]:
            parts = list(arguments[:n]), list(arguments[n : n + f]), list(arguments[n + f :])
            one = grad_and_value(lambda *given: _without_outputs(loss_of(*given)), has_aux=True)
            many = vmap(one, in_dims=(0, 0, in_batch), randomness="same")
            grads, (losses, after) = many(*parts)
            flat = [grad.reshape(len(losses), -1) for grad in grads]
            return losses, torch.cat(flat, dim=1), *after

        def evaluation(*arguments: Tensor) -> tuple[Tensor, ...]:
            parts = list(arguments[:n]), list(arguments[n : n + f]), list(arguments[n + f :])

            def one(*given: list[Tensor]) -> Any:
                loss, (after, found) = loss_of(*given)
                if what == "losses":
                    return loss, after, []
                leaves, shape.spec = tree_flatten((found.output, found.target))
                return loss, after, leaves

            def beside_gradient(*given: list[Tensor]) -> Any:
                def with_rest(*inner: list[Tensor]) -> Any:
                    loss, after, leaves = one(*inner)
                    return loss, (after, leaves)

                _, (loss, (after, leaves)) = grad_and_value(with_rest, has_aux=True)(*given)
                return loss, after, leaves

            try:
                found = vmap(one, in_dims=(0, 0, in_batch), randomness="same")(*parts)
            except RuntimeError:
                # some layers, GRUs for one, are known for many rows only on the way to a gradient; whoever
                # traces this leaves that out again
                found = vmap(beside_gradient, in_dims=(0, 0, in_batch), randomness="same")(*parts)
            losses, after, leaves = found
            return losses, *after, *leaves

        return gradients if what == "gradients" else evaluation


class _Shape:
    """How the outputs of an evaluation were nested before they were laid in a row."""

    spec: TreeSpec | None = None


@dataclass
class _Way:
    """How batches of one shape are computed."""

    function: Traced
    shape: _Shape
    calls: int = 0
    traced: bool = False


class _LossOf(nn.Module):
    """A module whose output is what the task makes of a batch, so that the user's own step is served as well."""

    def __init__(self, task: Task, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._batch_loss: Callable[[nn.Module, Batch], Any] = task.batch_loss

    def forward(self, batch: Batch) -> Any:
        return self._batch_loss(self.model, batch)


def _without_outputs(found: Any) -> Any:
    loss, (after, _) = found
    return loss, after
