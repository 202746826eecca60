"""Update rules of Adam's recent relatives that find their own rate or correct the gradient first."""

from __future__ import annotations

from typing import Any

from autoopt.catalogue.entry import State, UpdateRule
from autoopt.catalogue.rules.terms import Settings, mean, number, shrunk, zero_state, zeros

EPSILON = 1e-8
FIRST_DISTANCE = 1e-6


def _mars(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    beta1, beta2 = number(settings, "beta1", 0.95), number(settings, "beta2", 0.99)
    pull = number(settings, "correction", 0.025) * beta1 / (1 - beta1)
    corrected = (gradient - state["before"]) * pull + gradient
    corrected = corrected / max(1.0, float((corrected * corrected).sum()) ** 0.5)
    m = mean(state["m"], corrected, beta1)
    v = mean(state["v"], corrected * corrected, beta2)
    scale = (v**0.5 + EPSILON) / (1 - beta2**step) ** 0.5 * (1 - beta1**step)
    parameter = shrunk(parameter, settings) - m / scale * number(settings, "lr", 0.0)
    return parameter, {"m": m, "v": v, "before": gradient}


def _prodigy(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:  # noqa: ARG001
    beta1, beta2, d = number(settings, "beta1", 0.9), number(settings, "beta2", 0.999), state["d"]
    rate, weight, beta3 = d * number(settings, "lr", 0.0), d / FIRST_DISTANCE, beta2**0.5
    way = state["way"] * beta3 + float((gradient * (state["start"] - parameter)).sum()) * weight * rate
    m = state["m"] * beta1 + gradient * (d * (1 - beta1))
    v = state["v"] * beta2 + gradient * gradient * (d * d * (1 - beta2))
    s = state["s"] * beta3 + gradient * (weight * rate)
    state = {**state, "m": m, "v": v, "s": s, "way": way}
    total = float(abs(s).sum())
    if not total:
        return parameter, state
    d = max(d, way / total)  # the distance from the start to the best point is at least that
    move = m / (v**0.5 + EPSILON * d) * rate
    parameter = parameter * (1 - rate * number(settings, "weight_decay", 0.0)) - move
    return parameter, {**state, "d": d}


def _init_prodigy(parameter: Any, settings: Settings) -> State:  # noqa: ARG001
    arrays = {name: zeros(parameter) for name in ("m", "v", "s")}
    return {**arrays, "start": parameter * 1.0, "way": 0.0, "d": FIRST_DISTANCE}


MARS_RULE = UpdateRule(zero_state("m", "v", "before"), _mars)
PRODIGY_RULE = UpdateRule(_init_prodigy, _prodigy)
