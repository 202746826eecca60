"""What every cohort keeps to, however it trains. A new kind of cohort is one more line in COHORTS."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from autoopt.loops.cohort import LoopCohort
from autoopt.loops.seats import Seats
from autoopt.loops.team import Alone
from autoopt.loops.terms import Terms
from autoopt.loops.trial import Trial
from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import BatchLoss, Task
from autoopt.training.cohort import Cohort
from autoopt.training.replay import replay_cohort
from autoopt.training.serial import serial_cohort
from autoopt.training.stacked import stacked_cohort
from autoopt.training.streams import shuffle_seed


def _parked(task: Task, runs: Sequence[Run]) -> Cohort:
    return serial_cohort(task, runs, room_bytes=0)


def _replayed(task: Task, runs: Sequence[Run]) -> Cohort:
    """The first epoch of all and the second of the first run are on record."""
    before = serial_cohort(task, runs)
    records: dict[int, list[EpochReport]] = {run.id: [] for run in runs}
    for report in [*list(before.advance()), *list(before.advance())[:1]]:
        records[report.run_id].append(report)
    return replay_cohort(runs, records, lambda left: serial_cohort(task, left))


def _own_loop(task: Task, runs: Sequence[Run], **limits: Any) -> Cohort:
    """A loop of the user's own that does what the serial cohort does."""

    def loop(trial: Trial) -> None:
        model = task.make_model()
        size = trial.batch_size
        steps = task.train.steps_per_epoch(size)
        optimizer, scheduler = trial.optimizer(model, total_steps=steps * trial.epochs)
        for epoch in range(trial.checkpoint() if limits.get("files") else 0, trial.epochs):
            model.train()
            for batch in task.train.batches(size, shuffle_seed=shuffle_seed(trial.seed, epoch + 1)):
                optimizer.zero_grad()
                loss = task.batch_loss(model, batch).loss
                loss.backward()
                trial.clip(model)
                optimizer.step()
                scheduler.step()
            model.eval()
            with torch.no_grad():
                (batch,) = task.valid.batches(100)
                trial.report(task.batch_loss(model, batch).loss, train_loss=loss)

    terms = Terms(epochs=3, batch_size=task.batch_size)
    return LoopCohort(Alone(Seats(loop, terms)), terms, runs, most_waiting=limits.get("most_waiting"))


OWN_LOOPS = {
    "own loop": _own_loop,
    "own loop, trained again": lambda task, runs: _own_loop(task, runs, most_waiting=1),
    "own loop, waiting in files": lambda task, runs: _own_loop(task, runs, most_waiting=1, files=True),
}
COHORTS = {
    "serial": serial_cohort,
    "serial, waiting in files": _parked,
    "stacked, where a task draws from Python's random numbers": stacked_cohort,
    "replay of nothing": lambda task, runs: replay_cohort(runs, {}, lambda left: serial_cohort(task, left)),
    "replay of a part": _replayed,
}


@pytest.fixture(params=[*COHORTS.values(), *OWN_LOOPS.values()], ids=[*COHORTS, *OWN_LOOPS])
def start(request: pytest.FixtureRequest) -> Any:
    return request.param


RECIPES = (
    Recipe("adamw", {"lr": 1e-2, "weight_decay": 0.1}, "cosine", {"warmup": 0.1}, clip_norm=1.0),
    Recipe("sgd", {"lr": 0.1, "momentum": 0.9}, batch_size=8),
    Recipe("rmsprop", {"lr": 1e-3}, "linear"),
)
RUNS = [Run(10 - n, recipe, seed=n, epochs=3, rungs=(1,)) for n, recipe in enumerate(RECIPES)]


def _net() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))


def _loss(model: nn.Module, batch: Any) -> BatchLoss:
    X, y = batch
    noise = random.random() + np.random.rand() if model.training else 0.0  # draws from every generator
    return BatchLoss(nn.functional.mse_loss(model(X), y) + 0.01 * noise, len(y))


def _samples(rows: int, seed: int) -> TensorSamples:
    X = torch.randn(rows, 5, generator=torch.Generator().manual_seed(seed))
    return TensorSamples((X, X[:, :2].prod(1, keepdim=True)))


def _task(**changes: Any) -> Task:
    fields = {"make_model": _net, "batch_loss": _loss, **changes}
    return Task("small", train=_samples(40, 0), valid=_samples(10, 1), epochs=3, batch_size=16, **fields)


def _numbers(reports: Sequence[EpochReport]) -> list[str]:
    """Everything but the seconds; NaN equals NaN."""
    return [str({**asdict(report), "seconds": 0}) for report in reports]


def _train_to_the_end(cohort: Cohort) -> list[EpochReport]:
    reports = []
    while cohort.runs:
        reports += list(cohort.advance())
    return reports


def test_runs_report_the_same_together_as_alone(start: Any) -> None:
    together = _train_to_the_end(start(_task(), RUNS))
    for run in RUNS:
        alone = _train_to_the_end(start(_task(), [run]))
        assert len(alone) == 3
        assert _numbers(alone) == _numbers([report for report in together if report.run_id == run.id])


@pytest.mark.parametrize("start", COHORTS.values(), ids=COHORTS)
def test_every_cohort_reports_what_the_serial_one_reports(start: Any) -> None:
    assert _numbers(_train_to_the_end(start(_task(), RUNS))) == _numbers(
        _train_to_the_end(serial_cohort(_task(), RUNS))
    )


@pytest.mark.parametrize("start", OWN_LOOPS.values(), ids=OWN_LOOPS)
def test_an_own_loop_that_does_the_same_reports_the_same(start: Any) -> None:
    expected = {(r.run_id, r.epoch): r for r in _train_to_the_end(serial_cohort(_task(), RUNS))}
    for report in _train_to_the_end(start(_task(), RUNS)):
        same = expected[report.run_id, report.epoch]
        assert report.valid_loss == same.valid_loss
        assert report.learning_rate == pytest.approx(same.learning_rate)
        assert (report.steps, report.gradient_turn) == (same.steps, same.gradient_turn)


def test_runs_with_other_seeds_differ(start: Any) -> None:
    runs = [Run(number, RECIPES[0], seed=number, epochs=1) for number in range(2)]
    first, second = start(_task(), runs).advance()
    assert first.train_loss != second.train_loss


def test_one_report_for_each_run_in_the_order_of_runs(start: Any) -> None:
    cohort = start(_task(), RUNS)
    for epoch in (1, 2, 3):
        assert [(report.run_id, report.epoch) for report in list(cohort.advance())] == [
            (10, epoch),
            (9, epoch),
            (8, epoch),
        ]


def test_runs_are_over_after_their_last_epoch(start: Any) -> None:
    cohort = start(_task(), [RUNS[0], Run(3, RECIPES[1], seed=1, epochs=2)])
    left = []
    for _ in range(3):
        list(cohort.advance())
        left.append([run.id for run in cohort.runs])
    assert left == [[10, 3], [10], []]
    assert list(cohort.advance()) == []


def test_runs_that_wait_go_on_later_as_if_nothing_had_been(start: Any) -> None:
    undisturbed = _train_to_the_end(start(_task(), RUNS))
    cohort = start(_task(), RUNS)
    first = [*cohort.advance(), *cohort.advance([9]), *cohort.advance([9, 99])]
    assert [(report.run_id, report.epoch) for report in first[3:]] == [(9, 2), (9, 3)]
    assert [run.id for run in cohort.runs] == [10, 8]
    assert sorted(_numbers([*first, *_train_to_the_end(cohort)])) == sorted(_numbers(undisturbed))


def test_runs_that_join_later_do_as_if_they_had_been_there(start: Any) -> None:
    undisturbed = _train_to_the_end(start(_task(), RUNS))
    cohort = start(_task(), RUNS[:1])
    first = list(cohort.advance())
    cohort.add(RUNS[1:])
    assert cohort.runs == RUNS
    assert sorted(_numbers([*first, *_train_to_the_end(cohort)])) == sorted(_numbers(undisturbed))


def test_dropped_runs_leave_and_the_others_go_on_the_same(start: Any) -> None:
    undisturbed = _train_to_the_end(start(_task(), RUNS))
    cohort = start(_task(), RUNS)
    list(cohort.advance())
    cohort.keep([9])
    assert cohort.runs == [RUNS[1]]
    later = _train_to_the_end(cohort)
    assert _numbers(later) == _numbers([r for r in undisturbed if r.run_id == 9 and r.epoch > 1])


def test_dropped_runs_give_their_models_back(start: Any) -> None:
    models: list[weakref.ref[nn.Module]] = []

    def watched() -> nn.Module:
        model = _net()
        models.append(weakref.ref(model))
        return model

    cohort = start(_task(make_model=watched), RUNS)
    list(cohort.advance())
    list(cohort.advance())
    cohort.keep([])
    gc.collect()
    assert len(models) >= 3
    assert not any(model() is not None for model in models)
    assert not cohort.runs


def test_a_diverged_run_is_over_and_the_others_go_on(start: Any) -> None:
    wild = Run(0, Recipe("sgd", {"lr": 1e20, "momentum": 0.0}), seed=0, epochs=3)
    cohort = start(_task(), [RUNS[0], wild, RUNS[2]])
    first, second, third = list(cohort.advance())
    assert (first.over, second.diverged, third.over) == (False, True, False)
    assert cohort.runs == [RUNS[0], RUNS[2]]


def test_a_run_whose_code_raises_does_not_hurt_the_others(start: Any) -> None:
    def picky(model: nn.Module, batch: Any) -> BatchLoss:
        if len(batch[1]) == 7:
            raise ValueError("seven rows")
        return _loss(model, batch)

    undisturbed = _train_to_the_end(start(_task(), [RUNS[0]]))
    failing = Run(1, Recipe("sgd", {"lr": 0.1}, batch_size=7), seed=0, epochs=3)
    cohort = start(_task(batch_loss=picky), [failing, RUNS[0]])
    failed, first = list(cohort.advance())
    assert failed.failure.startswith("ValueError: seven rows (test_cohorts.py, line ")
    assert cohort.runs == [RUNS[0]]
    assert _numbers([first, *_train_to_the_end(cohort)]) == _numbers(undisturbed)


def test_the_callers_random_state_stays_as_it_was(start: Any) -> None:
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), float(torch.rand(()))
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    _train_to_the_end(start(_task(), RUNS))
    assert (random.random(), np.random.rand(), float(torch.rand(()))) == expected


def test_the_callers_random_state_decides_nothing(start: Any) -> None:
    reports = []
    for seed in (1, 2):
        random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)
        reports.append(_numbers(_train_to_the_end(start(_task(), RUNS[:1]))))
    assert reports[0] == reports[1]


def test_runs_go_on_until_an_epoch_and_report_the_same(start: Any) -> None:
    undisturbed = _train_to_the_end(start(_task(), RUNS))
    cohort = start(_task(), RUNS)
    reports = [*cohort.advance([9, 10], 2), *cohort.advance([9], 2), *cohort.advance(None, 3)]
    assert sorted((r.run_id, r.epoch) for r in reports[:4]) == [(9, 1), (9, 2), (10, 1), (10, 2)]
    assert sorted(_numbers(reports)) == sorted(_numbers(undisturbed))
    assert not cohort.runs
