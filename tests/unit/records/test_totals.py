"""The list of studies, added up by the database."""

from __future__ import annotations

import math
import time
from datetime import timedelta

import pytest
from sqlalchemy import event

from autoopt.run import RunRecord, RunState

from .examples import LONG_AGO, make_report, make_run, make_study


def finished(*scores):
    return [RunRecord(make_run(i), RunState.FINISHED, score, 20, 1.5) for i, score in enumerate(scores)]


def test_a_study_without_runs_has_totals_of_zero(store):
    (summary,) = store.studies()
    assert (summary.study, summary.runs, summary.spent_epochs, summary.best_score) == (
        make_study(),
        {},
        0,
        None,
    )


def test_runs_are_counted_by_state(store):
    states = [RunState.STOPPED, RunState.DIVERGED, RunState.STOPPED, RunState.FAILED]
    store.save_records("digits", [RunRecord(make_run(i), state) for i, state in enumerate(states)])
    assert store.studies()[0].runs == {RunState.STOPPED: 2, RunState.DIVERGED: 1, RunState.FAILED: 1}


def test_compute_is_added_up_over_all_states(store):
    stopped = RunRecord(make_run(2), RunState.STOPPED, 0.1, 10, 0.5)
    store.save_records("digits", [*finished(1.0, 2.0), stopped])
    (summary,) = store.studies()
    assert (summary.spent_epochs, summary.spent_runs, summary.seconds) == (50, 2.5, 3.5)


@pytest.mark.parametrize(("direction", "best"), [("minimize", -2.0), ("maximize", 3.0)])
def test_the_best_score_is_that_of_a_finished_run_and_finite(store, direction, best):
    store.create_study(make_study("letters", direction=direction))
    odd = finished(3.0, -2.0, math.nan, math.inf, -math.inf, None)
    store.save_records("letters", [*odd, RunRecord(make_run(9), RunState.DIVERGED, best * 10, 3)])
    assert {s.study.name: s.best_score for s in store.studies()} == {"letters": best, "digits": None}


def test_a_score_that_is_never_finite_is_no_best_score(store):
    store.save_records("digits", finished(math.nan, math.inf))
    assert store.studies()[0].best_score is None


def test_the_study_saved_to_last_comes_first(store):
    store.create_study(make_study("later", updated=LONG_AGO + timedelta(days=1)))
    before = [s.study.name for s in store.studies()]
    store.save("digits", runs=[make_run()])
    assert (before, [s.study.name for s in store.studies()]) == (["later", "digits"], ["digits", "later"])


@pytest.fixture
def large_store(file_store):
    """2,000 runs of 20 epochs each."""
    for first in range(0, 2000, 500):
        records = [RunRecord(make_run(i), RunState.FINISHED, 1.0, 20) for i in range(first, first + 500)]
        reports = [make_report(record.run.id, epoch) for record in records for epoch in range(1, 21)]
        file_store.save("digits", reports=reports, records=records)
    return file_store


def test_a_large_study_answers_at_once(large_store):
    start = time.perf_counter()
    (summary,) = large_store.studies()
    curve = large_store.reports("digits", [1234])[1234]
    last = large_store.next_run_id("digits")
    seconds = time.perf_counter() - start
    assert (summary.spent_epochs, len(curve), last) == (40_000, 20, 2000)
    assert seconds < 0.5  # some 10 ms on a machine that does nothing else


def test_totals_come_from_the_index_alone(file_store):
    plans = []

    def explain(connection, cursor, statement, parameters, *_):
        if "autoopt_runs" in statement and not statement.startswith("EXPLAIN"):
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[-1] for row in rows)

    event.listen(file_store.engine, "before_cursor_execute", explain)
    file_store.studies()
    assert plans == ["SCAN autoopt_runs USING COVERING INDEX autoopt_runs_totals"]
