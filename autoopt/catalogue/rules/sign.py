"""Update rules that take only the sign of a gradient."""

from __future__ import annotations

from typing import Any

from autoopt.catalogue.entry import State, UpdateRule
from autoopt.catalogue.rules.terms import Settings, mean, number, shrunk, sign, zero_state

SMALLEST_STEP, LARGEST_STEP = 1e-6, 50.0


def _lion(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:  # noqa: ARG001
    parameter = shrunk(parameter, settings)
    direction = mean(state["m"], gradient, number(settings, "beta1", 0.9))
    m = mean(state["m"], gradient, number(settings, "beta2", 0.99))
    return parameter - sign(direction, number(settings, "lr", 0.0)), {"m": m}


def _rprop(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    # the rate counts once, at the first step
    sizes = state["sizes"] + number(settings, "lr", 0.01) if step == 1 else state["sizes"]
    agreement = gradient * state["before"]
    turned, kept = agreement < 0, agreement > 0
    shrink, grow = number(settings, "shrink", 0.5), number(settings, "grow", 1.2)
    sizes = sizes * (1 + turned * (shrink - 1) + kept * (grow - 1))
    sizes = sizes.clip(SMALLEST_STEP, LARGEST_STEP)
    gradient = gradient * (1 - turned * 1.0)  # where it turned, the weight waits for a step
    return parameter - sign(gradient, sizes), {"before": gradient, "sizes": sizes}


LION_RULE = UpdateRule(zero_state("m"), _lion)
RPROP_RULE = UpdateRule(zero_state("before", "sizes"), _rprop)
