"""The benchmark of training: every arm trains the same runs to their end, and is timed in turn."""

import json

import pytest
import torch

from autoopt.training.serial import serial_cohort
from studies.bench_training import __main__ as command
from studies.bench_training import arms, measure
from studies.bench_training.workloads import WORKLOADS, Workload, made, mlp, task_of


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    """A workload that takes milliseconds, no further processes, and no compiler."""
    tiny = Workload("t", "three numbers", mlp(3, 4, 10), lambda: made(60, 3), 8, 2)
    monkeypatch.setitem(WORKLOADS, "tiny", tiny)
    for arm in ("workers2", "stacked_compiled"):
        monkeypatch.delitem(arms.ARMS, arm)
    yield
    task_of.cache_clear(), arms.held.cache_clear()


def test_every_workload_is_a_task_whose_model_gives_ten_or_more_scores():
    for name, workload in WORKLOADS.items():
        X, y = workload.valid
        output = workload.model()(X[:2])
        assert output.shape[1] >= 10, name
        assert output.shape[2:] == y.shape[1:], name


def test_a_row_for_each_arm_with_the_ratio_to_the_plain_loop(capsys, tmp_path):
    assert command.main(["--workloads", "tiny", "--rounds", "2", "--json", str(tmp_path / "rows.json")]) == 0
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert [row["arm"] for row in rows] == list(arms.ARMS)
    assert rows[0]["ratio_to_plain"] == 1
    assert all(row["seconds_per_run"] > 0 and row["rounds"] == 2 for row in rows)
    assert capsys.readouterr().out.count("tiny") == len(rows)


def test_arms_are_timed_in_turn_there_and_back(monkeypatch):
    seen = []
    for name in ("plain", "serial"):
        train = arms.Arm("", lambda workload, runs, name=name: seen.append(name) or 0.0)
        monkeypatch.setitem(arms.ARMS, name, train)
    measure.measure("tiny", ["serial"], 2)
    assert seen == ["plain", "serial", "plain", "serial", "serial", "plain"]


def test_an_arm_that_refuses_a_workload_has_no_row_and_says_why(monkeypatch):
    def refuse(name, runs):
        raise ValueError("too small for this")

    monkeypatch.setitem(arms.ARMS, "serial", arms.Arm("", refuse))
    said = []
    rows = measure.measure("tiny", ["serial"], 1, said.append)
    assert [row.arm for row in rows] == ["plain"]
    assert said == ["tiny: serial: too small for this"]


def test_the_plain_arm_trains_the_same_model_as_the_serial_one():
    """Other orders of the rows, so equal in outcome only."""
    torch.manual_seed(0)
    workload, (run,) = WORKLOADS["tiny"], arms.runs_of("tiny", 1)
    plain = arms.train_plainly(
        *arms.begin(workload, run), workload.train, workload.valid, workload.batch_size, workload.epochs
    )
    cohort = serial_cohort(task_of("tiny"), [run])
    (first,), (second,) = list(cohort.advance()), list(cohort.advance())
    assert [first.valid_loss, second.valid_loss] == pytest.approx([e["valid_loss"] for e in plain], rel=0.02)


def test_an_unknown_arm_is_told_with_those_that_there_are(capsys):
    assert command.main(["--arms", "warp"]) == 2
    assert "there is no 'warp'; there are: plain, serial" in capsys.readouterr().err
