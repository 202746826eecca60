"""When runs are written down, and that they go on from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from autoopt.errors import AutooptWarning
from autoopt.run import EpochReport, Run
from autoopt.training import checkpoints as checkpoints_module
from autoopt.training.checkpoint_folder import CheckpointFolder
from autoopt.training.checkpoints import Checkpoints
from autoopt.training.replay import replay_cohort
from autoopt.training.serial import serial_cohort
from autoopt.training.stacked import stacked_cohort

from .examples import CLASSES, INPUTS, make_net, make_run, make_task, numbers


@pytest.fixture(autouse=True)
def writing_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written down must not depend on how busy the machine is."""
    monkeypatch.setattr(checkpoints_module, "perf_counter", lambda: 0.0)
    monkeypatch.setattr(checkpoints_module, "LINGER", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "all", "study")


def _report(run: Run, epoch: int, seconds: float = 0.0) -> EpochReport:
    return EpochReport(run.id, epoch, 1.0, 1.0, 1.0, seconds=seconds)


def _epochs_saved(folder: CheckpointFolder, run: Run, seconds: list[float]) -> list[int]:
    """Return the epochs after which a run was written down, whose epochs took so long."""
    saves, saved = Checkpoints(folder), []
    for epoch, each in enumerate(seconds, 1):
        saves.after(run, _report(run, epoch, each), "run", lambda epoch=epoch: saved.append(epoch) or {})
    return saved


def _train_to_the_end(cohort: Any) -> list[EpochReport]:
    reports: list[EpochReport] = []
    while cohort.runs:
        reports += cohort.advance()
    return reports


def test_runs_are_written_down_where_they_wait_and_at_each_sixth(folder: CheckpointFolder) -> None:
    assert _epochs_saved(folder, make_run(epochs=18, rungs=(2, 6)), [0.01] * 17) == [2, 3, 6, 9, 12, 15]


def test_runs_without_rungs_are_written_down_after_each_sixth(folder: CheckpointFolder) -> None:
    assert _epochs_saved(folder, make_run(epochs=18), [0.01] * 17) == [3, 6, 9, 12, 15]


def test_long_epochs_are_written_down_every_half_minute(folder: CheckpointFolder) -> None:
    assert _epochs_saved(folder, make_run(epochs=90, rungs=(60,)), [10.0] * 10) == [3, 6, 9]
    assert _epochs_saved(folder, make_run(epochs=90, rungs=(60,)), [100.0] * 3) == [1, 2, 3]


def test_writing_takes_no_more_than_its_share(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(
        checkpoints_module, "perf_counter", lambda: float(next(clock))
    )  # every writing takes a second
    run = make_run(epochs=200, rungs=tuple(range(1, 200)))
    saved = _epochs_saved(folder, run, [5.0] * 100)
    assert saved[0] == 1
    assert 8 <= len(saved) <= 0.02 * 500 + 1


def test_what_cannot_be_saved_is_told_once_and_training_goes_on(folder: CheckpointFolder) -> None:
    class Drawing(nn.Linear):
        def __init__(self) -> None:
            super().__init__(INPUTS, CLASSES)
            self.draw = torch.Generator()

        def forward(self, X: torch.Tensor) -> torch.Tensor:
            return super().forward(X) + torch.rand(1, generator=self.draw)

    cohort = serial_cohort(make_task(Drawing), [make_run(0, rungs=(1, 2)), make_run(1, rungs=(1, 2))],
                           checkpoints=Checkpoints(folder))  # fmt: skip
    with pytest.warns(AutooptWarning, match="'draw', of type Generator") as told:
        reports = _train_to_the_end(cohort)
    assert [report.failure for report in reports] == [None] * 6
    assert len(told) == 1


def test_a_full_disk_is_told_once_and_training_goes_on(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.save", full)
    cohort = serial_cohort(
        make_task(), [make_run(n, rungs=(1, 2)) for n in range(2)], checkpoints=Checkpoints(folder)
    )
    with pytest.warns(AutooptWarning, match="No space left on device") as told:
        reports = _train_to_the_end(cohort)
    assert [report.failure for report in reports] == [None] * 6
    assert len(told) == 1


class Counted:
    """A model factory that counts the batches of all its models in training."""

    def __init__(self) -> None:
        self.batches = 0

    def __call__(self) -> nn.Module:
        net = make_net(dropout=0.2)
        net.register_forward_pre_hook(
            lambda model, _: setattr(self, "batches", self.batches + model.training)
        )
        return net


@pytest.fixture(params=[serial_cohort, stacked_cohort], ids=["serial", "stacked"])
def start(request: pytest.FixtureRequest) -> Any:
    return request.param


RUNS = [make_run(0, rungs=(1, 2), epochs=4), make_run(1, "sgd", rungs=(1, 2), epochs=4)]


def _all_reports(start: Any) -> dict[tuple[int, int], Any]:
    cohort = start(make_task(lambda: make_net(dropout=0.2)), RUNS)
    found = [report for _ in range(4) for report in list(cohort.advance())]
    return {(report.run_id, report.epoch): numbers(report) for report in found}


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_another_process_goes_on_where_the_runs_stood(
    folder: CheckpointFolder, start: Any, lost: int
) -> None:
    """Of two epochs ``lost`` were not written down: the checkpoint has them."""
    expected = _all_reports(start)
    first = start(make_task(lambda: make_net(dropout=0.2)), RUNS, checkpoints=Checkpoints(folder))
    epochs = [list(first.advance()), list(first.advance())]
    records = {
        run.id: [r for epoch in epochs[: 2 - lost] for r in epoch if r.run_id == run.id] for run in RUNS
    }
    saves = Checkpoints(folder)
    again = replay_cohort(
        RUNS, records, lambda runs: start(make_task(lambda: make_net(dropout=0.2)), runs, checkpoints=saves)
    )
    found = [report for _ in range(4) for report in list(again.advance())]
    assert {(report.run_id, report.epoch): numbers(report) for report in found} == expected
    assert not list(folder.path.iterdir())


def test_epochs_behind_a_checkpoint_are_not_trained_again(folder: CheckpointFolder) -> None:
    first = serial_cohort(make_task(Counted()), RUNS, checkpoints=Checkpoints(folder))
    reports = [report for _ in range(2) for report in list(first.advance())]
    records = {run.id: [r for r in reports if r.run_id == run.id] for run in RUNS}
    models = Counted()
    again = replay_cohort(
        RUNS, records, lambda runs: serial_cohort(make_task(models), runs, checkpoints=Checkpoints(folder))
    )
    for _ in range(3):
        list(again.advance())
    assert models.batches == 2 * make_task().steps_per_epoch(16)


def test_a_gap_behind_the_checkpoint_is_trained_in_silence(folder: CheckpointFolder) -> None:
    expected = _all_reports(serial_cohort)
    runs = [make_run(0, rungs=(1,), epochs=4)]
    first, second = (
        serial_cohort(make_task(lambda: make_net(dropout=0.2)), runs, checkpoints=saves)
        for saves in (Checkpoints(folder), None)
    )
    list(first.advance())
    records = {0: [report for _ in range(3) for report in second.advance()]}
    models = Counted()
    again = replay_cohort(
        runs, records, lambda left: serial_cohort(make_task(models), left, checkpoints=Checkpoints(folder))
    )
    last = [report for _ in range(4) for report in again.advance()][-1]
    assert numbers(last) | {"averaged_score": None} == expected[0, 4] | {"averaged_score": None}
    assert models.batches == 3 * make_task().steps_per_epoch(16)


def test_with_a_damaged_checkpoint_the_run_is_trained_again(folder: CheckpointFolder) -> None:
    expected = _all_reports(serial_cohort)
    first = serial_cohort(make_task(lambda: make_net(dropout=0.2)), RUNS[:1], checkpoints=Checkpoints(folder))
    records = {0: [report for _ in range(2) for report in first.advance()]}
    (file,) = folder.path.iterdir()
    file.write_bytes(file.read_bytes()[:200])
    again = replay_cohort(
        RUNS[:1], records,
        lambda runs: serial_cohort(make_task(lambda: make_net(dropout=0.2)), runs, checkpoints=Checkpoints(folder)),
    )  # fmt: skip
    with pytest.warns(AutooptWarning, match="trained again"):
        found = [numbers(report) for _ in range(4) for report in again.advance()]
    assert found == [expected[0, epoch] for epoch in range(1, 5)]


def test_what_a_row_wrote_is_not_for_the_serial_path(folder: CheckpointFolder) -> None:
    first = stacked_cohort(make_task(), RUNS[1:], checkpoints=Checkpoints(folder))
    list(first.advance())
    assert first.stacked == [1]
    again = serial_cohort(make_task(), RUNS[1:], checkpoints=Checkpoints(folder))
    assert again.resume(1) == []


def test_runs_that_are_dropped_leave_no_file(folder: CheckpointFolder, start: Any) -> None:
    cohort = start(make_task(), RUNS, checkpoints=Checkpoints(folder))
    list(cohort.advance())
    assert len(list(folder.path.iterdir())) == 2
    cohort.keep([1])
    assert [path.name.split(".")[0] for path in folder.path.iterdir()] == ["run-1"]


def test_a_run_that_has_ended_keeps_its_file_until_its_last_reports_are_surely_written(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints_module, "LINGER", 10.0)
    now = [0.0]
    monkeypatch.setattr(checkpoints_module, "monotonic", lambda: now[0])
    saves = Checkpoints(folder)
    reports = _train_to_the_end(serial_cohort(make_task(), RUNS[:1], checkpoints=saves))
    assert len(folder.load(RUNS[0]).reports) == 3
    again = replay_cohort(
        RUNS[:1], {0: reports[:2]}, lambda runs: serial_cohort(make_task(), runs, checkpoints=saves)
    )
    assert [numbers(report) for _ in range(4) for report in again.advance()] == [numbers(r) for r in reports]
    now[0] = 10.0
    list(serial_cohort(make_task(), RUNS[1:], checkpoints=saves).advance())
    assert folder.load(RUNS[0]) is None
