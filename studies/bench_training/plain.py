"""The loop that a user would write: DataLoader, torch.optim as it comes, a schedule, an evaluation every epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, TensorDataset

from studies.bench_training.workloads import Rows

Order = Callable[[int], Iterable[list[int]]]
"""From the epoch, counted from 0, to the rows of each batch."""


def train_plainly(
    model: nn.Module,
    optimizer: Optimizer,
    schedule: LRScheduler,
    train: Rows,
    valid: Rows,
    batch_size: int,
    epochs: int,
    *,
    device: str = "cpu",
    order: Order | None = None,
    loss_of: Callable[[Tensor, Tensor], Tensor] = functional.cross_entropy,
) -> list[dict[str, float]]:
    """Train a model and return the losses of every epoch.

    Args:
        order: which rows each batch has; a shuffle of torch's if ``None``.
    """
    model.to(device)
    train_set, valid_set = TensorDataset(*train), TensorDataset(*valid)
    loader: DataLoader[Any] = DataLoader(train_set, batch_size, shuffle=True)
    valid_loader: DataLoader[Any] = DataLoader(valid_set, batch_size)
    found = []
    for epoch in range(epochs):
        if order is not None:
            loader = DataLoader(train_set, batch_sampler=list(order(epoch)))
        model.train()
        train_loss = 0.0
        for X, y in loader:
            X, y = X.to(device), y.to(device)
            optimizer.zero_grad()
            loss = loss_of(model(X), y)
            loss.backward()
            optimizer.step()
            schedule.step()
            train_loss += loss.item() * len(X)
        model.eval()
        valid_loss = right = 0.0
        with torch.no_grad():
            for X, y in valid_loader:
                X, y = X.to(device), y.to(device)
                output = model(X)
                valid_loss += loss_of(output, y).item() * len(X)
                if not y.is_floating_point():
                    right += (output.argmax(1) == y).float().mean().item() * len(X)
        found.append(
            {
                "train_loss": train_loss / len(train_set),
                "valid_loss": valid_loss / len(valid_set),
                "accuracy": right / len(valid_set),
            }
        )
        if not math.isfinite(train_loss):
            break
    return found
