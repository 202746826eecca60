"""What objects keep in attributes of their own: noted when a run begins, given where it has changed since.

Models count their calls, optimizers their steps, outside of what torch calls their state. Numbers, texts, tensors
and containers of these can be written to a file that is read without executing anything; of anything else it can
only be told whether it is still what it was.
"""

from __future__ import annotations

import enum
import pickle
import sys
import weakref
from collections import OrderedDict
from collections.abc import Container, Iterator, Mapping
from functools import lru_cache, partial
from hashlib import blake2b
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from autoopt.errors import AutooptError
from autoopt.tasks.explain import is_library

SCALARS = (type(None), bool, int, float, complex, str, bytes, torch.Size, torch.dtype, torch.device)
FIXED = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type, partial, weakref.ReferenceType,
         torch.memory_format, enum.Enum)  # fmt: skip
CONTAINERS = (list, tuple, set, dict, OrderedDict)
RANDOM = (torch.Generator, np.ndarray, np.random.Generator, np.random.RandomState, np.random.BitGenerator)
DEPTH = 8  # of containers in containers

Kind = Literal["plain", "fixed", "opaque"]


def note(attributes: Mapping[str, Any], parts: Container[int] = ()) -> dict[str, Any]:
    """Return what ``changes`` needs to tell later which of these attributes have changed.

    Args:
        parts: ids of objects that are saved elsewhere, such as a model's parameters.
    """
    return {name: _mark(value, parts) for name, value in attributes.items()}


def changes(
    attributes: Mapping[str, Any], noted: Mapping[str, Any], parts: Container[int] = ()
) -> dict[str, Any]:
    """Return the attributes that have changed since they were noted, as plain data; tensors in any case.

    Raises:
        AutooptError: one has changed, or may have, that cannot be written to a file.
    """
    found = {}
    for name, value in attributes.items():
        kind, mark = _kind(value, parts), _mark(value, parts)
        if kind == "fixed" or (mark is not None and mark == noted.get(name)):
            continue
        if kind == "opaque":
            raise AutooptError(f"{name!r}, of type {type(value).__name__}, which cannot be saved")
        found[name] = value
    return found


def plain(value: Any, parts: Container[int] = ()) -> Any:
    """Return a value if it can be written as it is.

    Raises:
        AutooptError: it is, or holds, something else than numbers, texts and tensors.
    """
    if _kind(value, parts) != "plain":
        raise AutooptError(f"a value of type {type(value).__name__}, which cannot be saved")
    return value


def _mark(value: Any, parts: Container[int]) -> Any:
    """Return what tells a value from what it may become; ``None`` if nobody can tell.

    A digest of all but scalars, so that little memory is held, and none of a tensor: that is saved anyway.
    """
    if type(value) in SCALARS:
        return type(value), repr(value)  # by which NaN is NaN, and True is not 1
    kind = _kind(value, parts)
    if kind == "fixed":
        return "fixed"
    if kind == "plain" and next(_tensors(value), None) is not None:
        return None
    try:
        return blake2b(pickle.dumps(value), digest_size=16).digest()
    except Exception:  # whatever the user's objects raise when somebody wants to pickle them
        return None


def _kind(value: Any, parts: Container[int], depth: int = DEPTH) -> Kind:
    """Tell what can be done with a value: be written, be left alone, or only be compared."""
    if type(value) in SCALARS:
        return "plain"
    if id(value) in parts or isinstance(value, FIXED):
        return "fixed"
    if type(value) is Tensor:
        return "plain" if value.grad_fn is None else "fixed"  # computed anew in every pass
    if type(value) in CONTAINERS:
        if depth == 0:
            return "opaque"
        kinds = {_kind(each, parts, depth - 1) for each in _inside(value)}
        return "opaque" if "opaque" in kinds else "fixed" if "fixed" in kinds else "plain"
    if isinstance(value, RANDOM):
        return "opaque"
    return "fixed" if _is_of_a_library(type(value).__module__) else "opaque"


def _inside(value: Any) -> Iterator[Any]:
    return iter((*value, *value.values())) if isinstance(value, dict) else iter(value)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif type(value) in CONTAINERS:
        for each in _inside(value):
            yield from _tensors(each)


@lru_cache(maxsize=256)
def _is_of_a_library(module: str) -> bool:
    """Tell whether a class comes with an installed library, whose objects keep what changes in tensors.

    Those of Python itself are containers of anything, so they are looked at.
    """
    if module.partition(".")[0] in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and is_library(file)
