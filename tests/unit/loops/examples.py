"""A small training loop, as somebody would write it, in pieces that tests exchange."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

import autoopt

EPOCHS = 3


def data(rows: int = 48, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    X = torch.randn(rows, 3, generator=torch.Generator().manual_seed(seed))
    return X, X @ torch.tensor([[1.0], [-2.0], [0.5]])


def train(trial: autoopt.Trial) -> None:
    """The loop as it should be."""
    model = nn.Linear(3, 1)
    X, y = data()
    batches = list(zip(X.split(16), y.split(16), strict=True))
    optimizer, scheduler = trial.optimizer(model, total_steps=trial.epochs * len(batches))
    for _ in range(trial.epochs):
        epoch(trial, model, optimizer, scheduler, batches)
        trial.report(evaluate(model))


def epoch(trial: autoopt.Trial, model: nn.Module, optimizer: Any, scheduler: Any, batches: Any) -> None:
    for inputs, targets in batches:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs), targets).backward()
        trial.clip(model)
        optimizer.step()
        scheduler.step()


@torch.no_grad()
def evaluate(model: nn.Module) -> float:
    X, y = data(seed=1)
    return float(nn.functional.mse_loss(model(X), y))


def tune(loop: Any = train, **arguments: Any) -> autoopt.Recommendation:
    return autoopt.tune(loop, **{"budget": 8, "epochs": EPOCHS, "optimizers": ["sgd", "adam"], **arguments})
