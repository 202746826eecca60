"""A walk down a surface, by the update rule of the catalogue that the product's optimizers are tested against."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.entry import OptimizerEntry, Value
from autoopt.catalogue.rate import learning_rate_factor
from autoopt.dashboard.playground.surfaces import Array, Surface

FAR = 1e4  # a walk that is so far away has diverged
RATES = tuple(10 ** (k / 2) for k in range(-8, 3))


@dataclass(frozen=True)
class Walk:
    """Where a walk went.

    Attributes:
        path: (steps + 1) × 2 weights, the start first.
        losses: at each of these points, without noise.
        diverged: it left for infinity; the path ends there.
    """

    path: Array
    losses: Array
    diverged: bool

    def distance(self, surface: Surface) -> float:
        """Return how far from the nearest minimum the walk ended."""
        return min(math.dist(self.path[-1], minimum) for minimum in surface.minima)


@dataclass(frozen=True)
class Plan:
    """How to walk: settings of the optimizer, where from, how far, with which schedule.

    Attributes:
        settings: ``lr`` among them; what is missing has the default of the rule.
        clip_norm: largest allowed norm of the gradient, ``None`` for no clipping.
        seed: of the noise, the same for all who walk side by side.
    """

    optimizer: str
    settings: Mapping[str, Value]
    start: tuple[float, float]
    steps: int = 200
    schedule: str = "constant"
    schedule_settings: Mapping[str, Value] = field(default_factory=dict)
    clip_norm: float | None = None
    seed: int = 0


def walkers() -> dict[str, OptimizerEntry]:
    """Return the optimizers that can walk here: those with an update rule for a single array."""
    return {
        name: entry for name, entry in OPTIMIZERS.items() if entry.rule is not None and name != "sparse_adam"
    }


def walk(surface: Surface, plan: Plan) -> Walk:
    """Walk down a surface, and return where that led."""
    rule = OPTIMIZERS[plan.optimizer].rule
    assert rule is not None  # see ``walkers``
    noise = (
        np.random.default_rng(plan.seed).normal(0.0, surface.noise, (plan.steps, 2))
        if surface.noise
        else None
    )
    point = np.array(plan.start, dtype=np.float64)
    full = {**plan.settings}
    state, path, diverged = rule.init(point, full), [point], False
    with np.errstate(all="ignore"):
        for step in range(1, plan.steps + 1):
            gradient = np.array(surface.gradient(float(point[0]), float(point[1])))
            gradient = gradient if noise is None else gradient + noise[step - 1]
            gradient = _clipped(gradient, plan.clip_norm)
            factor = learning_rate_factor(plan.schedule, plan.schedule_settings, step - 1, plan.steps)
            point, state = rule.step(point, gradient, state, {**full, "lr": float(full["lr"]) * factor}, step)
            if not np.isfinite(point).all() or np.abs(point).max() > FAR:
                diverged = True
                break
            path.append(point)
        points = np.array(path)
        losses = np.asarray(surface.loss(points[:, 0], points[:, 1]), dtype=np.float64)
    return Walk(points, losses, diverged)


def _clipped(gradient: Array, norm: float | None) -> Array:
    length = float(np.sqrt((gradient * gradient).sum()))
    return gradient * (norm / length) if norm is not None and length > norm else gradient


def good_rate(surface: Surface, optimizer: str, start: tuple[float, float], steps: int = 120) -> float:
    """Return the rate, of two a decade, with which an optimizer comes down best without leaving the picture."""

    def cost(rate: float) -> float:
        went = walk(surface, Plan(optimizer, {"lr": rate, **extras(optimizer)}, start, steps))
        reach = max(abs(bound) for bound in (*surface.x, *surface.y))
        if went.diverged or np.abs(went.path).max() > 1.5 * reach:
            return math.inf
        return float(np.mean(np.log10(went.losses + 1e-6)) + np.log10(went.losses[-10:].mean() + 1e-6))

    return min(RATES, key=cost)


def extras(optimizer: str) -> dict[str, Value]:
    """Return the settings beside the rate that an optimizer starts with here: no decay, usual momentum."""
    entry = OPTIMIZERS[optimizer]
    return {h.name: 0.0 if h.name == "weight_decay" else h.reference for h in entry.hyperparameters
            if h.name != "lr" and h.kind in ("float", "bool")}  # fmt: skip
