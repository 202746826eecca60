"""Fresh models: a factory out of the user's class, function, lambda or instance."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from autoopt.errors import TaskError
from autoopt.tasks.explain import explained
from autoopt.tasks.keras_model import adapt, steady
from autoopt.tasks.randomness import OwnRandomness

MakeModel = Callable[[], nn.Module]
_ENOUGH = 256  # elements from which on the spread of a tensor tells fresh weights from trained ones


def read_model(
    given: Any, surroundings: Callable[[], AbstractContextManager[None]], notes: list[str]
) -> MakeModel:
    """Return a function that makes a fresh model, its weights following torch's random state.

    Raises:
        TaskError: not a factory or a module, a factory that needs arguments, fails, returns something else,
            or gives parameters of other shapes each time; a model without trainable parameters.
    """
    factory = _copier(given, notes) if isinstance(given, nn.Module) else _checked(given)

    def make_model() -> nn.Module:
        with surroundings(), explained("model()"):
            made: nn.Module = adapt(factory())
            return made

    first, second = _make_seeded(make_model, 1), _make_seeded(make_model, 2)
    if first is second:
        notes.append("model() returns the same object every time; every run gets a copy of it")
        return read_model(first, surroundings, notes)
    _check_parameters(first, second)
    if not isinstance(given, nn.Module) and _equal_weights(first, second):
        notes.append("model() gives the same weights every time, so every seed starts from these")
    return make_model


def floating_type(model: nn.Module) -> torch.dtype:
    """Return the type of the model's first floating-point parameter, or torch's default."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.get_default_dtype())


def is_unfinished(model: nn.Module) -> bool:
    """Return whether the model has lazy parameters, which get their shapes from the first batch."""
    unbuilt = not getattr(model, "built", True)  # as Keras says it
    return unbuilt or any(is_lazy(parameter) for parameter in model.parameters())


def _make_seeded(make_model: MakeModel, seed: int) -> nn.Module:
    with OwnRandomness(seed):
        return make_model()


def _checked(given: Any) -> MakeModel:
    if not callable(given):
        raise TaskError(
            f"model is of type {type(given).__name__}: give a class or function that returns a fresh torch.nn.Module"
        )
    if missing := _required_arguments(given):
        raise TaskError(
            f"model needs arguments ({', '.join(missing)}), but is called without: give them defaults, or write "
            f"model = lambda: {getattr(given, '__name__', 'model')}(…)"
        )

    def make() -> nn.Module:
        made = given()
        if not isinstance(made, nn.Module):
            raise TaskError(f"model() returned {type(made).__name__}: it must return a torch.nn.Module")
        return made

    return make


def _required_arguments(factory: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]


def _check_parameters(first: nn.Module, second: nn.Module) -> None:
    shapes = [[(steady(name), None if is_lazy(p) else tuple(p.shape)) for name, p in m.named_parameters()]
              for m in (first, second)]  # fmt: skip
    if not is_unfinished(first) and not any(parameter.requires_grad for parameter in first.parameters()):
        raise TaskError(
            f"the model ({type(first).__name__}) has no trainable parameters: there is nothing to optimise"
        )
    if shapes[0] != shapes[1]:
        pairs = zip(shapes[0], shapes[1], strict=False)
        one, other = next(((a, b) for a, b in pairs if a != b), (len(shapes[0]), len(shapes[1])))
        raise TaskError(
            f"model() gives other parameters each time ({one}, then {other}): it must give the same architecture"
        )
    if meta := next((name for name, parameter in first.named_parameters() if parameter.is_meta), None):
        raise TaskError(
            f"model() leaves {meta} on the meta device, without any numbers: make the layers on the CPU"
        )
    # two runs that share a tensor would train each other's weights
    shared = {p.data_ptr() for p in first.parameters() if not is_lazy(p) and p.numel()}
    if any(p.data_ptr() in shared for p in second.parameters() if not is_lazy(p) and p.numel()):
        raise TaskError(
            "model() puts the same layers into every model: create the layers inside the function"
        )


def _equal_weights(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return not is_unfinished(first) and all(torch.equal(a, b) for a, b in pairs)


def _copier(instance: nn.Module, notes: list[str]) -> MakeModel:
    """Return a factory that copies an instance, with new weights where these can be drawn anew."""
    if _can_reset(instance) and _looks_fresh(instance):
        notes.append("model is an instance: every run gets a copy with its layers initialised anew")
        return lambda: _reset(copy.deepcopy(instance))
    notes.append(
        "model is an instance whose weights are kept: every run and seed starts from these weights; "
        "give a function for fresh ones"
    )
    return lambda: copy.deepcopy(instance)


def _resetter(module: nn.Module) -> Callable[[], None] | None:
    # nn.MultiheadAttention and nn.Transformer have the underscored form only
    for name in ("reset_parameters", "_reset_parameters"):
        if callable(found := getattr(module, name, None)):
            return found  # type: ignore[no-any-return]
    return None


def _can_reset(model: nn.Module) -> bool:
    owners = [module for module in model.modules() if any(True for _ in module.parameters(recurse=False))]
    return all(_resetter(module) is not None for module in owners)


def _reset(model: nn.Module) -> nn.Module:
    for module in reversed(list(model.modules())):  # children first, so that a parent has the last word
        if (resetter := _resetter(module)) is not None:
            resetter()
    return model


def _looks_fresh(model: nn.Module) -> bool:
    """Return whether the weights look as drawn by ``reset_parameters``: trained or loaded ones do not."""
    if is_unfinished(model):
        return True
    with OwnRandomness(0):
        drawn = _reset(copy.deepcopy(model))
    if any(not p.requires_grad for p in model.parameters()):
        return False
    buffers = zip(model.buffers(), drawn.buffers(), strict=True)
    pairs = zip(model.parameters(), drawn.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in buffers) and all(
        _alike(a.detach(), b.detach()) for a, b in pairs
    )


def _alike(weights: Tensor, drawn: Tensor) -> bool:
    spread, expected = float(weights.std(unbiased=False)), float(drawn.std(unbiased=False))
    if expected == 0:  # a constant, such as the ones and zeros of a normalisation
        return torch.equal(weights, drawn)
    return weights.numel() < _ENOUGH or abs(spread / expected - 1) < 0.15


def finish_lazy(make_model: MakeModel, run: Callable[[nn.Module], object]) -> MakeModel:
    """Return a function whose models saw one batch, so that lazy layers have their parameters."""

    def make_finished() -> nn.Module:
        model = make_model().eval()  # no dropout, and running means stay untouched
        with torch.no_grad():
            run(model)
        return model.train()

    return make_finished
