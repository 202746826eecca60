"""Update rules that divide by the root of squared gradients."""

from __future__ import annotations

from typing import Any

from autoopt.catalogue.entry import State, UpdateRule
from autoopt.catalogue.rules.terms import (
    Settings,
    mean,
    number,
    shrunk,
    with_penalty,
    zero_state,
    zeros,
)

RMSPROP_EPSILON, ADAGRAD_EPSILON, ADADELTA_EPSILON = 1e-8, 1e-10, 1e-6
MACHINE_EPSILON = {8: 2.0**-52, 4: 2.0**-23}
"""Distance from 1 to the next number, by the bytes of a number."""


def _rmsprop(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:  # noqa: ARG001
    gradient = with_penalty(gradient, parameter, settings)
    s = mean(state["s"], gradient * gradient, number(settings, "alpha", 0.99))
    return parameter - gradient / (s**0.5 + RMSPROP_EPSILON) * number(settings, "lr", 0.0), {"s": s}


def _adagrad(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:  # noqa: ARG001
    gradient = with_penalty(gradient, parameter, settings)
    total = state["total"] + gradient * gradient
    return (
        parameter - gradient / (total**0.5 + ADAGRAD_EPSILON) * number(settings, "lr", 0.0),
        {"total": total},
    )


def _adadelta(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:  # noqa: ARG001
    rho = number(settings, "rho", 0.9)
    gradient = with_penalty(gradient, parameter, settings)
    s = mean(state["s"], gradient * gradient, rho)
    move = (state["u"] + ADADELTA_EPSILON) ** 0.5 / (s + ADADELTA_EPSILON) ** 0.5 * gradient
    u = mean(state["u"], move * move, rho)
    return parameter - move * number(settings, "lr", 0.0), {"s": s, "u": u}


def _adafactor(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    lr = number(settings, "lr", 0.0)
    smallest = MACHINE_EPSILON[parameter.dtype.itemsize]
    size = max(1e-3, float((parameter * parameter).mean()) ** 0.5)  # before the decay
    parameter, keep, squares = shrunk(parameter, settings), 1 - step**-0.8, gradient * gradient
    if gradient.ndim > 1:
        rows = mean(state["rows"], squares.mean(-1, keepdims=True), keep)
        columns = mean(state["columns"], squares.mean(-2, keepdims=True), keep)
        v = rows @ columns / rows.mean(-2, keepdims=True).clip(min=smallest)
        state = {"rows": rows, "columns": columns}
    else:
        v = mean(state["v"], squares, keep)
        state = {"v": v}
    move = gradient / v.clip(min=smallest * smallest) ** 0.5
    clipped = max(1.0, float((move * move).mean()) ** 0.5)
    return parameter - move * (size * min(lr, step**-0.5) / clipped), state


def _init_adafactor(parameter: Any, settings: Settings) -> State:  # noqa: ARG001
    nothing = zeros(parameter)
    if nothing.ndim < 2:
        return {"v": nothing}
    return {"rows": nothing.mean(-1, keepdims=True), "columns": nothing.mean(-2, keepdims=True)}


RMSPROP_RULE = UpdateRule(zero_state("s"), _rmsprop)
ADAGRAD_RULE = UpdateRule(zero_state("total"), _adagrad)
ADADELTA_RULE = UpdateRule(zero_state("s", "u"), _adadelta)
ADAFACTOR_RULE = UpdateRule(_init_adafactor, _adafactor)
