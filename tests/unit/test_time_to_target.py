"""Studies that minimise the time to a score, on a clock that the tests keep."""

import contextlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

import autoopt
from autoopt.errors import StudyMismatch, UsageError
from autoopt.records.store import Store
from autoopt.run import RunState
from autoopt.tasks.make import make_task
from autoopt.training import serial as serial_module
from autoopt.training.trainee import Trainee

WAYS = {"objective": "time-to-target", "budget": 8, "optimizers": ["sgd", "adam"], "baseline": "sgd lr=1e-4"}


def line_task(**changes):
    random = np.random.default_rng(0)
    X = random.normal(size=(48, 3)).astype(np.float32)
    y = (X @ np.array([1.0, -2.0, 0.5], dtype=np.float32))[:, None]
    return make_task(model=lambda: nn.Linear(3, 1), train_data=(X, y), val_data=(X[:16], y[:16]), epochs=6,
                     batch_size=16, name="line", **changes)  # fmt: skip


def r2(output, target):
    return 1 - (output - target).square().mean() / target.var()


@pytest.fixture(autouse=True)
def a_second_an_epoch(monkeypatch):
    class Timed(Trainee):
        def train_epoch(self):
            return replace(super().train_epoch(), seconds=1.0)

    monkeypatch.setattr(serial_module, "Trainee", Timed)


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "autoopt.db")


def test_the_winner_is_there_first_and_says_what_it_came_to():
    answer = autoopt.tune(line_task(), target=1.0, **WAYS)
    assert (answer.objective, answer.direction) == ("seconds to loss ≤ 1", "minimize")
    assert all(score <= 6 for score in answer.chosen.scores.values())
    assert all(loss < 1.0 for loss in answer.chosen.came_to.values())
    assert answer.chosen.missed == ()
    assert set(answer.baseline.missed) == set(answer.baseline.scores)
    assert answer.verdict == "better"
    assert any(
        note.startswith("The baseline did not reach loss ≤ 1 on 3 of 3 seeds") for note in answer.notes
    )
    assert any(note.startswith("After all 6 epochs the recommended recipe had loss") for note in answer.notes)


def test_a_target_out_of_reach_is_said_to_be_so():
    answer = autoopt.tune(line_task(), target=1e-9, **WAYS)
    assert answer.notes[0].startswith("Nothing reached loss ≤ 1e-09 in 6 epochs:")
    assert all(score > 6 for score in answer.chosen.scores.values())


def test_it_goes_by_the_metric_in_its_own_direction():
    task = line_task(metric=r2, metric_direction="maximize", objective="metric")
    answer = autoopt.tune(task, target=0.5, **WAYS)
    assert answer.objective == "seconds to r2 ≥ 0.5"
    assert all(r2 >= 0.5 for r2 in answer.chosen.came_to.values())


def test_the_database_keeps_seconds_as_scores_and_the_loss_beside_them(url):
    autoopt.tune(line_task(), target=1.0, storage=url, **WAYS)
    with Store.open(url, readonly=True) as store:
        reports = store.reports("line")
        done = [record for record in store.runs("line") if record.state is RunState.FINISHED]
    assert done
    for record in done:
        assert record.score == reports[record.run.id][-1].score
    for each in reports.values():
        assert all(report.metrics["validation loss"] == report.valid_loss for report in each)


def test_a_study_that_carries_on_comes_to_the_same_answer(url):
    whole = autoopt.tune(line_task(), target=1.0, **WAYS)
    reports = 0

    def interrupt(progress):
        nonlocal reports
        reports += 1
        if reports == 4:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        autoopt.tune(line_task(), target=1.0, storage=url, watch=interrupt, **WAYS)
    assert reports == 4
    again = autoopt.tune(line_task(), target=1.0, storage=url, **WAYS)
    assert again.chosen == whole.chosen
    assert again.baseline == whole.baseline


def test_an_answer_with_a_target_comes_back_from_json():
    answer = autoopt.tune(line_task(), target=1.0, **WAYS)
    again = autoopt.Recommendation.from_dict(answer.to_dict())
    assert again == answer
    assert again.target == answer.target


def test_another_target_is_another_study(url):
    autoopt.tune(line_task(), target=1.0, storage=url, **WAYS)
    with pytest.raises(StudyMismatch, match=r"target=1\.0, now it is 0\.5"):
        autoopt.tune(line_task(), target=0.5, storage=url, **WAYS)


@pytest.mark.parametrize(
    ("ways", "says"),
    [
        ({"objective": "time-to-target"}, "add target"),
        ({"target": 0.3}, "objective='time-to-target'"),
        ({"objective": "time-to-target", "target": float("nan")}, "must be a finite number"),
        ({"objective": "speed"}, "score, time-to-target"),
    ],
)
def test_an_objective_that_makes_no_sense_is_refused(ways, says):
    with pytest.raises(UsageError, match=says):
        autoopt.tune(line_task(), **ways)


def test_a_loop_of_ones_own_may_be_timed_too():
    def train(trial):
        model = nn.Linear(2, 1)
        trial.optimizer(model, total_steps=trial.epochs)
        for epoch in range(trial.epochs):
            trial.report(1.0 / (1 + epoch))

    answer = autoopt.tune(train, 7, epochs=3, objective="time-to-target", target=0.5)
    assert answer.objective == "seconds to loss ≤ 0.5"
    assert answer.chosen.missed == ()


@pytest.mark.slow
def test_what_several_processes_train_is_judged_by_the_clock_too(tmp_path, url):
    (tmp_path / "task.py").write_text(
        "import torch\nfrom torch import nn\nepochs, batch_size = 6, 16\n"
        "def model(): return nn.Linear(3, 1)\n"
        "def train_data():\n    X = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))\n"
        "    return X, X.sum(1, keepdim=True)\n"
    )
    words = [
        "tune",
        "task.py",
        "--objective",
        "time-to-target",
        "--target",
        "1",
        "--workers",
        "2",
        "--budget",
        "8",
    ]
    command = [
        sys.executable,
        "-m",
        "autoopt",
        *words,
        "--optimizers",
        "sgd,adam",
        "--storage",
        url,
        "--quiet",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    with Store.open(url, readonly=True) as store:
        reports = [report for each in store.reports("task").values() for report in each]
        assert store.study("task").objective == "seconds to loss ≤ 1"
    assert reports
    assert all("validation loss" in report.metrics for report in reports if not report.over)
