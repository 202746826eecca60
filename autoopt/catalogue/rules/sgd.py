"""Update rules of gradient descent, with and without momentum."""

from __future__ import annotations

from typing import Any

from autoopt.catalogue.entry import State, UpdateRule
from autoopt.catalogue.rules.terms import Settings, mean, number, shrunk, with_penalty, zero_state


def _sgd(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    return _sgd_step(parameter, with_penalty(gradient, parameter, settings), state, settings, step)


def _sgdw(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    return _sgd_step(shrunk(parameter, settings), gradient, state, settings, step)


def _sgd_step(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:  # noqa: ARG001
    momentum = number(settings, "momentum", 0.0)
    velocity = state["velocity"] * momentum + gradient
    move = gradient + velocity * momentum if settings.get("nesterov") else velocity
    return parameter - move * number(settings, "lr", 0.0), {"velocity": velocity}


def _descend(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:  # noqa: ARG001
    return parameter - with_penalty(gradient, parameter, settings) * number(settings, "lr", 0.0), state


def _averaged(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:  # noqa: ARG001
    gradient = with_penalty(gradient, parameter, settings)
    velocity = mean(state["velocity"], gradient, number(settings, "momentum", 0.9))
    return parameter - velocity * number(settings, "lr", 0.0), {"velocity": velocity}


GD_RULE = UpdateRule(zero_state(), _descend)
SGD_RULE = UpdateRule(zero_state("velocity"), _sgd)
SGDW_RULE = UpdateRule(zero_state("velocity"), _sgdw)
MOMENTUM_RULE = UpdateRule(zero_state("velocity"), _averaged)
