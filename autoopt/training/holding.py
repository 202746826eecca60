"""Data held as tensors where the model is, instead of being loaded row by row, where nobody can tell the difference."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from autoopt.tasks.loaders import DatasetSamples
from autoopt.tasks.randomness import OwnRandomness
from autoopt.tasks.samples import Samples, TensorSamples, count_batches
from autoopt.tasks.task import Batch, Task
from autoopt.training.parking import free_bytes

ROOM_SHARE = 4  # data take at most one part in so many of the free memory
READ_TWICE = 32  # rows that are read a second time, with other random numbers
DEPTH = 4  # how deep a data set is searched for random generators of its own
GENERATORS = (
    torch.Generator,
    np.random.Generator,
    np.random.RandomState,
    np.random.BitGenerator,
    random.Random,
)


@dataclass(frozen=True, eq=False)
class HeldSamples(TensorSamples):
    """The rows of a data set as tensors; its batches are those that its DataLoader would give.

    Attributes:
        drop_last, in_order: as of ``DatasetSamples``.
        listed: batches are lists, which is what a DataLoader makes of tuples.
    """

    drop_last: bool = False
    in_order: bool = False
    listed: bool = False

    def steps_per_epoch(self, batch_size: int, *, drop_single: bool = False) -> int:
        return count_batches(self.rows, batch_size, drop_last=self.drop_last, drop_single=drop_single)

    def batches(
        self, batch_size: int, *, shuffle_seed: int | None = None, drop_single: bool = False
    ) -> Iterator[Batch]:
        # an evaluation must see every row, whatever the loader drops in training
        whole = self if shuffle_seed is not None else replace(self, drop_last=False)
        seed = None if self.in_order else shuffle_seed
        for batch in TensorSamples.batches(whole, batch_size, shuffle_seed=seed, drop_single=drop_single):
            yield list(batch) if self.listed else batch


def hold_data(task: Task, device: str) -> Task:
    """Return the task with its data held as tensors on the device, as far as they can be and there is room.

    Tensors are moved. Rows of a map-style data set are held if the default collation puts them together, if reading
    them draws no random number and a second reading gives the same, and if no random generator is found in the data
    set. It is read once, whole; batches and their order stay the same. All else stays with its DataLoader.
    """
    room = free_bytes(device) // ROOM_SHARE
    parts: dict[str, Any] = {}
    with task.surroundings():
        for name in ("train", "valid", "test"):
            if (samples := getattr(task, name)) is None:
                continue
            held = _held(samples, room)
            if isinstance(held, TensorSamples):
                nbytes = sum(tensor.nbytes for tensor in held.tensors)
                if nbytes <= room:
                    held = replace(held, tensors=tuple(tensor.to(device) for tensor in held.tensors))
                    room -= 0 if held is samples else nbytes
            parts[name] = held
    return replace(task, **parts)


def _held(samples: Samples, room: int) -> Samples:
    if not isinstance(samples, DatasetSamples) or not samples.rows:
        return samples
    if samples.settings.collate_fn not in (None, default_collate) or hasattr(samples.dataset, "set_epoch"):
        return samples
    if _has_generator(samples.dataset, DEPTH, set()):
        return samples
    try:
        return _read(samples, samples.rows, room) or samples
    except Exception:  # a row that cannot be read, or not put together: whoever trains will be told
        return samples


def _read(samples: DatasetSamples, rows: int, room: int) -> HeldSamples | None:
    """Return all rows; ``None`` if they are random, too many, or no tensors of equal shapes."""
    with OwnRandomness(0):
        form = default_collate([samples.dataset[0]])
    first = _tensors(form)
    if (
        first is None
        or rows * sum(tensor.nbytes for tensor in first) > room
        or _is_random(samples.dataset, rows)
    ):
        return None
    held = [torch.empty((rows, *tensor.shape[1:]), dtype=tensor.dtype) for tensor in first]
    with OwnRandomness(0):
        before = _drawn()
        for row in range(rows):
            tensors = _tensors(default_collate([samples.dataset[row]]))
            if tensors is None or [t.shape for t in tensors] != [t.shape for t in first] or [
                t.dtype for t in tensors] != [t.dtype for t in first]:  # fmt: skip
                return None
            for place, tensor in zip(held, tensors, strict=True):
                place[row] = tensor[0]
        if _drawn() != before:
            return None
    return HeldSamples(
        tuple(held), tuple(form) if isinstance(form, dict) else None, isinstance(form, Tensor), as_given=True,
        drop_last=samples.drop_last, in_order=samples.in_order, listed=isinstance(form, list),
    )  # fmt: skip


def _tensors(batch: Batch) -> list[Tensor] | None:
    """Return the tensors of a batch without nesting; ``None`` of any other."""
    parts = [batch] if isinstance(batch, Tensor) else list(batch.values()) if type(batch) is dict else batch
    plain = type(parts) is list and all(
        type(part) is Tensor and part.layout == torch.strided for part in parts
    )
    return parts if plain else None


def _is_random(dataset: Any, rows: int) -> bool:
    """Tell whether some rows are others at a second reading."""
    chosen = torch.linspace(0, rows - 1, min(rows, READ_TWICE)).long().tolist()
    readings = []
    for seed in (1, 2):
        with OwnRandomness(seed):
            readings.append([_tensors(default_collate([dataset[row]])) for row in chosen])
    return not all(
        one is not None and two is not None and len(one) == len(two)
        and all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
        for one, two in zip(*readings, strict=True)
    )  # fmt: skip


def _drawn() -> tuple[Any, ...]:
    """Return what changes when somebody draws from a global generator."""
    name, keys, place, *_ = np.random.get_state()
    return bytes(torch.get_rng_state().numpy()), random.getstate(), bytes(np.asarray(keys)), place, name


def _has_generator(value: Any, depth: int, seen: set[int]) -> bool:
    """Tell whether a random generator is among the attributes of a data set, or of its transforms."""
    if isinstance(value, GENERATORS):
        return True
    if depth == 0 or id(value) in seen or isinstance(value, Tensor | np.ndarray | str | bytes | type):
        return False
    seen.add(id(value))
    if isinstance(value, dict):
        inside = list(value.values())
    elif isinstance(value, list | tuple | set):
        inside = list(value)
    else:
        inside = [*getattr(value, "__dict__", {}).values()]
        inside += [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
    # a long list is one of rows, and those have been read
    return any(_has_generator(each, depth - 1, seen) for each in inside[:1000])
