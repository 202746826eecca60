"""Kept: what of a run is saved while it waits in a file, and brought back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from autoopt.training.parking import tensors_in
from autoopt.training.streams import read_random_state, write_random_state


class Kept:
    """Objects whose state makes up a run; saved only if the loop has called ``trial.checkpoint``.

    Args:
        path: a file that ``save`` wrote, to go on from.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
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
        """Bring everything back to what the file has, random states included; return what was saved beside it.

        What is added later is not saved, for it could not be brought back here.
        """
        self._saved = list(self._objects)
        if self._path is None:
            return None
        held = torch.load(self._path, weights_only=False)  # a file of this process's own
        self._path.unlink()
        for each, state in zip(self._saved, held["states"], strict=True):
            (each.load_state_dict if hasattr(each, "load_state_dict") else each.set_state)(state)
        write_random_state(held["random"], device)
        self._path = None
        return held["beside"]

    def save(self, path: str, device: str, beside: Any) -> None:
        """Write everything to a file; nothing if nobody could go on from it."""
        if self._saved is not None:
            states = [
                each.state_dict() if hasattr(each, "state_dict") else each.get_state() for each in self._saved
            ]
            torch.save({"states": states, "random": read_random_state(device), "beside": beside}, path)


def _tensors(each: Any) -> Iterable[Tensor]:
    if isinstance(each, nn.Module):
        return [*each.parameters(), *each.buffers()]
    return tensors_in(dict(each.state)) if isinstance(each, Optimizer) else ()
