"""The weights by which an optimizer wants to be judged, where they are not those that it trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.optim import Optimizer

from autoopt.training.lookahead import Lookahead


def averages_itself(optimizer: Optimizer) -> bool:
    """Return whether it switches between weights to train and averaged ones, as Schedule-Free learning does."""
    return all(callable(getattr(optimizer, name, None)) for name in ("train", "eval"))


def start_training(optimizer: Optimizer) -> None:
    """Put the weights to train into the model, where the optimizer has others as well."""
    if averages_itself(optimizer):
        _call(optimizer, "train")


@contextmanager
def judged_weights(optimizer: Optimizer) -> Iterator[None]:
    """Put the weights to judge into the model inside; outside, it has those to train.

    Schedule-Free learning is judged by the average that it keeps, Lookahead by its slow weights, all others by the
    weights as they are.
    """
    if isinstance(optimizer, Lookahead):
        with optimizer.slow_weights():
            yield
        return
    if not averages_itself(optimizer):
        yield
        return
    _call(optimizer, "eval")
    try:
        yield
    finally:
        _call(optimizer, "train")


def _call(optimizer: Any, name: str) -> None:
    getattr(optimizer, name)()
