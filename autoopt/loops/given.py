"""What a loop gives: whether a model is one that can be trained, and a number is one."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def model_trouble(model: object) -> str | None:
    """Return why nobody can make an optimizer for this; ``None`` if it is a model."""
    if not isinstance(model, nn.Module):
        return f"trial.optimizer needs the model, a torch.nn.Module, got {type(model).__name__}"
    if any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules()):
        return (
            "FullyShardedDataParallel flattens the weights, so that nobody can tell which of them to decay: "
            "shard the model with torch.distributed.fsdp.fully_shard"
        )
    return None


def as_number(value: Any) -> float | None:
    """Return a number of any type as a float, NaN and infinities included; ``None`` for what is none."""
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, str | bool | bytes | Tensor):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
