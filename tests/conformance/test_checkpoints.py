"""Every optimizer and every schedule goes on from a file as if nothing had been, to the last bit."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import nn

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.rate import reference_settings
from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import BatchLoss, Task
from autoopt.training.trainee import Trainee

DENSE = [name for name, entry in OPTIMIZERS.items() if entry.accepts(sparse=False, dense=True)]
SPARSE = [name for name, entry in OPTIMIZERS.items() if entry.accepts(sparse=True, dense=False)]


def _net() -> nn.Module:
    return nn.Sequential(
        nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 4), nn.Linear(4, 2)
    )


def _table() -> nn.Module:
    return nn.EmbeddingBag(7, 3, sparse=True)


def _loss(model: nn.Module, batch: Any) -> BatchLoss:
    output = model(batch[0])
    return BatchLoss(nn.functional.cross_entropy(output, batch[1]), len(batch[1]), output, batch[1])


def _task(*, sparse: bool = False, **changes: Any) -> Task:
    draw = torch.Generator().manual_seed(0)
    X = torch.randint(7, (40, 2), generator=draw) if sparse else torch.randn(40, 5, generator=draw)
    y = torch.arange(40) % 2
    fields: dict[str, Any] = {
        "make_model": _table if sparse else _net,
        "has_batch_norm": not sparse,
        **changes,
    }
    return Task("small", train=TensorSamples((X[:30], y[:30])), valid=TensorSamples((X[30:], y[30:])),
                batch_loss=_loss, epochs=4, batch_size=8, **fields)  # fmt: skip


def _run(optimizer: str = "adamw", settings: dict[str, Any] | None = None, **changes: Any) -> Run:
    settings = reference_settings(OPTIMIZERS[optimizer]) | (settings or {})
    return Run(0, Recipe(optimizer, settings, **changes), 3, 4, rungs=(1, 2))


def _through_a_file(trainee: Trainee) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(trainee.state(), file)
    file.seek(0)
    state: dict[str, Any] = torch.load(file, weights_only=True)
    return state


def _what_is_left(trainee: Trainee, reports: list[EpochReport]) -> tuple[Any, ...]:
    """All that two trainings must have in common: reports but their seconds, weights and buffers."""
    numbers = [repr({**asdict(report), "seconds": 0}) for report in reports]
    tensors = [tensor.detach().clone() for tensor in (*trainee.model.parameters(), *trainee.model.buffers())]
    return numbers, tensors


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return one[0] == other[0] and all(torch.equal(a, b) for a, b in zip(one[1], other[1], strict=True))


def _goes_on_the_same(task: Task, run: Run) -> bool:
    alone = Trainee(task, run, "cpu")
    reports = [alone.train_epoch() for _ in range(4)]
    before = Trainee(task, run, "cpu")
    first = before.train_epoch()
    after = Trainee(task, run, "cpu")
    after.resume(_through_a_file(before))
    again = [after.train_epoch()]
    last = Trainee(task, run, "cpu")
    last.resume(_through_a_file(after))
    found = [first, *again, last.train_epoch(), last.train_epoch()]
    return _same(_what_is_left(last, found), _what_is_left(alone, reports))


@pytest.mark.parametrize("optimizer", DENSE)
def test_every_optimizer_goes_on_from_a_checkpoint_to_the_last_bit(optimizer: str) -> None:
    assert _goes_on_the_same(_task(), _run(optimizer, schedule="cosine", clip_norm=1.0))


@pytest.mark.parametrize("optimizer", SPARSE)
def test_every_optimizer_of_sparse_gradients_goes_on_from_a_checkpoint(optimizer: str) -> None:
    known = {each.name for each in OPTIMIZERS[optimizer].hyperparameters}
    assert _goes_on_the_same(
        _task(sparse=True), _run(optimizer, {"weight_decay": 0.0} if "weight_decay" in known else {})
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_goes_on_from_a_checkpoint_to_the_last_bit(schedule: str) -> None:
    settings = {"warmup": 0.2} if "warmup" in {h.name for h in SCHEDULES[schedule].hyperparameters} else {}
    assert _goes_on_the_same(_task(), _run(schedule=schedule, schedule_settings=settings, clip_value=0.1))
