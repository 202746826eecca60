"""The data of a task in a file without a name, which the processes of a machine map instead of having copies.

The system keeps a page of it in memory once, for all of them, and gives a process a page of its own where it writes.
The file goes away with the last process that has it open, however that ends.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from autoopt.tasks.fingerprint import fingerprint_code
from autoopt.tasks.handed import DATA_NAMES, HandedData, first_losses
from autoopt.tasks.location import locate
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import Task
from autoopt.training.holding import HeldSamples

LEAST = 2**25  # bytes: less than that is not worth a file
SPARE = 2  # times the bytes that must be free where the file is
OPEN_FILES = Path("/proc/self/fd")  # where an open file has a name, if it has none elsewhere
FIELDS = ("keys", "bare", "as_given", "drop_last", "in_order", "listed")


@dataclass(frozen=True)
class MappedData:
    """Data in a file.

    Attributes:
        file: has no name; other processes inherit it.
        parts: the training, validation and test data, mapped, by their names in a task; ``TensorSamples``.
    """

    file: IO[bytes]
    parts: Mapping[str, Any]

    def into(self, task: Task) -> Task:
        """Return the task with these data."""
        return replace(task, **self.parts)


def map_data(task: Task) -> MappedData | None:
    """Write the data of a task that holds them as tensors on the processor; return them mapped.

    ``None`` where they are small, or not all of them are tensors, or the temporary folder has no room, or the system
    gives open files no names.

    Raises:
        Exception: whatever the user's model raises, or the system when it writes.
    """
    parts = {"train": task.train, "valid": task.valid, "test": task.test}
    found = {name: part for name, part in parts.items() if isinstance(part, TensorSamples)}
    nbytes = sum(tensor.nbytes for part in found.values() for tensor in part.tensors)
    whole = len(found) == sum(part is not None for part in parts.values()) and nbytes >= LEAST
    if not whole or not OPEN_FILES.is_dir():
        return None
    if shutil.disk_usage(tempfile.gettempdir()).free < SPARE * nbytes:
        return None
    file = tempfile.TemporaryFile(prefix="autoopt-")  # noqa: SIM115  it stays open for those who map it
    try:
        document = {
            "code": fingerprint_code(locate(task.source).file.read_bytes()), "fingerprint": task.fingerprint,
            "batch_size": task.batch_size, "losses": list(first_losses(task)),
            "parts": {name: _told(part) for name, part in found.items()},
        }  # fmt: skip
        torch.save(document, file)
        file.flush()
        mapped = _mapped(_read(file.fileno()))
    except BaseException:
        file.close()
        raise
    return MappedData(file, mapped)


def read_mapped(descriptor: int) -> HandedData:
    """Return the data in a file that this process has inherited."""
    document = _read(descriptor)
    parts = dict(zip(("train", "valid", "test"), DATA_NAMES, strict=True))
    return HandedData(
        {parts[name]: samples for name, samples in _mapped(document).items()}, document["batch_size"],
        document["code"], document["fingerprint"], tuple(document["losses"]),
    )  # fmt: skip


def _read(descriptor: int) -> dict[str, Any]:
    path = OPEN_FILES / str(descriptor)
    found: dict[str, Any] = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    return found


def _told(samples: TensorSamples) -> dict[str, Any]:
    held = isinstance(samples, HeldSamples)
    fields = {name: getattr(samples, name) for name in (FIELDS if held else FIELDS[:3])}
    return {"held": held, "tensors": [_alone(tensor) for tensor in samples.tensors], **fields}


def _alone(tensor: Tensor) -> Tensor:
    """Return a tensor whose memory holds nothing else, for that would be written as well."""
    tensor = tensor.detach()
    alone = tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes
    return tensor if alone else tensor.clone(memory_format=torch.contiguous_format)


def _mapped(document: Mapping[str, Any]) -> dict[str, TensorSamples]:
    found = {}
    for name, told in document["parts"].items():
        kind = HeldSamples if told["held"] else TensorSamples
        fields = {key: told[key] for key in FIELDS if key in told}
        found[name] = kind(tuple(told["tensors"]), **fields)
    return found
