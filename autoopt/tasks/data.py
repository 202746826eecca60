"""The data of a task: training, validation and test, read, checked and brought to the model's type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from autoopt.errors import TaskError
from autoopt.tasks.arrays import adapt_types, cast_inputs, check_finite, has_integer_inputs
from autoopt.tasks.loaders import StreamSamples, loader_batch_size
from autoopt.tasks.model import MakeModel
from autoopt.tasks.probe import check_batch, first_batch, run_model
from autoopt.tasks.read import Reading, call_if_function, read_samples
from autoopt.tasks.samples import Samples, TensorSamples
from autoopt.tasks.split import hold_out
from autoopt.tasks.task import Batch

BATCH_SIZE = 64


@dataclass(frozen=True)
class Data:
    """Samples by what the user calls them: ``train_data`` and, if given, ``val_data`` and ``test_data``.

    Attributes:
        device: where batches are tried.
    """

    parts: Mapping[str, Samples]
    batch_size: int
    device: str = "cpu"

    @property
    def train(self) -> Samples:
        return self.parts["train_data"]

    @property
    def train_targets(self) -> Tensor | None:
        """The targets of all training rows, where they lie in memory."""
        return self.train.target if isinstance(self.train, TensorSamples) else None

    def held_out(self, seed: int, notes: list[str]) -> Data:
        """Return the data with part of the training rows as ``val_data``."""
        train, valid = hold_out(self.train, seed, notes)
        return replace(self, parts={**self.parts, "train_data": train, "val_data": valid})

    def first_batch(self, name: str = "train_data") -> Batch:
        """Return the first batch of a part, in order."""
        return first_batch(self.parts[name], self.batch_size, name, self.device)

    def with_tensors(self, change: Callable[[TensorSamples], TensorSamples]) -> Data:
        """Return the data with those parts changed that lie in memory as tensors."""
        changed = {
            name: change(samples) if isinstance(samples, TensorSamples) else samples
            for name, samples in self.parts.items()
        }
        return replace(self, parts=changed)


def read_data(
    given: Mapping[str, Any],
    batch_size: int | None,
    steps_per_epoch: int | None,
    *,
    whole: bool,
    notes: list[str],
) -> Data:
    """Read every part of the data; functions are called, once.

    Args:
        given: what the user gave, by name; ``None`` for parts that are missing.
        batch_size: rows a batch, or ``None`` for the training DataLoader's own, else 64.
        whole: batches go whole to the user's step.

    Raises:
        TaskError: a part is of an unknown form, or empty.
    """
    if given.get("train_data") is None:
        raise TaskError("train_data is None: give a pair (X, y), a Dataset or a DataLoader")
    values = {name: call_if_function(name, value) for name, value in given.items() if value is not None}
    parts = {
        name: read_samples(value, Reading(name, batch_size or BATCH_SIZE, steps_per_epoch, whole), notes)
        for name, value in values.items()
    }
    train, loader = parts["train_data"], values["train_data"]
    own = loader_batch_size(loader) if isinstance(loader, DataLoader) else None
    size = train.fixed_batch_size or batch_size or own or BATCH_SIZE
    if batch_size is not None and size != batch_size:
        notes.append(f"batch_size {batch_size} is not used: the batches of train_data have {size} rows")
    if isinstance(train, StreamSamples):
        notes.append(f"train_data is a stream: every epoch reads its first {train.steps} batches")
    elif steps_per_epoch is not None:
        notes.append("steps_per_epoch is not used: train_data has a length")
    return Data(parts, size)


def check_values(data: Data) -> None:
    """Refuse NaN and infinite values: in all rows that lie in memory, in the first batch of others.

    Raises:
        TaskError: naming the part and the row.
    """
    for name, samples in data.parts.items():
        if not isinstance(samples, TensorSamples):
            check_batch(data.first_batch(name), name)
            continue
        labels = samples.keys or (("X", "y") if len(samples.tensors) == 2 else range(len(samples.tensors)))
        for label, tensor in zip(labels, samples.tensors, strict=True):
            check_finite(f"{label if isinstance(label, str) else f'part {label}'} of {name}", tensor)


def suit_model(data: Data, make_model: MakeModel, dtype: torch.dtype, notes: list[str]) -> Data:
    """Return the data with integer inputs cast, where the model takes them in another type only."""
    train = data.train
    if not isinstance(train, TensorSamples) or train.as_given or not has_integer_inputs(train):
        return data
    try:
        run_model(make_model, data.first_batch())
        return data
    except TaskError as error:
        for wanted in (torch.long, dtype):
            cast = data.with_tensors(lambda samples, to=wanted: cast_inputs(samples, to))  # type: ignore[misc]
            try:
                run_model(make_model, cast.first_batch())
            except TaskError:
                continue
            name = str(wanted).removeprefix("torch.")
            notes.append(f"integer inputs are given to the model as {name}, as it takes no others")
            return cast
        raise error


def to_model_type(data: Data, dtype: torch.dtype) -> Data:
    """Return the data with float arrays in the model's type and integer targets as int64."""
    return data.with_tensors(lambda samples: adapt_types(samples, dtype))
