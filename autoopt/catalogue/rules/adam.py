"""Update rules of the Adam family."""

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

EPSILON = 1e-8
ADOPT_EPSILON = 1e-6
BOUND_SPEED = 1e-3


def _moments(gradient: Any, state: State, settings: Settings) -> dict[str, Any]:
    return {
        "m": mean(state["m"], gradient, number(settings, "beta1", 0.9)),
        "v": mean(state["v"], gradient * gradient, number(settings, "beta2", 0.999)),
    }


def _corrections(settings: Settings, step: int) -> tuple[float, float]:
    beta1, beta2 = number(settings, "beta1", 0.9), number(settings, "beta2", 0.999)
    return 1 - beta1**step, 1 - beta2**step


def _adam_step(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    state = _moments(gradient, state, settings)
    first, second = _corrections(settings, step)
    scale = state["v"] ** 0.5 / second**0.5 + EPSILON
    return parameter - state["m"] / scale * (number(settings, "lr", 0.0) / first), state


def _adam(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    return _adam_step(parameter, with_penalty(gradient, parameter, settings), state, settings, step)


def _adamw(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    return _adam_step(shrunk(parameter, settings, default=0.01), gradient, state, settings, step)


def _nadam(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    return _nadam_step(shrunk(parameter, settings), gradient, state, settings, step)


def _nadam_l2(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    return _nadam_step(parameter, with_penalty(gradient, parameter, settings), state, settings, step)


def _nadam_step(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    lr, beta1 = number(settings, "lr", 0.0), number(settings, "beta1", 0.9)
    moments = _moments(gradient, state, settings)
    now, then = (beta1 * (1 - 0.5 * 0.96 ** (0.004 * t)) for t in (step, step + 1))
    product = state["product"] * now
    scale = (moments["v"] / _corrections(settings, step)[1]) ** 0.5 + EPSILON
    ahead = gradient / scale * ((1 - now) / (1 - product))
    behind = moments["m"] / scale * (then / (1 - product * then))
    return parameter - ahead * lr - behind * lr, {**moments, "product": product}


def _radam(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    return _radam_step(shrunk(parameter, settings), gradient, state, settings, step)


def _radam_l2(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    return _radam_step(parameter, with_penalty(gradient, parameter, settings), state, settings, step)


def _radam_step(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    lr, beta2 = number(settings, "lr", 0.0), number(settings, "beta2", 0.999)
    state = _moments(gradient, state, settings)
    first, second = _corrections(settings, step)
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / second
    move = state["m"] / first
    if length > 5:
        trust = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        move = move * (second**0.5 * trust**0.5 / (state["v"] ** 0.5 + EPSILON))
    return parameter - move * lr, state


def _adamax(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    gradient = with_penalty(gradient, parameter, settings)
    m = mean(state["m"], gradient, number(settings, "beta1", 0.9))
    largest = (state["largest"] * number(settings, "beta2", 0.999)).clip(min=abs(gradient) + EPSILON)
    lr = number(settings, "lr", 0.0) / _corrections(settings, step)[0]
    return parameter - m / largest * lr, {"m": m, "largest": largest}


def _adabound(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    lr = number(settings, "lr", 0.0)
    parameter = shrunk(parameter, settings)
    moments = _moments(gradient, state, settings)
    first, second = _corrections(settings, step)
    final = number(settings, "final_lr", 0.1) * lr / state["full_lr"]
    lowest = final * (1 - 1 / (BOUND_SPEED * step + 1))
    highest = final * (1 + 1 / (BOUND_SPEED * step))
    # the library guards its root twice: 1e-15 inside, ε outside
    rates = lr * second**0.5 / first / ((moments["v"] + 1e-15) ** 0.5 + EPSILON)
    return parameter - rates.clip(lowest, highest) * moments["m"], {**moments, "full_lr": state["full_lr"]}


def _adopt(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    parameter = shrunk(parameter, settings)
    if step == 1:  # only looks how large gradients are
        return parameter, {"m": state["m"], "v": gradient * gradient}
    limit = step**0.25
    normed = (gradient / (state["v"] ** 0.5).clip(min=ADOPT_EPSILON)).clip(-limit, limit)
    m = mean(state["m"], normed, number(settings, "beta1", 0.9))
    v = mean(state["v"], gradient * gradient, number(settings, "beta2", 0.9999))
    return parameter - m * number(settings, "lr", 0.0), {"m": m, "v": v}


def _ademamix(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    parameter = shrunk(parameter, settings)
    moments = _moments(gradient, state, settings)
    slow = mean(state["slow"], gradient, number(settings, "beta3", 0.9999))
    first, second = _corrections(settings, step)
    scale = moments["v"] ** 0.5 / second**0.5 + EPSILON
    move = (moments["m"] / first + slow * number(settings, "slow_weight", 5.0)) / scale
    return parameter - move * number(settings, "lr", 0.0), {**moments, "slow": slow}


def _init_nadam(parameter: Any, settings: Settings) -> State:  # noqa: ARG001
    return {"m": zeros(parameter), "v": zeros(parameter), "product": 1.0}


def _init_adabound(parameter: Any, settings: Settings) -> State:
    return {"m": zeros(parameter), "v": zeros(parameter), "full_lr": number(settings, "lr", 1e-3)}


ADAM_RULE = UpdateRule(zero_state("m", "v"), _adam)
ADAMW_RULE = UpdateRule(zero_state("m", "v"), _adamw)
NADAM_RULE = UpdateRule(_init_nadam, _nadam)
NADAM_L2_RULE = UpdateRule(_init_nadam, _nadam_l2)
RADAM_RULE = UpdateRule(zero_state("m", "v"), _radam)
RADAM_L2_RULE = UpdateRule(zero_state("m", "v"), _radam_l2)
ADAMAX_RULE = UpdateRule(zero_state("m", "largest"), _adamax)
ADABOUND_RULE = UpdateRule(_init_adabound, _adabound)
ADOPT_RULE = UpdateRule(zero_state("m", "v"), _adopt)
ADEMAMIX_RULE = UpdateRule(zero_state("m", "v", "slow"), _ademamix)
