"""Kept: what of a run is saved while it waits in a file, and brought back, in this process or in another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from autoopt.training.attributes import plain
from autoopt.training.parking import tensors_in
from autoopt.training.streams import (
    plain_random_state,
    random_state_of,
    read_random_state,
    write_random_state,
)

_WRITTEN: set[bytes] = set()  # digests of the files that this process wrote


def _digest(file: BufferedReader) -> bytes:
    return file_digest(file, "sha256").digest()


class Kept:
    """Objects whose state makes up a run; saved only if the loop has called ``trial.checkpoint``.

    Args:
        held: to go on from: a file that ``save`` wrote, or what ``state`` returned in another process.
    """

    def __init__(self, held: Path | Mapping[str, Any] | None = None) -> None:
        self._held = held
        self._objects: list[Any] = []
        self._saved: list[Any] | None = None  # those that were there when the loop called trial.checkpoint

    @property
    def held_bytes(self) -> int:
        """Memory of the tensors that the objects hold."""
        return sum(
            tensor.nbytes for each in self._objects for tensor in _tensors(each) if not tensor.is_sparse
        )

    def add(self, *objects: Any) -> None:
        """Add objects; none twice.

        Raises:
            TypeError: one has no state to save.
        """
        for each in objects:
            if not any(callable(getattr(each, name, None)) for name in ("state_dict", "get_state")):
                raise TypeError(
                    f"{type(each).__name__} has neither state_dict nor get_state, so it cannot be saved"
                )
            if not any(each is one for one in self._objects):
                self._objects.append(each)

    def restore(self, device: str) -> Any:
        """Bring everything back to what is held, random states included; return what was saved beside it.

        What is added later is not saved, for it could not be brought back here.
        """
        self._saved = list(self._objects)
        held = self._held
        if held is None:
            return None
        if isinstance(held, Path):
            path = held
            with path.open("rb") as file:
                if _digest(file) not in _WRITTEN:  # unpickling would run whatever somebody else has put there
                    raise RuntimeError(f"{path} is not what this process wrote to it")
                file.seek(0)
                held = torch.load(file, weights_only=False)
            path.unlink()
        for each, state in zip(self._saved, held["states"], strict=True):
            (each.load_state_dict if hasattr(each, "load_state_dict") else each.set_state)(state)
        write_random_state(random_state_of(held["random"]), device)
        self._held = None
        return held["beside"]

    def save(self, path: str, device: str, beside: Any) -> None:
        """Write everything to a file; nothing if nobody could go on from it."""
        if (told := self._tell(device, beside)) is not None:
            torch.save(told, path)
            with open(path, "rb") as file:
                _WRITTEN.add(_digest(file))

    def state(self, device: str, beside: Any) -> dict[str, Any] | None:
        """Return everything as plain data and tensors; ``None`` if nobody could go on from it.

        Raises:
            AutooptError: an object gives as its state what cannot be read back without executing something.
        """
        told = self._tell(device, beside)
        return None if told is None else {**told, "states": [plain(state) for state in told["states"]]}

    def _tell(self, device: str, beside: Any) -> dict[str, Any] | None:
        if self._saved is None:
            return None
        states = [
            each.state_dict() if hasattr(each, "state_dict") else each.get_state() for each in self._saved
        ]
        return {"states": states, "random": plain_random_state(read_random_state(device)), "beside": beside}


def _tensors(each: Any) -> Iterable[Tensor]:
    if isinstance(each, nn.Module):
        return [*each.parameters(), *each.buffers()]
    return tensors_in(dict(each.state)) if isinstance(each, Optimizer) else ()
