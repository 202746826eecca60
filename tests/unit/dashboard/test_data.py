"""What is kept of a study, and when it is read anew."""

import pytest

from autoopt.dashboard import ahead, data
from autoopt.run import EpochReport, Run, RunRecord, RunState

from .conftest import SGD


def add_run(store, study, number=100):
    run = Run(number, SGD, 0, 9, trial=number, cohort=9)
    store.save(study, runs=[run], reports=[EpochReport(number, 1, 0.01, 0.01, 0.01)],
               records=[RunRecord(run, RunState.RUNNING, 0.01, 1, 1.0)])  # fmt: skip


def test_what_is_saved_to_a_study_is_seen_at_once(database):
    before = len(data.trials("running"))
    add_run(database, "running")
    assert len(data.trials("running")) == before + 1


def test_a_large_running_study_is_read_anew_only_now_and_then(database, monkeypatch):
    monkeypatch.setattr(data, "LARGE", 3)
    monkeypatch.setattr(data.time, "time", lambda: 1000.0)
    before = len(data.trials("running"))
    add_run(database, "running")
    assert len(data.trials("running")) == before
    monkeypatch.setattr(data.time, "time", lambda: 1000.0 + data.EVERY_SECONDS)
    assert len(data.trials("running")) == before + 1


def test_trials_are_judged_by_their_score_at_the_first_look(database):
    scores = data.first_scores("judged")
    assert data.first_look(data.summary("judged").study) == 1
    assert scores.loc[scores["id"] == 3, "y"].item() == pytest.approx(1 / 2 + 9 / 50)


def test_reading_ahead_asks_the_database_before_anybody_does(database, monkeypatch):
    ahead.read_ahead()
    newest = data.names()[0]
    monkeypatch.setattr(data, "_READERS", {})
    assert data.comparison(newest) is not None


def test_reading_ahead_of_nothing_is_no_error(empty_database):
    ahead.read_ahead()
