"""Loss surfaces of two weights, with their gradients, minima, and where to look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Surface:
    """A loss of two weights.

    Attributes:
        loss: (x, y) → loss, on numbers and on arrays alike; never below 0.
        gradient: (x, y) → its two derivatives.
        minima: where the loss is lowest.
        start: where a walk usually begins.
        x, y: the part that is shown.
        noise: standard deviation of what is added to each derivative, as small batches do.
        says: what it is there to show.
    """

    name: str
    title: str
    loss: Callable[[Array, Array], Array]
    gradient: Callable[[float, float], tuple[float, float]]
    minima: tuple[tuple[float, float], ...]
    start: tuple[float, float]
    x: tuple[float, float]
    y: tuple[float, float]
    says: str
    noise: float = 0.0


def _ravine(x: float, y: float) -> tuple[float, float]:
    return 0.2 * x, 10.0 * y


def _rosenbrock(x: float, y: float) -> tuple[float, float]:
    return -2 * (1 - x) - 40 * x * (y - x * x), 20 * (y - x * x)


def _beale(x: float, y: float) -> tuple[float, float]:
    terms = [(c - x + x * y**n, y**n - 1, n * x * y ** (n - 1)) for n, c in ((1, 1.5), (2, 2.25), (3, 2.625))]
    return sum(2 * t * dx for t, dx, _ in terms), sum(2 * t * dy for t, _, dy in terms)


def _himmelblau(x: float, y: float) -> tuple[float, float]:
    a, b = x * x + y - 11, x + y * y - 7
    return 4 * x * a + 2 * b, 2 * a + 4 * y * b


def _saddle(x: float, y: float) -> tuple[float, float]:
    return 0.8 * x, y**3 - y


def _dents(x: Array, y: Array) -> Array:
    dents: Array = x**2 + y**2 + 2 * (2 - np.cos(2 * np.pi * x) - np.cos(2 * np.pi * y))
    return dents


def _rastrigin(x: float, y: float) -> tuple[float, float]:
    return 2 * x + 4 * np.pi * np.sin(2 * np.pi * x), 2 * y + 4 * np.pi * np.sin(2 * np.pi * y)


SURFACES: dict[str, Surface] = {
    surface.name: surface
    for surface in (
        Surface("ravine", "Ravine", lambda x, y: 0.1 * x**2 + 5 * y**2, _ravine, ((0, 0),), (-4, 0.9), (-5, 5),
                (-1.5, 1.5), "A quadratic, fifty times steeper across than along: gradient descent swings from wall to "
                "wall, momentum evens it out (D3)."),
        Surface("rosenbrock", "Rosenbrock", lambda x, y: (1 - x) ** 2 + 10 * (y - x**2) ** 2, _rosenbrock, ((1, 1),),
                (-1.4, 1.6), (-2, 2), (-1, 3), "A bent valley: easy to reach, slow to follow to its end at (1, 1)."),
        Surface("beale", "Beale", lambda x, y: (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2
                + (2.625 - x + x * y**3) ** 2, _beale, ((3, 0.5),), (1.0, 1.6), (-1, 4.2), (-1.5, 2),
                "Flat ground with steep walls: a rate that is right in one place is wrong in the other."),
        Surface("himmelblau", "Himmelblau", lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2, _himmelblau,
                ((3, 2), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848126)), (0.0, -0.4), (-5, 5),
                (-5, 5), "Four minima of equal depth: which one is found depends on the start and the momentum."),
        Surface("saddle", "Saddle", lambda x, y: 0.4 * x**2 + 0.25 * (y**2 - 1) ** 2, _saddle, ((0, 1), (0, -1)),
                (-2.0, 0.02), (-2.5, 2.5), (-1.8, 1.8), "The way down leads to a saddle first, where the gradient "
                "vanishes: methods that scale it get away sooner."),
        Surface("rastrigin", "Rastrigin", _dents,
                _rastrigin, ((0, 0),), (2.3, -1.7), (-3, 3), (-3, 3), "A bowl full of dents: most walks end in one of "
                "them, larger steps leave the shallow ones."),
        Surface("noisy", "Noisy ravine", lambda x, y: 0.1 * x**2 + 5 * y**2, _ravine, ((0, 0),), (-4, 0.9), (-5, 5),
                (-1.5, 1.5), "The ravine seen through small batches: every gradient is off by chance, and a rate that "
                "does not decay keeps jumping about the minimum.", noise=2.0),
    )
}  # fmt: skip
