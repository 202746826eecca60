"""Tasks as users give them, through the whole of training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from autoopt.run import Purpose
from autoopt.tasks.make import make_task
from autoopt.training.serial import serial_cohort

from .examples import CLASSES, INPUTS, make_net, make_rows, make_run, numbers

X, Y = (tensor.numpy() for tensor in make_rows(60).tensors)


def _train(task: Any, **changes: Any) -> list[Any]:
    run = make_run(epochs=task.epochs, **changes)
    cohort = serial_cohort(task, [run])
    reports = []
    while cohort.runs:
        reports += list(cohort.advance())
    assert [report.failure for report in reports] == [None] * run.epochs
    return reports


def test_arrays_with_inferred_loss_and_a_metric_by_name() -> None:
    task = make_task(
        model=make_net, train_data=(X, Y), test_data=(X, Y), metric="accuracy", objective="accuracy", epochs=8
    )
    reports = _train(task, settings={"lr": 0.05}, purpose=Purpose.CONFIRM)
    assert 0.5 < reports[-1].score <= 1
    assert 0.5 < reports[-1].test_score <= 1
    assert reports[-1].train_loss < reports[0].train_loss


def test_a_data_loader_gives_the_same_run_twice() -> None:
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    task = make_task(model=make_net, train_data=DataLoader(data, batch_size=7, shuffle=True), epochs=2)
    first, second = _train(task), _train(task)
    assert [numbers(report) for report in first] == [numbers(report) for report in second]


def test_a_step_of_the_users_own_over_dicts() -> None:
    def step(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return nn.functional.cross_entropy(model(batch["features"]), batch["label"])

    task = make_task(model=make_net, train_data={"features": X, "label": Y}, step=step, epochs=2)
    assert all(math.isfinite(report.score) for report in _train(task))


def test_sparse_embeddings() -> None:
    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.EmbeddingBag(20, 8, sparse=True)
            self.head = nn.Linear(8, CLASSES)

        def forward(self, numbers: torch.Tensor) -> torch.Tensor:
            return self.head(self.table(numbers))

    task = make_task(model=Bag, train_data=((X * 5).astype(np.int64) % 20, Y), epochs=3)
    assert task.sparse_gradients
    reports = _train(task, optimizer="adagrad", settings={"weight_decay": 0.0}, clip_norm=1.0)
    assert reports[-1].train_loss < reports[0].train_loss


def test_a_lazy_model_with_batch_norm_and_a_last_batch_of_one_row() -> None:
    def lazy() -> nn.Module:
        return nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(CLASSES))

    rows = make_rows(33).tensors
    task = make_task(
        model=lazy, train_data=rows, val_data=make_rows(9, seed=1).tensors, batch_size=16, epochs=2
    )
    assert task.has_batch_norm
    assert all(math.isfinite(report.score) for report in _train(task))


def test_a_regression_of_one_input_column() -> None:
    task = make_task(
        model=lambda: nn.Linear(INPUTS, 1), train_data=(X, X[:, :1] * 2), epochs=20, batch_size=8
    )
    assert _train(task, settings={"lr": 0.05})[-1].score < 0.5
