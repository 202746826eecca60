"""A running average of the weights: what a run would score if its learning rate decayed now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

ETA = 4  # the average looks back over about the last 1 / (1 + ETA) of the steps


class WeightAverage:
    """Average of the weights over the steps, the recent ones weighing more (polynomial decay).

    After step t: avg ← avg + (w − avg) · min(1, (1 + η) / (t + η)) with η = 4, so about the last fifth of
    the steps counts, however many there were. Shamir & Zhang, "Stochastic Gradient Descent for Non-smooth
    Optimization: Convergence Results and Optimal Averaging Schemes", ICML 2013.

    Args:
        parameters: the weights that move; buffers and frozen weights are never averaged.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._parameters = list(parameters)
        self.weights = [parameter.detach().clone() for parameter in parameters]
        self.steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights into the average; once after every step."""
        self.steps += 1
        torch._foreach_lerp_(self.weights, self._parameters, 1 / ((self.steps - 1) / (1 + ETA) + 1))

    def state_dict(self) -> dict[str, Any]:
        """Return the average and of how many steps it is."""
        return {"weights": self.weights, "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` returned."""
        self.weights, self.steps = list(state["weights"]), state["steps"]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averaged weights into the model inside; outside, it has its own again, bit by bit."""
        own = [parameter.detach().clone() for parameter in self._parameters]
        self._write(self.weights)
        try:
            yield
        finally:
            self._write(own)

    @torch.no_grad()
    def _write(self, weights: Sequence[Tensor]) -> None:
        for parameter, weight in zip(self._parameters, weights, strict=True):
            parameter.copy_(weight)
