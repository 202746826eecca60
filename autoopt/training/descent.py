"""One step of an optimizer: the gradient of a batch, clipped, and the move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from autoopt.recipe import Recipe
from autoopt.tasks.samples import move_batch
from autoopt.tasks.task import Task
from autoopt.training.gradients import clip_gradients, clip_values
from autoopt.training.observer import StepObserver
from autoopt.training.whole import Parts


class Descent:
    """Takes the steps of a run.

    Args:
        observer: looks at the gradients before and the weights after a step.

    Attributes:
        norm: of the gradient at the last step before clipping, where there was clipping; else ``None``.
    """

    def __init__(
        self,
        task: Task,
        model: nn.Module,
        optimizer: Optimizer,
        recipe: Recipe,
        device: str,
        observer: StepObserver,
    ) -> None:
        self._task = task
        self._model = model
        self._optimizer = optimizer
        self._recipe = recipe
        self._device = device
        self._observer = observer
        self._parameters: list[Tensor] = [p for group in optimizer.param_groups for p in group["params"]]
        self.norm: Tensor | None = None

    def step(self, parts: Parts) -> tuple[Tensor, int]:
        """Move the weights; return the loss before that, and over how many rows it was taken."""
        loss, rows = self._gradient(parts)
        self._observer.before_step(self.norm)
        self._optimizer.step()
        self._observer.after_step()
        return loss, rows

    def _gradient(self, parts: Parts) -> tuple[Tensor, int]:
        """Leave the gradient of the loss in the parameters, clipped; return the loss and its rows."""
        forget_gradients(self._parameters)
        losses, rows = [], 0
        for loss, count in self._losses(parts):
            loss.backward()
            losses.append(loss.detach())
            rows += count
        self._clip()
        return sum(losses[1:], losses[0]), rows

    def _losses(self, parts: Parts) -> Iterator[tuple[Tensor, int]]:
        """Yield losses that add up to the mean over all rows, each with its graph and its rows."""
        for batch in parts:
            found = self._task.batch_loss(self._model, move_batch(batch, self._device))
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
