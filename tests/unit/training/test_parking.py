"""Waiting runs move to files when memory runs short, and come back the same."""

from __future__ import annotations

import copy
import gc
from pathlib import Path

import pytest
import torch
from torch import nn

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.errors import AutooptWarning
from autoopt.tasks.samples import TensorSamples
from autoopt.training import parking
from autoopt.training.parking import Parking, free_bytes, total_bytes
from autoopt.training.trainee import Trainee

from .examples import CLASSES, INPUTS, make_net, make_rows, make_run, make_task, numbers


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def _trainee(run_id: int = 0, **changes: object) -> Trainee:
    trainee = Trainee(make_task(), make_run(run_id, **changes), "cpu")
    trainee.train_epoch()
    return trainee


def test_with_room_enough_runs_stay_in_memory(folder: Path) -> None:
    place = Parking("cpu")
    trainee = _trainee()
    place.put(trainee)
    assert place.in_files == []
    assert place.take(0) is trainee
    assert not list(folder.glob("autoopt-*"))


def test_beyond_the_room_the_run_that_trained_last_moves_to_a_file() -> None:
    place, held = Parking("cpu", room_bytes=1500), [_trainee(0), _trainee(1)]  # each holds about 1 kB
    for trainee in held:
        place.put(trainee)
    assert place.in_files == [1]
    assert all(parameter.numel() for parameter in held[0].parameters)
    assert not any(parameter.numel() for parameter in held[1].parameters)


@pytest.mark.parametrize(
    "optimizer", [n for n, e in OPTIMIZERS.items() if e.accepts(sparse=False, dense=True)]
)
def test_a_run_that_was_in_a_file_goes_on_bit_by_bit(optimizer: str) -> None:
    changes = {"rungs": (1, 2), "schedule": "cosine", "clip_norm": 1.0}
    task = make_task(lambda: make_net(dropout=0.3))
    trainee = Trainee(task, make_run(0, optimizer, **changes), "cpu")
    alone = Trainee(task, make_run(0, optimizer, **changes), "cpu")
    place = Parking("cpu", room_bytes=0)
    for _ in range(3):
        assert numbers(trainee.train_epoch()) == numbers(alone.train_epoch())
        place.put(trainee)
        assert place.in_files == [0]
        assert place.take(0) is trainee


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_sparse_momentum_waits_in_memory_and_in_files(optimizer: str) -> None:
    table = nn.EmbeddingBag(5, CLASSES, sparse=True)
    letters = TensorSamples((torch.arange(10).reshape(5, 2) % 5, torch.arange(5) % CLASSES))
    task = make_task(lambda: copy.deepcopy(table), train=letters, valid=letters)
    run = make_run(0, optimizer, settings={"weight_decay": 0.0})
    trainee, alone = Trainee(task, run, "cpu"), Trainee(task, run, "cpu")
    roomy, narrow = Parking("cpu"), Parking("cpu", room_bytes=0)
    for _ in range(3):
        assert numbers(trainee.train_epoch()) == numbers(alone.train_epoch())
        for place, in_files in ((roomy, []), (narrow, [0])):
            place.put(trainee)
            assert place.in_files == in_files
            assert place.take(0) is trainee


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_goes_on_after_the_file(schedule: str) -> None:
    trainee, alone = (Trainee(make_task(make_net), make_run(schedule=schedule), "cpu") for _ in range(2))
    place = Parking("cpu", room_bytes=0)
    for _ in range(3):
        assert numbers(trainee.train_epoch()) == numbers(alone.train_epoch())
        place.put(trainee)
        assert place.take(0) is trainee


class Counting(nn.Module):
    """A model with state of every kind: a buffer, a frozen weight, a recurrent net and a plain attribute."""

    def __init__(self, shared: torch.Tensor) -> None:
        super().__init__()
        self.calls = 0
        self.net = nn.GRU(INPUTS, 4, batch_first=True)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, CLASSES)
        self.register_buffer("shared", shared, persistent=False)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.head(self.norm(self.net(X[:, None])[0][:, -1])) * self.shared / self.calls


def test_whatever_state_a_model_keeps_survives_the_file() -> None:
    shared = torch.full((CLASSES,), 2.0)
    task = make_task(lambda: Counting(shared))
    trainee, alone = (Trainee(task, make_run(), "cpu") for _ in range(2))
    place = Parking("cpu", room_bytes=0)
    for _ in range(3):
        place.put(trainee)
        assert torch.equal(shared, torch.full((CLASSES,), 2.0))
        assert numbers(place.take(0).train_epoch()) == numbers(alone.train_epoch())


def test_a_dropped_run_leaves_no_file(folder: Path) -> None:
    place = Parking("cpu", room_bytes=0)
    place.put(_trainee())
    assert len(list(folder.rglob("*.pt"))) == 1
    place.drop(0)
    assert not list(folder.rglob("*.pt"))
    assert place.take(0) is None


def test_the_folder_goes_with_the_parking(folder: Path) -> None:
    place = Parking("cpu", room_bytes=0)
    place.put(_trainee())
    assert list(folder.iterdir())
    del place
    gc.collect()
    assert not list(folder.iterdir())


def test_when_no_file_can_be_written_runs_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(parking.torch, "save", full)
    place, trainee = Parking("cpu", room_bytes=0), _trainee()
    with pytest.warns(AutooptWarning, match="no space left"):
        place.put(trainee)
    assert place.in_files == []
    assert place.take(0).train_epoch().epoch == 2
    place.put(trainee)  # tried once, not again


def test_frozen_weights_stay_in_memory_for_others_may_share_them() -> None:
    backbone = nn.Linear(INPUTS, 4).requires_grad_(False)
    task = make_task(lambda: nn.Sequential(backbone, nn.Linear(4, CLASSES)), valid=make_rows(9))
    trainee, other = Trainee(task, make_run(0), "cpu"), Trainee(task, make_run(1), "cpu")
    place = Parking("cpu", room_bytes=0)
    place.put(trainee)
    assert other.train_epoch().failure is None


def test_free_memory_is_part_of_all_memory() -> None:
    assert 0 < free_bytes("cpu") <= total_bytes()


def test_where_the_system_does_not_tell_half_of_all_counts_as_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert free_bytes("cpu") == total_bytes() // 2
