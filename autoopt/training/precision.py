"""In which floating-point numbers a model computes: torch's automatic mixed precision around every batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from autoopt.errors import UsageError, unknown_name
from autoopt.tasks.task import Batch, BatchLoss, Task

PRECISIONS = {"float32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
"""The types that matrix products and convolutions take by name; weights and their updates keep their own type."""


def check_precision(name: str | None, device: str) -> None:
    """Refuse a precision that does not exist or that the device has not.

    Raises:
        UsageError: says what to write instead.
    """
    if name is None or name == "float32":
        return
    if name not in PRECISIONS:
        raise UsageError(unknown_name("precision", name, PRECISIONS))
    if name == "fp16" and device.startswith("mps"):
        raise UsageError(
            "fp16 needs its gradients scaled, which torch does not do on mps: write --precision bf16"
        )


def compute_in(task: Task, device: str) -> Task:
    """Return the task whose batches go through the model in its precision, in training and evaluation.

    Losses and outputs come out in float32. Gradients of small numbers vanish in fp16: ``make_scaler`` scales them.
    """
    dtype = PRECISIONS[task.precision]
    if dtype is None or isinstance(task.batch_loss, _Autocast):
        return task
    return replace(task, batch_loss=_Autocast(task.batch_loss, torch.device(device).type, dtype))


def make_scaler(task: Task, device: str) -> torch.amp.GradScaler | None:
    """Return what scales losses so that their gradients can be told in fp16; ``None`` where that is not needed."""
    return torch.amp.GradScaler(torch.device(device).type) if task.precision == "fp16" else None


@dataclass(frozen=True)
class _Autocast:
    """A task's ``batch_loss`` under autocast."""

    batch_loss: Any
    device_type: str
    dtype: torch.dtype

    def __call__(self, model: nn.Module, batch: Batch) -> BatchLoss:
        with torch.autocast(self.device_type, self.dtype):
            found: BatchLoss = self.batch_loss(model, batch)
        return replace(found, loss=_widened(found.loss), output=_widened(found.output))


def _widened(value: Any) -> Any:
    narrow = isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16)
    return value.float() if narrow else value
