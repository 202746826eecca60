"""The serial cohort: what it makes when, and what it says of failures."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from autoopt.tasks.task import BatchLoss
from autoopt.training.serial import serial_cohort

from .examples import cross_entropy, make_net, make_run, make_task


class Models:
    """Makes models and remembers which are alive."""

    def __init__(self) -> None:
        self.made: list[weakref.ref[nn.Module]] = []

    def __call__(self) -> nn.Module:
        model = make_net()
        self.made.append(weakref.ref(model))
        return model

    @property
    def alive(self) -> int:
        gc.collect()
        return sum(made() is not None for made in self.made)


def test_models_are_made_when_their_first_epoch_comes() -> None:
    models, alive = Models(), []

    def watched(model: nn.Module, batch: Any) -> BatchLoss:
        alive.append(len(models.made))
        return cross_entropy(model, batch)

    cohort = serial_cohort(make_task(models, batch_loss=watched), [make_run(0), make_run(1)])
    assert models.made == []
    list(cohort.advance())
    assert sorted(set(alive)) == [1, 2]


def test_models_of_dropped_runs_are_freed() -> None:
    models = Models()
    cohort = serial_cohort(make_task(models), [make_run(0), make_run(1), make_run(2)])
    list(cohort.advance())
    cohort.keep([1])
    assert models.alive == 1


def test_models_of_finished_runs_are_freed_at_once() -> None:
    models, most = Models(), []

    def watched(model: nn.Module, batch: Any) -> BatchLoss:
        most.append(sum(made() is not None for made in models.made))
        return cross_entropy(model, batch)

    task = make_task(models, batch_loss=watched)
    list(serial_cohort(task, [make_run(0, epochs=1), make_run(1, epochs=1)]).advance())
    assert max(most) == 1


def _failing(error: BaseException) -> Any:
    def loss(model: nn.Module, batch: Any) -> BatchLoss:
        raise error

    return loss


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad"),
        MemoryError("bad"),
        SystemExit("bad"),
        torch.OutOfMemoryError("bad"),
        RuntimeError("bad\n"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_users_code_raises_is_reported_with_type_message_and_place(error: BaseException) -> None:
    cohort = serial_cohort(make_task(batch_loss=_failing(error)), [make_run()])
    (report,) = list(cohort.advance())
    line = _failing.__code__.co_firstlineno + 2
    told, _, advice = report.failure.partition("; ")
    assert told == f"{type(error).__name__}: bad (test_serial.py, line {line})"
    assert ("--accumulate" in advice) == ("Memory" in type(error).__name__)
    assert report.epoch == 1
    assert not report.diverged
    assert cohort.runs == []


def test_a_model_that_cannot_be_made_is_a_failure() -> None:
    def broken() -> nn.Module:
        raise FileNotFoundError("no weights.pt")

    (report,) = serial_cohort(make_task(broken), [make_run()]).advance()
    assert report.failure.startswith("FileNotFoundError: no weights.pt (test_serial.py")


def test_a_recipe_that_does_not_fit_is_a_failure() -> None:
    (report,) = serial_cohort(make_task(), [make_run(settings={"lr": -1.0})]).advance()
    assert report.failure.startswith("AdamW refuses lr=-1.0")


def test_failing_in_the_second_epoch_is_reported_as_the_second() -> None:
    calls = []

    def later(model: nn.Module, batch: Any) -> BatchLoss:
        calls.append(0)
        if len(calls) > 6:
            raise ValueError("late")
        return cross_entropy(model, batch)

    cohort = serial_cohort(make_task(batch_loss=later), [make_run()])
    assert list(cohort.advance()).pop().failure is None
    assert list(cohort.advance()).pop().epoch == 2


def test_ctrl_c_passes_through_and_gives_the_random_state_back() -> None:
    state = torch.get_rng_state()
    cohort = serial_cohort(make_task(batch_loss=_failing(KeyboardInterrupt())), [make_run()])
    with pytest.raises(KeyboardInterrupt):
        list(cohort.advance())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_lost_file_of_a_waiting_run_fails_that_run_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cohort = serial_cohort(make_task(), [make_run(0), make_run(1)], room_bytes=0)
    list(cohort.advance())
    next(tmp_path.rglob("run-0.pt")).unlink()
    lost, sound = list(cohort.advance())
    assert lost.failure.startswith("FileNotFoundError")
    assert sound.failure is None
