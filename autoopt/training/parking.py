"""Room for runs that wait for their turn: in memory while it lasts, then in files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autoopt.errors import AutooptWarning
from autoopt.training.scratch import Scratch
from autoopt.training.trainee import Trainee

FREE_SHARE = 4  # waiting runs take at most one part in so many of the free memory


class Parking:
    """Holds trainees between their epochs, and moves their weights to files when memory runs short.

    What moves is what training made: trained weights, optimizer state, averaged weights. The model itself
    stays, with its buffers, its frozen weights and whatever Python attributes it keeps: another model may
    share those. Runs take turns, so the one that trained last is the one whose turn is farthest off: it is
    the one to move.

    Args:
        device: where the weights are.
        room_bytes: memory that waiting trainees may fill; ``None`` for a quarter of what is free on the
            device when the first one is parked.
    """

    def __init__(self, device: str, room_bytes: int | None = None) -> None:
        self._device = device
        self._room = room_bytes
        self._waiting: dict[int, Trainee] = {}
        self._bytes: dict[int, int] = {}  # of those in memory
        self._scratch: Scratch | None = None

    @property
    def in_files(self) -> list[int]:
        """Ids of the runs that are in files now."""
        return [run_id for run_id in self._waiting if run_id not in self._bytes]

    def put(self, trainee: Trainee) -> None:
        """Keep a trainee until its next epoch."""
        run_id = trainee.run.id
        if self._room is None:
            self._room = free_bytes(self._device) // FREE_SHARE
        self._waiting[run_id] = trainee
        self._bytes[run_id] = _tensor_bytes(trainee)
        if sum(self._bytes.values()) > self._room:
            self._write(trainee)

    def take(self, run_id: int) -> Trainee | None:
        """Give a trainee back as it was, or ``None`` if there is none of that id."""
        trainee = self._waiting.pop(run_id, None)
        if trainee is not None and self._bytes.pop(run_id, None) is None:
            _fill(trainee, self._file(run_id))
            self._file(run_id).unlink()
        return trainee

    def drop(self, run_id: int) -> None:
        """Forget a trainee and free what it held."""
        if self._waiting.pop(run_id, None) is not None and self._bytes.pop(run_id, None) is None:
            self._file(run_id).unlink(missing_ok=True)

    def _write(self, trainee: Trainee) -> None:
        try:
            _empty(trainee, self._file(trainee.run.id))
        except OSError as error:
            self._room = 2**63
            warnings.warn(f"waiting runs stay in memory, no file could be written: {error}", AutooptWarning,
                          stacklevel=2)  # fmt: skip
        else:
            del self._bytes[trainee.run.id]

    def _file(self, run_id: int) -> Path:
        if self._scratch is None:
            self._scratch = Scratch()
        return self._scratch.path / f"run-{run_id}.pt"


def free_bytes(device: str) -> int:
    """Return the memory in bytes that is free on a device; half of all where nobody can tell."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024
    except (OSError, StopIteration):
        return total_bytes() // 2


def total_bytes() -> int:
    """Return the main memory of the machine in bytes; 4 GiB where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 4 * 2**30


def _tensors(trainee: Trainee) -> list[Tensor]:
    states = [trainee.optimizer.state.get(parameter, {}) for parameter in trainee.parameters]
    return [*trainee.parameters, *tensors_in(states), *(trainee.average.weights if trainee.average else [])]


def tensors_in(state: Any) -> Iterator[Tensor]:
    """Yield the tensors of an optimizer's state, however it nests them: SOAP keeps lists."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, Mapping | list | tuple):
        for value in state.values() if isinstance(state, Mapping) else state:
            yield from tensors_in(value)


def _tensor_bytes(trainee: Trainee) -> int:
    return sum(_size(tensor) for tensor in _tensors(trainee))


def _size(tensor: Tensor) -> int:
    """Return the bytes of a tensor; SGD's momentum is sparse where gradients are."""
    if tensor.layout == torch.sparse_coo:
        return tensor._indices().nbytes + tensor._values().nbytes
    return tensor.nbytes


def _empty(trainee: Trainee, path: Path) -> None:
    """Write a trainee's tensors and free them; the parameters stay the same objects."""
    trainee.descent.let_go()
    optimizer, average = trainee.optimizer, trainee.average
    held = {
        "weights": [parameter.data for parameter in trainee.parameters],
        "states": [optimizer.state.get(parameter) for parameter in trainee.parameters],
        "average": average.weights if average else [],
    }
    torch.save(held, path)
    for parameter in trainee.parameters:
        optimizer.state.pop(parameter, None)
        parameter.data = parameter.data.new_empty(0)
    if average:
        average.weights = []


def _fill(trainee: Trainee, path: Path) -> None:
    """Undo ``_empty``. Tensors that shared memory share it again, and each comes back to its device."""
    held = torch.load(path, weights_only=True)
    for parameter, weight, state in zip(trainee.parameters, held["weights"], held["states"], strict=True):
        parameter.data = weight
        if state is not None:
            trainee.optimizer.state[parameter] = state
    if trainee.average:
        trainee.average.weights = held["average"]
