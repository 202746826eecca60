"""Fingerprint of a task: equal for equal tasks, whatever comments, line breaks or file names say."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from autoopt.tasks.batch import tensors_of
from autoopt.tasks.keras_model import steady
from autoopt.tasks.probe import first_batch
from autoopt.tasks.samples import Samples, TensorSamples

_ROWS = 4  # rows of each part of the data that are looked at
_VALUES = 32  # values of each of their tensors


def fingerprint_task(code: bytes, model: nn.Module, data: Any, facts: Mapping[str, Any]) -> str:
    """Return sixteen hexadecimal digits that stand for the task.

    Args:
        code: source of the user's file; empty for a task made of Python objects.
        model: a model, for its layers and the names and shapes of its parameters.
        data: what ``fingerprint_data`` told.
        facts: everything else that makes two tasks different, as plain values.
    """
    layers = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(model))
    shapes = [(steady(name), None if is_lazy(p) else list(p.shape)) for name, p in model.named_parameters()]
    told = [_plain_code(code), layers, shapes, data, dict(facts)]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]


def fingerprint_data(parts: Mapping[str, Samples], batch_size: int) -> dict[str, Any]:
    """Return rows, types and some values of each part of the data, as plain values."""
    return {name: _tell_samples(name, samples, batch_size) for name, samples in parts.items()}


def fingerprint_code(code: bytes) -> str:
    """Return sixteen hexadecimal digits, equal for code that differs in comments and layout alone.

    Raises:
        SyntaxError: it is not Python.
    """
    return hashlib.sha256(_plain_code(code).encode()).hexdigest()[:16]


def _tell_samples(name: str, samples: Samples, batch_size: int) -> list[Any]:
    told: list[Any] = [samples.rows]
    rows = samples.fixed_batch_size or min(_ROWS, batch_size)
    told += [_tell(tensor) for tensor in tensors_of(first_batch(samples, rows, name))]
    if isinstance(samples, TensorSamples):
        told += [_tell_all(tensor) for tensor in samples.tensors]
    return told


def _tell_all(tensor: Tensor) -> str:
    """Return a number that changes with any value; rounded, as sums depend a little on the number of threads."""
    if tensor.is_floating_point() or tensor.is_complex():
        return f"{torch.linalg.vector_norm(tensor, 1).item():.5g}"
    return str(int(tensor.sum()))


def _tell(tensor: Tensor) -> list[Any]:
    rows = tensor[:_ROWS] if tensor.ndim else tensor
    values = rows.detach().reshape(-1)[:_VALUES].tolist()
    return [str(tensor.dtype), list(tensor.shape[1:]), [f"{value:.4g}" for value in values]]


def _plain_code(code: bytes) -> str:
    """Return the code without comments, docstrings, blank lines and habits of layout."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
