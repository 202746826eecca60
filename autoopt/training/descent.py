"""One step of an optimizer: the gradient of a batch, clipped, and the move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from autoopt.catalogue.own import entry_of
from autoopt.errors import SpaceError
from autoopt.recipe import Recipe
from autoopt.tasks.samples import TensorSamples, move_batch
from autoopt.tasks.task import Task
from autoopt.training.gradients import clip_gradients, clip_values, gradient_norm
from autoopt.training.observer import StepObserver
from autoopt.training.precision import make_scaler
from autoopt.training.streams import SameDraws
from autoopt.training.update import Update
from autoopt.training.whole import Parts

# What loss.backward() calls in the end, without its checks of the derivative: a tenth of a small model's step.
_ENGINE: Any = torch.autograd.Variable._execution_engine


class Descent:
    """Takes the steps of a run.

    Args:
        observer: looks at the gradients before and the weights after a step.

    Attributes:
        norm: of the gradient at the last step before clipping; ``None`` where it was not measured.
    """

    def __init__(self, task: Task, model: nn.Module, optimizer: Optimizer, recipe: Recipe, device: str,
                 observer: StepObserver) -> None:  # fmt: skip
        self._task = task
        self._model = model
        self._optimizer = optimizer
        frozen = (p for p in model.parameters() if not p.requires_grad)
        self._update = Update(optimizer, [*model.buffers(), *frozen])
        self._recipe = recipe
        self._device = device
        self._place = torch.device(device)
        self._is_there = isinstance(task.train, TensorSamples) and all(
            tensor.device == self._place for tensor in task.train.tensors
        )
        self._observer = observer
        self._needs = entry_of(recipe).needs
        self._parameters: list[Tensor] = [p for group in optimizer.param_groups for p in group["params"]]
        self._ones: Tensor | None = None
        self._scaler = make_scaler(task, device)
        if self._scaler is not None and self._needs & {"closure", "second_derivatives"}:
            raise SpaceError(
                f"{recipe.optimizer} takes its gradients itself, unscaled, which fp16 does not allow: compute in bf16"
            )
        self.norm: Tensor | None = None

    def step(self, parts: Parts, *, last: bool) -> tuple[Tensor, int]:
        """Move the weights; return the loss before that, and over how many rows it was taken.

        Args:
            last: the step ends an epoch, so the norm of its gradient is wanted. It is measured before the step, for
                some optimizers write into the gradients.
        """
        if "closure" in self._needs:
            return self._step_by_gradients(parts)
        if "second_derivatives" in self._needs:
            return self._step_by_losses(parts)
        if self._scaler is not None:
            return self._step_scaled(parts, self._scaler)
        loss, rows = self._gradient(parts)
        norm = self._update.take_gradients()
        if self.norm is None:
            self.norm = norm
        self._observer.before_step(self.norm)
        if last and self.norm is None:
            self.norm = gradient_norm(p.grad for p in self._parameters if p.grad is not None)
        self._update.move()
        self._observer.after_step()
        return loss, rows

    def _step_scaled(self, parts: Parts, scaler: torch.amp.GradScaler) -> tuple[Tensor, int]:
        """Step with gradients that are scaled while they are computed; left out where they overflow."""
        loss, rows = self._gradient(parts, scaler)
        if self.norm is None:
            self.norm = gradient_norm(p.grad for p in self._parameters if p.grad is not None)
        self._observer.before_step(self.norm)
        scaler.step(self._optimizer)
        scaler.update()
        self._observer.after_step()
        return loss, rows

    def state_dict(self) -> dict[str, Any]:
        """Return what the next epoch needs of this one."""
        return {"update": self._update.state_dict(), "scaler": self._scaler and self._scaler.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` returned."""
        self._update.load_state_dict(state["update"])
        if self._scaler is not None:
            self._scaler.load_state_dict(state["scaler"])

    def rest(self) -> None:
        """Let go of gradients, and be ready for weights and state that are elsewhere at the next step."""
        forget_gradients(self._parameters)
        self._update.rest()

    def let_go(self) -> None:
        """Hold no weights and no state of the optimizer, which are about to be moved elsewhere."""
        self._update.let_go()

    def _step_by_gradients(self, parts: Parts) -> tuple[Tensor, int]:
        """Step with a closure that the optimizer calls as often as it likes, each time with the same random draws."""
        draws, norm = SameDraws(self._device), self.norm
        first: list[tuple[Tensor, int]] = []

        def closure() -> Tensor:
            nonlocal norm
            draws.begin()
            loss, rows = self._gradient(parts)
            if not first:
                first.append((loss, rows))
                clipped = self._recipe.clip_norm is not None or self._recipe.clip_value is not None
                # the gradient at which the step begins is gone when it ends
                norm = (
                    self.norm
                    if clipped
                    else gradient_norm(p.grad for p in self._parameters if p.grad is not None)
                )
                self._observer.before_step(norm)
            return loss

        self._optimizer.step(closure)  # type: ignore[arg-type]
        self._observer.after_step()
        self.norm = norm
        return first[0]

    def _step_by_losses(self, parts: Parts) -> tuple[Tensor, int]:
        """Step with a closure that gives losses with their graph, for an optimizer that takes derivatives itself."""
        draws = SameDraws(self._device)
        first: list[tuple[Tensor, int]] = []

        def closure() -> Iterator[Tensor]:
            draws.begin()
            seen, rows = [], 0
            for loss, count in self._losses(parts):
                seen.append(loss.detach())
                rows += count
                yield loss
            first.append((sum(seen[1:], seen[0]), rows))

        forget_gradients(self._parameters)
        self._observer.before_step(None)
        self._optimizer.step(closure)  # type: ignore[arg-type]
        self._observer.after_step()
        return first[0]

    def _gradient(self, parts: Parts, scaler: torch.amp.GradScaler | None = None) -> tuple[Tensor, int]:
        """Leave the gradient of the loss in the parameters, clipped; return the loss and its rows."""
        forget_gradients(self._parameters)
        self.norm = None
        losses, rows = [], 0
        for loss, count in self._losses(parts):
            scaled = loss if scaler is None else scaler.scale(loss)
            if type(scaled) is Tensor:
                _ENGINE.run_backward((scaled,), (self._one(loss),), False, False, (), allow_unreachable=True,
                                     accumulate_grad=True)  # fmt: skip
            else:
                scaled.backward(self._one(loss))
            losses.append(loss.detach())
            rows += count
        if scaler is not None:
            scaler.unscale_(self._optimizer)
        self._clip()
        return sum(losses[1:], losses[0]), rows

    def _one(self, loss: Tensor) -> Tensor:
        """Return the derivative of the loss by itself, which torch would make anew at every step."""
        if self._ones is None or self._ones.dtype != loss.dtype or self._ones.device != loss.device:
            self._ones = torch.ones_like(loss)
        return self._ones

    def _losses(self, parts: Parts) -> Iterator[tuple[Tensor, int]]:
        """Yield losses that add up to the mean over all rows, each with its graph and its rows."""
        for batch in parts:
            found = self._task.batch_loss(
                self._model, batch if self._is_there else move_batch(batch, self._place)
            )
            yield found.loss if parts.rows is None else found.loss * (found.rows / parts.rows), found.rows

    def _clip(self) -> None:
        if self._recipe.clip_norm is not None:
            self.norm = clip_gradients(self._parameters, self._recipe.clip_norm)
        elif self._recipe.clip_value is not None:
            self.norm = clip_values(self._parameters, self._recipe.clip_value)


def forget_gradients(parameters: Sequence[Tensor]) -> None:
    """Let go of all gradients."""
    for parameter in parameters:
        parameter.grad = None
