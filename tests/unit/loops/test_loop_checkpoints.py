"""Runs of a loop of one's own go on in another process, if the loop calls ``trial.checkpoint``."""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import autoopt
from autoopt.errors import AutooptWarning
from autoopt.loops.cohort import LoopCohort
from autoopt.loops.seats import Seats
from autoopt.loops.team import Alone
from autoopt.loops.terms import Terms
from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.search import journal as journal_module
from autoopt.training import checkpoints as checkpoints_module
from autoopt.training.checkpoint_folder import CheckpointFolder
from autoopt.training.checkpoints import Checkpoints
from autoopt.training.replay import replay_cohort

from .examples import data, epoch, evaluate, tune

RECIPE = Recipe("adamw", {"lr": 1e-2}, "cosine", {"warmup": 0.1})
RUNS = [Run(number, RECIPE, seed=number, epochs=4, rungs=(1, 2)) for number in range(2)]


class Loop:
    """A loop that draws from every generator, and counts its epochs."""

    def __init__(self, *objects: Any, asks: bool = True) -> None:
        self.objects, self.asks, self.epochs = objects, asks, 0

    def __call__(self, trial: autoopt.Trial) -> None:
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.2), nn.Linear(4, 1))
        X, y = data()
        batches = list(zip(X.split(16), y.split(16), strict=True))
        optimizer, scheduler = trial.optimizer(model, total_steps=trial.epochs * len(batches))
        for _ in range(trial.checkpoint(*self.objects) if self.asks else 0, trial.epochs):
            self.epochs += 1
            epoch(trial, model.train(), optimizer, scheduler, batches)
            noise = 0.01 * (random.random() + np.random.randn() + float(torch.rand(())))
            trial.report(evaluate(model.eval()) + noise, noise=noise)


def _cohort(loop: Any, runs: Any, checkpoints: Checkpoints | None = None) -> LoopCohort:
    terms = Terms(epochs=4, batch_size=16)
    return LoopCohort(Alone(Seats(loop, terms)), terms, runs, checkpoints=checkpoints)


@pytest.fixture(autouse=True)
def writing_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written down must not depend on how busy the machine is."""
    monkeypatch.setattr(checkpoints_module, "perf_counter", lambda: 0.0)
    monkeypatch.setattr(checkpoints_module, "LINGER", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "all", "study")


def _numbers(reports: Any) -> list[str]:
    return sorted(repr({**asdict(report), "seconds": 0}) for report in reports)


def _after_two_epochs(loop: Any, folder: CheckpointFolder) -> dict[int, list[EpochReport]]:
    first = _cohort(loop, RUNS, Checkpoints(folder))
    reports = [report for _ in range(2) for report in first.advance()]
    return {run.id: [report for report in reports if report.run_id == run.id] for run in RUNS}


@pytest.mark.parametrize("lost", [0, 1])
def test_a_loop_that_asks_for_it_goes_on_where_it_stood(folder: CheckpointFolder, lost: int) -> None:
    undisturbed = _cohort(Loop(), RUNS)
    expected = [report for _ in range(4) for report in undisturbed.advance()]
    records = {i: reports[: 2 - lost] for i, reports in _after_two_epochs(Loop(), folder).items()}
    loop = Loop()
    again = replay_cohort(RUNS, records, lambda runs: _cohort(loop, runs, Checkpoints(folder)))
    found = [report for _ in range(4) for report in list(again.advance())]
    assert _numbers(found) == _numbers(expected)
    assert loop.epochs == 2 * len(RUNS)
    assert not list(folder.path.iterdir())


def test_a_loop_that_does_not_ask_is_trained_again_without_a_word(folder: CheckpointFolder) -> None:
    records = _after_two_epochs(Loop(asks=False), folder)
    assert not folder.path.exists()
    loop = Loop(asks=False)
    again = replay_cohort(RUNS, records, lambda runs: _cohort(loop, runs, Checkpoints(folder)))
    for _ in range(4):
        list(again.advance())
    assert loop.epochs == 4 * len(RUNS)


class Opaque:
    """State that only unpickling could bring back."""

    def state_dict(self) -> dict[str, Any]:
        return {"generator": np.random.default_rng(0)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise AssertionError


def test_what_could_not_be_read_back_safely_is_not_written(folder: CheckpointFolder) -> None:
    with pytest.warns(AutooptWarning, match="a value of type dict, which cannot be saved"):
        _after_two_epochs(Loop(Opaque()), folder)
    assert not folder.path.exists()


def test_an_interrupted_study_of_a_loop_trains_no_epoch_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "PAUSE_SECONDS", 0.0)
    calls = iter(range(100))

    def interrupt(_: Any) -> None:
        if next(calls) == 12:
            raise KeyboardInterrupt

    whole, first, second = counted(), counted(), counted()
    expected = tune(whole)
    url = str(tmp_path / "autoopt.db")
    assert tune(first, storage=url, watch=interrupt).interrupted
    assert list(tmp_path.glob("autoopt.db.checkpoints/*/run-*.pt"))
    found = tune(second, storage=url)
    assert found.recipe == expected.recipe
    assert found.chosen.scores == expected.chosen.scores
    # each sitting tries the loop out up to its first optimizer, and trains no epoch for that
    assert len(first.epochs) + len(second.epochs) == len(whole.epochs)


def counted() -> Any:
    """The loop of the examples, with checkpoints."""

    def train(trial: autoopt.Trial) -> None:
        model = nn.Linear(3, 1)
        X, y = data()
        batches = list(zip(X.split(16), y.split(16), strict=True))
        optimizer, scheduler = trial.optimizer(model, total_steps=trial.epochs * len(batches))
        for _ in range(trial.checkpoint(), trial.epochs):
            train.epochs.append(1)
            epoch(trial, model, optimizer, scheduler, batches)
            trial.report(evaluate(model))

    train.epochs = []
    return train
