"""Task: the user's model, data and loss as one value, whatever form they came in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from autoopt.run import Direction

if TYPE_CHECKING:
    from torch import Tensor, nn

    from autoopt.tasks.samples import Samples

Batch = Any  # a tuple (inputs …, target), a dict, or whatever the user's own step takes


class MetricState(Protocol):
    """A metric being added up over one evaluation."""

    def update(self, output: Any, target: Any) -> None:
        """Add one batch."""

    def compute(self) -> float:
        """Return the metric over all batches added."""


@dataclass(frozen=True)
class Metric:
    """A number beside the loss: its name, which way is better, and how it is added up."""

    name: str
    direction: Direction
    start: Callable[[], MetricState]


@dataclass(frozen=True)
class BatchLoss:
    """One batch through the model: the scalar loss with its graph, and what a metric needs, usually tensors."""

    loss: Tensor
    rows: int
    output: Any = None
    target: Any = None


@dataclass(frozen=True)
class Task:
    """What is trained. Built by ``load_task``; nothing in here is searched.

    Attributes:
        make_model: gives a fresh model; its weights follow torch's random state.
        train, valid, test: data; see ``autoopt.tasks.samples``.
        batch_loss: (model, batch) → BatchLoss; covers tuples, dicts and the user's own ``step``.
        grad_in_evaluation: the user's ``step`` may itself need gradients, so never evaluate under no_grad.
        metric: beside the loss, or ``None``.
        objective: name of what is searched: ``"loss"`` or the metric's name.
        direction: whether less or more of the objective is better.
        has_batch_norm: a training batch of one row would make it fail, so such a last batch is dropped.
        sparse_gradients: some parameter gets sparse gradients, which many optimizers refuse.
        dense_gradients: some parameter gets dense gradients, which optimizers for sparse ones refuse.
        n_trainable: parameters that get gradients, counted once; ``None`` if nobody counted.
        accumulate: batches whose gradients are added up for one step.
        precision: in which the model computes, a name in ``autoopt.training.precision.PRECISIONS``.
        source: path or module it came from.
        notes: what was inferred or adapted, for the user to read.
        fingerprint: equal for equal tasks, whatever comments or file names say.
        surroundings: context in which the user's code runs: its folder as working directory and import path.
    """

    name: str
    make_model: Callable[[], nn.Module]
    train: Samples
    valid: Samples
    batch_loss: Callable[[nn.Module, Batch], BatchLoss]
    epochs: int
    batch_size: int
    test: Samples | None = None
    metric: Metric | None = None
    objective: str = "loss"
    direction: Direction = "minimize"
    loss_name: str = ""
    grad_in_evaluation: bool = False
    has_batch_norm: bool = False
    sparse_gradients: bool = False
    dense_gradients: bool = True
    n_trainable: int | None = None
    accumulate: int = 1
    precision: str = "float32"
    source: str = ""
    notes: tuple[str, ...] = ()
    fingerprint: str = ""
    surroundings: Callable[[], AbstractContextManager[None]] = field(default=nullcontext)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Return the steps of an optimizer in an epoch with batches of that many rows."""
        return -(-self.train.steps_per_epoch(batch_size, drop_single=self.has_batch_norm) // self.accumulate)
