"""A random state of its own for user code that draws from the global generators."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor


class OwnRandomness:
    """Makes what runs inside it draw from its own random state, and gives the caller's back afterwards.

    Covers torch (CPU), ``numpy.random`` and ``random``. Entered again, the state goes on where it was left,
    so what is drawn inside depends on the seed alone. Entered for every batch, so it must cost next to nothing:
    NumPy's generator is exchanged, not copied (its state takes 60 µs each way), which forgets the second half
    of a pair of Gaussian numbers that it may hold ready.

    >>> own = OwnRandomness(3)
    >>> with own:
    ...     first = random.random()
    >>> with own:
    ...     second = random.random()
    >>> random.seed(3)
    >>> [first, second] == [random.random(), random.random()]
    True
    """

    def __init__(self, seed: int) -> None:
        self._torch: Tensor = torch.Generator().manual_seed(seed).get_state()
        self._numpy: Any = np.random.MT19937()
        as_numpy_seeds: Any = np.random.RandomState(seed % 2**32).get_state(legacy=False)
        self._numpy.state = as_numpy_seeds
        self._python = random.Random(seed).getstate()

    def copy(self) -> OwnRandomness:
        """Return a state that goes on from where this one stands, apart from it."""
        made = copy(self)  # torch's and Python's states are replaced when they change, and never written to
        made._numpy = np.random.MT19937()
        made._numpy.state = self._numpy.state
        return made

    def state_dict(self) -> dict[str, Any]:
        """Return the state while nobody is inside, as plain data and tensors."""
        kind, numbers, gauss = self._python
        numpy_state = self._numpy.state["state"]
        return {
            "torch": self._torch,
            "numpy": (torch.from_numpy(numpy_state["key"].astype(np.int64)), int(numpy_state["pos"])),
            "python": (kind, torch.tensor(numbers), gauss),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` returned."""
        key, place = state["numpy"]
        kind, numbers, gauss = state["python"]
        self._torch = state["torch"]
        self._numpy.state = {
            "bit_generator": "MT19937", "state": {"key": key.numpy().astype(np.uint32), "pos": place},
        }  # fmt: skip
        self._python = (kind, tuple(numbers.tolist()), gauss)

    def __enter__(self) -> OwnRandomness:
        self._exchange()
        return self

    def __exit__(self, *_: object) -> None:
        self._exchange()

    def _exchange(self) -> None:
        """Swap the global states with those that are kept here."""
        torch_state, python_state = torch.default_generator.get_state(), random.getstate()
        numpy_generator = np.random.get_bit_generator()  # type: ignore[attr-defined]
        torch.default_generator.set_state(self._torch)
        random.setstate(self._python)
        np.random.set_bit_generator(self._numpy)  # type: ignore[attr-defined]
        self._torch, self._python, self._numpy = torch_state, python_state, numpy_generator


def draw_apart(items: Iterator[Any], randomness: OwnRandomness) -> Iterator[Any]:
    """Yield the items; whatever is drawn at random to make them comes from ``randomness``."""
    while True:
        with randomness:
            try:
                item = next(items)
            except StopIteration:
                return
        yield item
