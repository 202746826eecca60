"""The campaign of faults: its auditor finds what is wrong, and a short one leaves nothing wrong behind."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from autoopt.recipe import Recipe
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.run import EpochReport, Purpose, Run, RunRecord, RunState
from studies.chaos.audit import audit
from studies.chaos.logs import acknowledged

ROOT = Path(__file__).parents[2]
VERDICT = {"recipe": {"optimizer": "sgd"}, "verdict": "better", "gain": None, "relative_gain": None}


@pytest.fixture
def left(tmp_path):
    """A sound database with a study that is done, and the logs of what was acknowledged."""
    with Store.open(tmp_path / "chaos.db") as store:
        store.create_study(StudyRecord("s", "t", "", "f", "loss", "minimize", 2, state="done"))
        runs = [
            Run(0, Recipe("sgd", {"lr": 0.1}), 0, 2, trial=0),
            Run(1, Recipe("sgd"), 1, 2, Purpose.CONFIRM),
        ]
        reports = [EpochReport(run, epoch, 1.0, 1.0, 1.0) for run in (0, 1) for epoch in (1, 2)]
        store.save(
            "s",
            runs=runs,
            reports=reports,
            records=[RunRecord(run, RunState.FINISHED, 1.0, 2) for run in runs],
        )
        store.save_verdict("s", VERDICT)
    (tmp_path / "11.s.saved").write_text("0 1\n0 2\n1 1\n")
    (tmp_path / "12.s.saved").write_text("1 1\n1 2\n1")  # killed while it wrote its last line
    return tmp_path


def look(left, gone=None, wanted=None):
    return audit(str(left / "chaos.db"), left, gone or {}, wanted or {"s": VERDICT})


def alter(left, *statements):
    with sqlite3.connect(left / "chaos.db") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_sound_database_is_found_clean(left):
    found = look(left)
    assert (found.clean, found.runs, found.trials) == (True, 2, 1)


def test_a_line_that_was_cut_off_was_not_acknowledged(left):
    assert acknowledged(left, "s") == {(0, 1), (0, 2), (1, 1), (1, 2)}


def test_a_report_that_was_acknowledged_and_is_gone_is_lost(left):
    alter(left, "DELETE FROM autoopt_epochs WHERE run_id = 1 AND epoch = 2",
          "UPDATE autoopt_runs SET epochs_done = 1 WHERE id = 1")  # fmt: skip
    found = look(left)
    assert (found.lost, found.integrity, found.clean) == (["s: run 1, epoch 2"], [], False)


def test_what_went_with_an_older_copy_is_forgiven(left):
    alter(left, "DELETE FROM autoopt_epochs WHERE run_id = 1 AND epoch = 2",
          "UPDATE autoopt_runs SET epochs_done = 1 WHERE id = 1")  # fmt: skip
    found = look(left, gone={"s": {(1, 2)}})
    assert (found.lost, found.forgiven) == ([], 1)


def test_two_runs_of_one_trial_are_found(left):
    with Store.open(left / "chaos.db") as store:
        store.save("s", records=[RunRecord(Run(2, Recipe("adam"), 0, 2, trial=0), RunState.STOPPED)])
    assert look(left).duplicated == ["s: trial 0 has 2 runs"]


def test_two_confirming_runs_of_one_seed_are_found(left):
    again = Run(2, Recipe("sgd"), 1, 2, Purpose.CONFIRM)
    with Store.open(left / "chaos.db") as store:
        store.save("s", records=[RunRecord(again, RunState.STOPPED)])
    assert len(look(left).duplicated) == 1


def test_a_run_that_still_runs_is_stuck(left):
    alter(left, "UPDATE autoopt_runs SET state = 'running' WHERE id = 1")
    assert look(left).stuck == ["s: run 1"]


def test_a_study_that_never_ended_is_stuck(left):
    alter(left, "UPDATE autoopt_studies SET state = 'running'")
    assert look(left).stuck == ["s is running"]


def test_a_run_that_counts_other_epochs_than_it_has_is_found(left):
    alter(left, "UPDATE autoopt_runs SET epochs_done = 1 WHERE id = 1")
    assert look(left).integrity == ["run 1 of study 's' counts 1 epochs; 2 are recorded, the last one is 2"]


def test_another_recommendation_is_found(left):
    assert look(left, wanted={"s": VERDICT | {"recipe": {"optimizer": "adam"}}}).differing == ["s"]


@pytest.mark.slow
def test_a_short_campaign_leaves_nothing_wrong(tmp_path):
    command = [sys.executable, "-m", "studies.chaos", "--quick", "--json", str(tmp_path / "found.json")]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["kills"] > 0
    assert (found["lost"], found["duplicated"], found["stuck"], found["integrity"]) == (0, 0, 0, "ok")
