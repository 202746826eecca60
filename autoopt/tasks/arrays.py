"""Arrays, tensors and data frames given as data: made tensors, checked, brought to the model's type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoopt.errors import TaskError
from autoopt.tasks.samples import TensorSamples

_WIDER = {"uint16": np.int64, "uint32": np.int64, "uint64": np.int64}  # torch can hardly compute with these


def is_array(value: Any) -> bool:
    """Return whether the value is a tensor, a NumPy array, a data frame or series, or a sparse matrix."""
    if isinstance(value, (Tensor, np.ndarray)):
        return True
    return any(callable(getattr(value, method, None)) for method in ("to_numpy", "toarray"))


def is_array_pair(value: Any) -> bool:
    """Return whether the value is (X, y), or several inputs and a target, as arrays or lists of numbers."""
    if not isinstance(value, (tuple, list)) or not value:
        return False
    if isinstance(value, tuple):
        return all(is_array(part) or isinstance(part, (list, tuple)) for part in value)
    return len(value) == 2 and all(is_array(part) and _length(part) != 0 for part in value)


def read_arrays(name: str, given: Any, *, whole: bool) -> TensorSamples:
    """Return the samples of a tuple or dict of arrays, or of one array.

    Args:
        name: what the user calls the data, for messages.
        whole: batches go whole to the user's step, so a target is not needed.

    Raises:
        TaskError: lengths differ, no target, or values that are not numbers.
    """
    if isinstance(given, Mapping):
        parts = {str(key): part for key, part in given.items()}
    elif isinstance(given, (tuple, list)):
        labels = ["X", "y"] if len(given) == 2 else [f"part {number}" for number in range(len(given))]
        parts = dict(zip(labels, given, strict=True))
    else:
        parts = {"X": given}
    if len(parts) < 2 and not whole:
        raise TaskError(f"{name} has inputs but no target: give a pair (X, y)")
    tensors = {label: _to_tensor(f"{label} of {name}", part) for label, part in parts.items()}
    _check_lengths(name, tensors)
    keys = tuple(tensors) if isinstance(given, Mapping) else None
    bare = not isinstance(given, (Mapping, tuple, list))
    return TensorSamples(tuple(tensors.values()), keys=keys, bare=bare)


def adapt_types(samples: TensorSamples, dtype: torch.dtype) -> TensorSamples:
    """Bring floats to the model's type and integer targets, one a row, to int64; not a Dataset's own."""
    if samples.as_given:
        return samples

    def adapted(index: int, tensor: Tensor) -> Tensor:
        if tensor.is_floating_point():
            return tensor.to(dtype)
        if index == samples.target_index and tensor.ndim == 1 and is_integer(tensor):
            return tensor.long()
        return tensor

    return replace(samples, tensors=tuple(adapted(i, t) for i, t in enumerate(samples.tensors)))


def cast_inputs(samples: TensorSamples, dtype: torch.dtype) -> TensorSamples:
    """Bring integer and truth-value inputs to a type."""
    tensors = tuple(
        tensor.to(dtype) if index != samples.target_index and not _is_inexact(tensor) else tensor
        for index, tensor in enumerate(samples.tensors)
    )
    return replace(samples, tensors=tensors)


def has_integer_inputs(samples: TensorSamples) -> bool:
    """Return whether an input is of integers or truth values."""
    inputs = (t for i, t in enumerate(samples.tensors) if i != samples.target_index)
    return any(not _is_inexact(tensor) for tensor in inputs)


def is_integer(tensor: Tensor) -> bool:
    """Return whether the tensor is of integers; truth values are not."""
    return not _is_inexact(tensor) and tensor.dtype != torch.bool


def check_finite(name: str, tensor: Tensor) -> None:
    """Refuse NaN and infinite values.

    Raises:
        TaskError: naming the first row that has one.
    """
    # the sum of all is not finite when one value is not, and needs no second array; it may also overflow
    if not _is_inexact(tensor) or bool(torch.isfinite(tensor.sum())):
        return
    bad = ~torch.isfinite(tensor)
    if not bool(bad.any()):
        return
    row = int(bad.reshape(len(bad), -1).any(dim=1).nonzero()[0]) if tensor.ndim else 0
    value = tensor[bad][0].item()
    more = f" and in {count - 1} more places" if (count := int(bad.sum())) > 1 else ""
    raise TaskError(f"{name} contains {value} in row {row}{more}: fill or drop such rows")


def _is_inexact(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _length(value: Any) -> int:
    shape = getattr(value, "shape", None)
    return int(shape[0]) if shape is not None and len(shape) else 0


def _to_tensor(label: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        if value.layout != torch.strided:
            raise TaskError(f"{label} is a sparse tensor: give it dense, with .to_dense()")
        return value.detach()
    if callable(toarray := getattr(value, "toarray", None)):
        raise TaskError(
            f"{label} is a sparse matrix of shape {value.shape}: give it dense, with {_call(toarray)}"
        )
    array = value.to_numpy() if callable(getattr(value, "to_numpy", None)) else _as_numpy(label, value)
    if array.dtype.kind == "O" and array.size and all(map(_is_number, array.reshape(-1))):
        array = np.array(array.tolist())  # numbers of several types, such as a frame with truth values in it
    if array.dtype.kind not in "biufc" and array.size:
        raise TaskError(f"{label} holds {_odd_value(value, array)}")
    array = array if array.size else array.astype(np.float32)  # a frame without rows does not know its types
    array = array.astype(_WIDER.get(array.dtype.name, array.dtype.newbyteorder("=")), copy=False)
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _odd_value(value: Any, array: np.ndarray[Any, Any]) -> str:
    """Say which value of an array is no number, in which column of a data frame, and what to write instead."""
    flat = array.reshape(-1)
    place = next((k for k, each in enumerate(flat) if not _is_number(each)), 0)
    odd = flat[place]
    columns = getattr(value, "columns", None)
    where = (
        f" in column {columns[place % array.shape[-1]]!r}" if columns is not None and array.ndim == 2 else ""
    )
    if odd is None or type(odd).__name__ in ("NAType", "NaTType"):
        return f"missing values ({odd}){where}: fill or drop such rows"
    if array.dtype.kind == "M" or hasattr(odd, "isoformat"):
        return f"dates, such as {str(odd)[:40]!r}{where}: turn them into numbers, such as days since the first one"
    if isinstance(odd, int):
        return f"{str(odd)[:40]}{where}, an integer beyond 64 bits: scale it, or give floats"
    return (
        f"values such as {str(odd)[:40]!r} ({array.dtype}){where}, which are not numbers: encode text as "
        "integers, classes as 0, 1, 2, …"
    )


def _is_number(value: Any) -> bool:
    """Return whether an array of numbers could hold it, were it not for others."""
    return isinstance(value, float | complex | np.number | np.bool_) or (
        isinstance(value, int) and -(2**63) <= value < 2**63
    )


def _as_numpy(label: str, value: Any) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise TaskError(f"{label} has rows of different lengths: pad them, or give a Dataset") from error


def _call(method: Callable[..., Any]) -> str:
    return f".{method.__name__}()"


def _check_lengths(name: str, tensors: Mapping[str, Tensor]) -> None:
    for label, tensor in tensors.items():
        if tensor.ndim == 0:
            raise TaskError(f"{label} of {name} is a single value: give one entry a row")
    lengths = {label: len(tensor) for label, tensor in tensors.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{label} {length}" for label, length in lengths.items())
        raise TaskError(f"the parts of {name} differ in length ({told} rows): give one target for each row")
