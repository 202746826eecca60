"""Update rules of Schedule-Free learning; the parameter is the point at which gradients are taken."""

from __future__ import annotations

from typing import Any

from autoopt.catalogue.entry import State, UpdateRule
from autoopt.catalogue.rules.terms import Settings, mean, number, zeros

EPSILON = 1e-8


def _sgd(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:  # noqa: ARG001
    return _moved(parameter, gradient, state, settings, number(settings, "momentum", 0.9))


def _adamw(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    beta2 = number(settings, "beta2", 0.999)
    v = mean(state["v"], gradient * gradient, beta2)
    direction = gradient / ((v / (1 - beta2**step)) ** 0.5 + EPSILON)
    return _moved(parameter, direction, {**state, "v": v}, settings, number(settings, "beta1", 0.9))


def _moved(parameter: Any, direction: Any, state: State, settings: Settings, beta: float) -> Any:
    """Move z by the direction, and the parameter, which lies between z and the average of all z."""
    lr = number(settings, "lr", 0.0)
    highest = max(lr, state["highest"])
    total = state["total"] + highest**2
    share = highest**2 / total if total else 0.0  # of the newest z in the average
    direction = direction + parameter * number(settings, "weight_decay", 0.0)
    parameter = parameter + (state["z"] - parameter) * share + direction * (lr * (beta * (1 - share) - 1))
    return parameter, {**state, "z": state["z"] - direction * lr, "total": total, "highest": highest}


def _init_sgd(parameter: Any, settings: Settings) -> State:  # noqa: ARG001
    return {"z": parameter * 1.0, "total": 0.0, "highest": 0.0}


def _init_adamw(parameter: Any, settings: Settings) -> State:
    return {**_init_sgd(parameter, settings), "v": zeros(parameter)}


SCHEDULE_FREE_SGD_RULE = UpdateRule(_init_sgd, _sgd)
SCHEDULE_FREE_ADAMW_RULE = UpdateRule(_init_adamw, _adamw)
