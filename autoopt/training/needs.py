"""How long the runs of a task will take and how much memory, measured on a few batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from autoopt.recipe import Recipe
from autoopt.run import Run
from autoopt.tasks.explain import is_out_of_memory
from autoopt.tasks.loaders import DatasetSamples, LoaderSamples, StreamSamples
from autoopt.tasks.samples import Samples, TensorSamples, move_batch
from autoopt.tasks.task import Batch, Task
from autoopt.training.evaluation import evaluate
from autoopt.training.parking import free_bytes, tensors_in
from autoopt.training.precision import compute_in
from autoopt.training.trainee import EVALUATION_BATCHES, Trainee

STEPS = 10  # that are timed, after as many that are not
SPARE = 0.9  # share of the free memory that may be filled
PROCESS_BYTES = (
    400_000_000  # of a process that has loaded torch and this; 270 MB were measured without anything else
)
CONTEXT_BYTES = 600_000_000  # that a process takes on a card before it has anything there


@dataclass(frozen=True)
class FirstBatches:
    """The same samples, but an epoch ends after some batches."""

    samples: Samples
    count: int

    @property
    def rows(self) -> int | None:
        return self.samples.rows

    @property
    def fixed_batch_size(self) -> int | None:
        return self.samples.fixed_batch_size

    def steps_per_epoch(self, batch_size: int, *, drop_single: bool = False) -> int:
        return min(self.count, self.samples.steps_per_epoch(batch_size, drop_single=drop_single))

    def batches(
        self, batch_size: int, *, shuffle_seed: int | None = None, drop_single: bool = False
    ) -> Iterator[Batch]:
        batches = self.samples.batches(batch_size, shuffle_seed=shuffle_seed, drop_single=drop_single)
        return islice(batches, self.count)


@dataclass(frozen=True)
class Needs:
    """What a run of a task needs, in seconds and bytes.

    Attributes:
        data: how batches are made, in words.
        seconds_step: of an optimizer's step with its batches, on average.
        seconds_evaluation: of the validation data.
        seconds_epoch: with the evaluation after it.
        weights, gradients, state: bytes of parameters and buffers, of gradients, of what the optimizer keeps.
        activations: bytes that a batch leaves for the backward pass.
        free: bytes that are free on the device.
        failure: the probe found no memory; all numbers but ``weights`` and ``free`` are then unknown (NaN or 0).
    """

    data: str
    seconds_step: float
    seconds_evaluation: float
    seconds_epoch: float
    weights: int
    gradients: int
    state: int
    activations: int
    free: int
    failure: bool = False

    @property
    def total(self) -> int:
        """Bytes of a run while it trains, without what the operations themselves need for a moment."""
        return self.weights + self.gradients + self.state + self.activations

    @property
    def fits(self) -> bool:
        """Whether that is clearly less than what is free."""
        return not self.failure and self.total < SPARE * self.free

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "total": self.total, "fits": self.fits}


def measure_needs(task: Task, recipe: Recipe, device: str) -> Needs:
    """Train a few batches, of the size that the task says, with a recipe; return what a run needs.

    Raises:
        Exception: whatever the user's code raises, save that there is no memory.
    """
    data, free = describe_data(task.train), free_bytes(device)
    try:
        return _measured(task, recipe, device, data, free)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    nothing = math.nan
    return Needs(data, nothing, nothing, nothing, 0, 0, 0, 0, free, failure=True)


def _measured(task: Task, recipe: Recipe, device: str, data: str, free: int) -> Needs:
    batches = STEPS * task.accumulate
    short = replace(task, train=FirstBatches(task.train, batches), valid=FirstBatches(task.valid, 1))
    trainee = Trainee(short, Run(0, recipe, seed=0, epochs=3), device)
    trainee.train_epoch()
    epoch = min(_seconds(device, trainee.train_epoch) for _ in range(2))
    rows = short.valid.fixed_batch_size or EVALUATION_BATCHES * task.batch_size
    with task.surroundings():
        evaluation = _seconds(device, partial(
            evaluate, compute_in(short, device), trainee.model, short.valid, device, rows,
            with_metric=task.objective != "loss",
        ))  # fmt: skip
    evaluations = task.valid.steps_per_epoch(rows) * evaluation
    steps = short.steps_per_epoch(task.batch_size)
    step = max(0.0, epoch - evaluation) / steps
    state = sum(_nbytes(t) for t in tensors_in([trainee.optimizer.state.get(p) for p in trainee.parameters]))
    model = trainee.model
    return Needs(
        data, step, evaluations, step * task.steps_per_epoch(task.batch_size) + evaluations,
        weights=sum(_nbytes(t) for t in (*model.parameters(), *model.buffers())),
        gradients=sum(_nbytes(p) for p in trainee.parameters), state=state,
        activations=_activations(compute_in(task, device), model, device), free=free,
    )  # fmt: skip


def workers_that_fit(
    task: Task, recipe: Recipe, device: str, most: int, *, devices: int = 1, apart: bool = False
) -> int:
    """Return how many processes, at most so many, have room to train runs of a task; at least one.

    Args:
        device: where this process trains; others have as much free memory.
        devices: over how many the processes are spread.
        apart: each has the data in its own memory.
    """
    needs = measure_needs(task, recipe, device)
    held = [getattr(task, name) for name in ("train", "valid", "test")]
    data = sum(t.nbytes for samples in held if isinstance(samples, TensorSamples) for t in samples.tensors)
    if device == "cpu":
        room = SPARE * needs.free - needs.total  # this process has started, and loaded its data
        return max(1, min(most, 1 + int(room / (PROCESS_BYTES + needs.total + apart * data))))
    on_card = int(SPARE * needs.free / (CONTEXT_BYTES + needs.total + data))
    in_memory = int(SPARE * free_bytes("cpu") / (PROCESS_BYTES + apart * data))
    return max(1, min(most, on_card * devices, 1 + in_memory))


def describe_data(samples: Samples) -> str:
    """Say how batches of these data are made."""
    if isinstance(samples, TensorSamples):
        return f"held as tensors ({megabytes(sum(tensor.nbytes for tensor in samples.tensors))})"
    if isinstance(samples, DatasetSamples | StreamSamples):
        workers = samples.settings.num_workers
        rows = "a stream" if samples.rows is None else "row by row"
        return f"loaded {rows} by a DataLoader" + (f" with {workers} workers" if workers else "")
    if isinstance(samples, LoaderSamples):
        return "from the DataLoader as it is"
    return "as they come"


def megabytes(nbytes: float) -> str:
    """Return a number of bytes as people read it.

    >>> megabytes(5_400), megabytes(3_200_000), megabytes(12_500_000_000)
    ('0.0054 MB', '3.2 MB', '12.5 GB')
    """
    return f"{nbytes / 1e9:.3g} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.2g} MB" if nbytes < 1e7 else (
        f"{nbytes / 1e6:.0f} MB")  # fmt: skip


def advice(needs: Needs, task: Task) -> list[str]:
    """Return what to do about a task that does not fit, the surest first; nothing where it does."""
    if needs.fits:
        return []
    told = []
    if needs.failure or needs.activations > needs.total / 4:
        size, parts = task.batch_size, task.accumulate
        if size > 1 and task.train.fixed_batch_size is None:
            told.append(
                f"--batch-size {-(-size // 4)} --accumulate {4 * parts} makes the same steps in less memory"
            )
        if task.precision == "float32":
            told.append("--precision bf16 halves what a batch leaves for the backward pass")
        told.append("torch.utils.checkpoint in the model keeps less of it, and takes longer")
    if needs.failure or needs.state > needs.total / 4:
        told.append(
            "--optimizers sgd,lion keep half the state of Adam's family; 'autoopt optimizers' lists memory"
        )
    return told


def _activations(task: Task, model: nn.Module, device: str) -> int:
    """Return the bytes that one batch leaves for the backward pass, parameters not counted."""
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.layout == torch.strided and (place := tensor.untyped_storage().data_ptr()) not in own:
            kept[place] = tensor.untyped_storage().nbytes()
        return tensor

    batch = next(iter(task.train.batches(task.batch_size)))
    model.train()
    with (
        task.surroundings(),
        torch.enable_grad(),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t),
    ):
        found = task.batch_loss(model, move_batch(batch, torch.device(device)))
        del found
    return sum(kept.values())


def _seconds(device: str, act: Any) -> float:
    _wait(device)
    began = perf_counter()
    act()
    _wait(device)
    return perf_counter() - began


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()


def _nbytes(tensor: Tensor) -> int:
    if tensor.layout == torch.sparse_coo:
        return tensor._indices().nbytes + tensor._values().nbytes
    return tensor.nbytes
