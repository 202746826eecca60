"""Random streams of its own for each run, so that runs side by side never disturb each other."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoopt.tasks.randomness import OwnRandomness


class RandomStreams:
    """The random numbers of one run: torch's, on the CPU and on its device, NumPy's and Python's.

    They begin as after ``torch.manual_seed(seed)``, ``numpy.random.seed(seed)`` and ``random.seed(seed)``.

    Args:
        seed: any whole number; torch gets it modulo 2⁶⁴, NumPy modulo 2³².
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    """

    def __init__(self, seed: int, device: str = "cpu") -> None:
        seed %= 2**64
        self._host = OwnRandomness(seed)
        self._device = torch.device(device)
        self._state = _seeded_state(seed, self._device)

    def copy(self) -> RandomStreams:
        """Return streams that go on from where these stand, apart from them."""
        made = copy(self)
        made._host = self._host.copy()
        return made

    def state_dict(self) -> dict[str, Any]:
        """Return where the streams stand, as plain data and tensors."""
        return {"host": self._host.state_dict(), "device": self._state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` returned."""
        self._host.load_state_dict(state["host"])
        self._state = state["device"]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Draw from these streams inside; outside, the caller's go on as if nothing had happened."""
        outside = _read_state(self._device)
        _write_state(self._state, self._device)
        try:
            with self._host:
                yield
        finally:
            self._state = _read_state(self._device)
            _write_state(outside, self._device)


def plain_random_state(state: RandomState) -> dict[str, Any]:
    """Return a state as plain data and tensors; ``random_state_of`` brings it back."""
    torch_state, (kind, numbers, gauss), numpy_state, device_state = state
    inner = numpy_state["state"]
    words = torch.from_numpy(np.asarray(inner["key"]).astype(np.int64))
    return {
        "torch": torch_state, "python": (kind, torch.tensor(numbers), gauss), "device": device_state,
        "numpy": (words, int(inner["pos"]), int(numpy_state["has_gauss"]), float(numpy_state["gauss"])),
    }  # fmt: skip


def random_state_of(plain: Mapping[str, Any]) -> RandomState:
    """Return the state that ``plain_random_state`` told."""
    kind, numbers, gauss = plain["python"]
    words, place, has_gauss, second = plain["numpy"]
    numpy_state = {
        "bit_generator": "MT19937", "state": {"key": words.numpy().astype(np.uint32), "pos": place},
        "has_gauss": has_gauss, "gauss": second,
    }  # fmt: skip
    return plain["torch"], (kind, tuple(numbers.tolist()), gauss), numpy_state, plain["device"]


RandomState = tuple[Tensor, Any, Any, Tensor | None]
"""Of torch on the processor, Python, NumPy, and torch on a device beside it."""


def read_random_state(device: str | torch.device) -> RandomState:
    """Return the state of all generators; ``write_random_state`` brings it back."""
    numpy_state = np.random.get_state(legacy=False)
    return torch.get_rng_state(), random.getstate(), numpy_state, _read_state(torch.device(device))


def write_random_state(state: RandomState, device: str | torch.device) -> None:
    """Bring all generators to a state that ``read_random_state`` returned."""
    torch_state, python_state, numpy_state, device_state = state
    torch.set_rng_state(torch_state)
    random.setstate(python_state)
    np.random.set_state(numpy_state)
    _write_state(device_state, torch.device(device))


class SameDraws:
    """Makes what is evaluated several times draw the same random numbers each time, dropout for one.

    Args:
        device: of the model, beside the processor.
    """

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._start: RandomState | None = None

    def begin(self) -> None:
        """Begin an evaluation: the first as the generators stand, each later one as they stood then."""
        if self._start is None:
            self._start = read_random_state(self._device)
        else:
            write_random_state(self._start, self._device)


def shuffle_seed(seed: int, epoch: int) -> int:
    """Return the seed of the data order in an epoch (counted from 1) of a run with that seed, below 2³²."""
    return int(np.random.SeedSequence([seed % 2**64, epoch]).generate_state(1)[0])


def _seeded_state(seed: int, device: torch.device) -> Tensor | None:
    """Return the state of the device's generator after seeding; ``None`` on the CPU, which is the host's."""
    # a fresh generator, not torch.manual_seed: that would reseed the caller's other devices as well
    return None if device.type == "cpu" else torch.Generator(device=device).manual_seed(seed).get_state()


def _read_state(device: torch.device) -> Tensor | None:
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None


def _write_state(state: Tensor | None, device: torch.device) -> None:
    if state is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif state is not None and device.type == "mps":
        torch.mps.set_rng_state(state)
