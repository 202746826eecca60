"""Terms that several update rules share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoopt.catalogue.entry import Value

Settings = Mapping[str, Value]


def number(settings: Settings, name: str, default: float) -> Any:
    """Return a setting as a number, or the default of the target; an array is left as it is."""
    value: Any = settings.get(name, default)
    return value if hasattr(value, "ndim") else float(value)


def zeros(parameter: Any) -> Any:
    """Return an array of zeros like the parameter."""
    return abs(parameter) * 0.0


def zero_state(*names: str) -> Any:
    """Return the ``init`` of a rule whose state is arrays of zeros."""
    return lambda parameter, settings: {name: zeros(parameter) for name in names}  # noqa: ARG005


def sign(array: Any, size: Any = 1.0) -> Any:
    """Return ``size`` with the sign of each number; 0 for 0."""
    return (array > 0) * size - (array < 0) * size


def mean(before: Any, new: Any, beta: float) -> Any:
    """Return the running mean that forgets by 1 − beta at each step."""
    return before * beta + new * (1 - beta)


def with_penalty(gradient: Any, parameter: Any, settings: Settings) -> Any:
    """Return the gradient of the loss with an L2 penalty: coupled weight decay."""
    decay = number(settings, "weight_decay", 0.0)
    return gradient if _is_zero(decay) else gradient + parameter * decay


def shrunk(parameter: Any, settings: Settings, default: float = 0.0) -> Any:
    """Return the parameter after decoupled weight decay."""
    decay = number(settings, "weight_decay", default)
    return parameter if _is_zero(decay) else parameter * (1 - number(settings, "lr", 0.0) * decay)


def _is_zero(value: Any) -> bool:
    """Return whether a number is 0; an array is never asked, as its entries may differ."""
    return isinstance(value, float) and not value
