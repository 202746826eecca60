"""What the user gives as data, a value or a function giving one, read as samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
)

from autoopt.errors import TaskError
from autoopt.tasks.arrays import is_array, is_array_pair, read_arrays
from autoopt.tasks.batch import count_rows
from autoopt.tasks.explain import explained
from autoopt.tasks.loaders import (
    DatasetSamples,
    LoaderSamples,
    LoaderSettings,
    StreamSamples,
    has_plain_sampler,
    loader_batch_size,
)
from autoopt.tasks.samples import Samples, TensorSamples

_FORMS = "a pair of arrays or tensors (X, y), a Dataset or a DataLoader, or a function that returns one"


@dataclass(frozen=True)
class Reading:
    """How data are to be read.

    Attributes:
        name: what the user calls them: ``train_data``, ``val_data``, ``test_data``.
        batch_size: rows a batch where the data do not say.
        steps_per_epoch: batches an epoch of a stream, if given.
        whole: batches go whole to the user's step, so a target is not needed.
    """

    name: str
    batch_size: int
    steps_per_epoch: int | None = None
    whole: bool = False


def call_if_function(name: str, given: Any) -> Any:
    """Return the data: what is given, or what it returns when it is a function or class."""
    if (
        is_array(given)
        or isinstance(given, (TensorSamples, Dataset, DataLoader, tuple, list, Mapping))
        or not callable(given)
    ):
        return given
    with explained(f"{name}()"):
        return given()


def read_samples(given: Any, reading: Reading, notes: list[str]) -> Samples:
    """Return the samples of data in any supported form; notes gain what the user should know.

    Raises:
        TaskError: the data are of another form, empty or unequal in length.
    """
    samples = _read(given, reading, notes)
    if samples.rows == 0:
        raise TaskError(f"{reading.name} is empty: it needs at least one row")
    return samples


def _read(given: Any, reading: Reading, notes: list[str]) -> Samples:
    name = reading.name
    if isinstance(given, TensorSamples):
        return given  # read by another process
    if isinstance(given, DataLoader):
        return _read_loader(given, reading, notes)
    if isinstance(given, IterableDataset):
        return _read_stream(given, reading, notes)
    if isinstance(given, Dataset):
        return _read_dataset(given, reading)
    if isinstance(given, Mapping) and given and all(is_array(part) for part in given.values()):
        return read_arrays(name, given, whole=reading.whole)
    if is_array(given) or is_array_pair(given):
        return read_arrays(name, given, whole=reading.whole)
    if given is None:
        raise TaskError(f"{name} is None: give {_FORMS}")
    if isinstance(given, tuple):
        parts = ", ".join(type(part).__name__ for part in given)
        raise TaskError(f"{name} is a tuple of ({parts}), which are not arrays: give {_FORMS}")
    if isinstance(given, (Mapping, str, bytes)) or not hasattr(given, "__getitem__"):
        raise TaskError(f"{name} is of type {type(given).__name__}: give {_FORMS}")
    return _read_dataset(given, reading)


def _read_dataset(dataset: Any, reading: Reading) -> Samples:
    if not hasattr(dataset, "__len__"):
        raise TaskError(
            f"{reading.name}: {type(dataset).__name__} has no __len__: add it, or make it an IterableDataset "
            "and give steps_per_epoch"
        )
    with explained(f"len() of {reading.name}"):
        len(dataset)
    return _in_memory(dataset) or DatasetSamples(dataset)


def _in_memory(dataset: Any) -> TensorSamples | None:
    """Return the rows of a TensorDataset, or of a part of one, which need no DataLoader."""
    if type(dataset) is TensorDataset and dataset.tensors:
        return TensorSamples(tuple(tensor.detach() for tensor in dataset.tensors), as_given=True)
    if type(dataset) is Subset and (whole := _in_memory(dataset.dataset)) is not None:
        return whole.take(list(dataset.indices))
    return None


def _read_loader(loader: DataLoader[Any], reading: Reading, notes: list[str]) -> Samples:
    if isinstance(loader.dataset, IterableDataset):
        return _read_stream(loader.dataset, reading, notes, loader)
    if not has_plain_sampler(loader):
        notes.append(
            f"{reading.name}: the DataLoader has its own sampler, so its batches are taken as they are"
        )
        size = loader_batch_size(loader) or _first_rows(loader, reading)
        samples = LoaderSamples(loader, size)
        if not hasattr(loader.batch_sampler or loader.sampler, "__len__"):
            raise TaskError(f"{reading.name}: the DataLoader's sampler has no __len__: give it one")
        return samples
    in_order = reading.name == "train_data" and isinstance(loader.sampler, SequentialSampler)
    if in_order:
        notes.append("train_data: the DataLoader does not shuffle, so every epoch has the same order of rows")
    drop_last = bool(getattr(loader.batch_sampler, "drop_last", False))
    plain = loader.collate_fn is default_collate and not drop_last and not in_order
    if plain and (tensors := _in_memory(loader.dataset)) is not None:
        return tensors
    return DatasetSamples(loader.dataset, LoaderSettings.of(loader), drop_last, in_order)


def _read_stream(
    dataset: IterableDataset[Any], reading: Reading, notes: list[str], loader: DataLoader[Any] | None = None
) -> Samples:
    owner: Any = dataset if loader is None else loader
    batch_size = reading.batch_size if loader is None else loader.batch_size
    steps = reading.steps_per_epoch
    if steps is None:
        steps = _count_steps(owner, batch_size if loader is None else 1, reading.name)
    elif reading.name != "train_data":
        notes.append(f"{reading.name} is a stream: an evaluation reads its first {steps} batches at most")
    settings = LoaderSettings() if loader is None else LoaderSettings.of(loader)
    first = 1 if batch_size else _first_rows(owner, reading)
    drop_last = loader is not None and loader.drop_last
    return StreamSamples(dataset, steps, batch_size, settings, first, drop_last)


def _count_steps(owner: Any, rows_a_step: int | None, name: str) -> int:
    try:
        length = len(owner)
    except TypeError:
        raise TaskError(
            f"{name} is an IterableDataset, which has no length: give steps_per_epoch, the batches an epoch"
        ) from None
    return -(-length // (rows_a_step or 1))


def _first_rows(loader: Any, reading: Reading) -> int:
    with explained(f"reading {reading.name}"):
        return next((count_rows(batch) for batch in loader), 0) or 1
