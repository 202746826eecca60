"""Small tasks and recipes for the tests of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import reference_settings
from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import BatchLoss, Task

INPUTS, CLASSES = 6, 3


def make_rows(rows: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> TensorSamples:
    """Rows of a classification that a linear model half solves."""
    draw = torch.Generator().manual_seed(seed)
    X = torch.randn(rows, INPUTS, generator=draw, dtype=torch.float64)
    y = (X[:, :CLASSES] + 0.3 * torch.randn(rows, CLASSES, generator=draw)).argmax(1)
    return TensorSamples((X.to(dtype), y))


def make_net(dropout: float = 0.0) -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, CLASSES))


def cross_entropy(model: nn.Module, batch: Any) -> BatchLoss:
    output = model(batch[0])
    return BatchLoss(nn.functional.cross_entropy(output, batch[1]), len(batch[1]), output, batch[1])


def make_task(make_model: Callable[[], nn.Module] = make_net, **changes: Any) -> Task:
    """A task of 50 training and 20 validation rows, 3 epochs in batches of 16."""
    fields: dict[str, Any] = {
        "name": "small",
        "make_model": make_model,
        "train": make_rows(50),
        "valid": make_rows(20, seed=1),
        "batch_loss": cross_entropy,
        "epochs": 3,
        "batch_size": 16,
    }
    return Task(**{**fields, **changes})


def make_run(
    run_id: int = 0, optimizer: str = "adamw", *, seed: int = 5, epochs: int = 3, **changes: Any
) -> Run:
    """A run of an optimizer's reference recipe; ``changes`` go to the run, or to its recipe by name."""
    in_run = {name: changes.pop(name) for name in ("purpose", "rungs", "trial") if name in changes}
    settings = reference_settings(OPTIMIZERS[optimizer]) | changes.pop("settings", {})
    return Run(run_id, Recipe(optimizer, settings, **changes), seed, epochs, **in_run)


def numbers(report: EpochReport) -> dict[str, Any]:
    """All that a report says, save how long it took; equal when two trainings were equal bit by bit."""
    fields = asdict(report)
    del fields["seconds"]
    return {name: repr(value) for name, value in fields.items()}  # repr: NaN equals NaN
