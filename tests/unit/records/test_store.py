"""What is saved comes back as it was."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from autoopt.errors import StorageError
from autoopt.records.store import Store
from autoopt.run import RunRecord, RunState

from .examples import LONG_AGO, make_baseline, make_report, make_run, make_study


def test_a_study_comes_back_as_it_was(store):
    assert store.study("digits") == make_study()


def test_a_study_that_does_not_exist_is_none(store):
    assert store.study("letters") is None


def test_a_study_of_a_taken_name_is_refused(store):
    with pytest.raises(StorageError, match="a study 'digits' exists already in"):
        store.create_study(make_study(task="another"))


def test_times_in_another_zone_come_back_in_utc(store):
    here = datetime.fromisoformat("2026-07-01T12:00:00+02:00")
    store.create_study(make_study("summer", created=here))
    assert store.study("summer").created == datetime(2026, 7, 1, 10, tzinfo=UTC)


def test_options_keep_infinities_and_nan(store):
    store.create_study(make_study("odd", options={"limits": [math.inf, math.nan], "nothing": None}))
    assert repr(store.study("odd").options) == "{'limits': [inf, nan], 'nothing': None}"


def test_runs_come_back_by_ascending_id(store):
    runs = [make_run(2, trial=5, cohort=1, rungs=(2, 7)), make_baseline(0), make_run(1)]
    store.add_runs("digits", runs)
    assert store.runs("digits") == [RunRecord(runs[1]), RunRecord(runs[2]), RunRecord(runs[0])]


def test_reports_come_back_by_run_and_epoch(store):
    store.add_runs("digits", [make_run(0), make_run(1)])
    reports = [make_report(1, 1, failure="it\nbroke"), make_report(0, 2, diverged=True), make_report(0, 1)]
    store.add_reports("digits", reports)
    assert store.reports("digits") == {0: [reports[2], reports[1]], 1: [reports[0]]}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 0.1, 5e-324])
def test_any_float_survives_in_a_report(store, number):
    report = make_report(
        train_loss=number, valid_loss=number, score=number, averaged_score=number, learning_rate=number,
        gradient_norm=number, seconds=number, test_score=number,
    )  # fmt: skip
    store.save("digits", runs=[make_run()], reports=[report])
    assert repr(store.reports("digits")[0][0]) == repr(report)


@pytest.mark.parametrize("number", [math.nan, math.inf, None])
def test_a_score_that_is_nan_differs_from_one_that_is_missing(store, number):
    record = RunRecord(make_run(), score=number, test_score=number)
    store.save_records("digits", [record])
    assert repr(store.runs("digits")) == repr([record])


def test_numbers_of_numpy_are_kept_as_numbers(store):
    store.save(
        "digits",
        runs=[replace(make_run(), seed=np.int64(3), epochs=np.int32(4))],
        reports=[make_report(np.int64(0), np.int64(1), score=np.float32(0.5), valid_loss=np.float64("nan"))],
    )
    found = store.runs("digits")[0].run, store.reports("digits")[0][0]
    assert (found[0].seed, found[0].epochs, found[1].score, str(found[1].valid_loss)) == (3, 4, 0.5, "nan")


def test_text_that_no_database_takes_is_kept_as_its_escape(store):
    store.save("digits", records=[RunRecord(make_run(), note="a\0b \udcff ü")])
    assert store.runs("digits")[0].note == "a\\x00b \\udcff ü"


def test_a_number_beyond_64_bits_is_refused(store):
    with pytest.raises(StorageError, match="beyond 64 bits"):
        store.add_runs("digits", [replace(make_run(), seed=2**64)])


def test_saving_the_same_again_changes_nothing(store):
    everything = {
        "runs": [make_run()],
        "reports": [make_report()],
        "records": [RunRecord(make_run(), score=1.0)],
    }
    store.save("digits", **everything)
    store.save("digits", **everything)
    assert (store.runs("digits"), store.reports("digits")) == (everything["records"], {0: [make_report()]})


def test_adding_a_run_again_leaves_its_outcome(store):
    record = RunRecord(make_run(), RunState.FINISHED, 0.5, 20)
    store.save("digits", runs=[record.run], records=[record])
    store.add_runs("digits", [record.run])
    assert store.runs("digits") == [record]


def test_a_later_report_of_an_epoch_replaces_the_earlier(store):
    store.save("digits", runs=[make_run()], reports=[make_report(score=1.0)])
    store.add_reports("digits", [make_report(score=2.0)])
    assert store.reports("digits") == {0: [make_report(score=2.0)]}


def test_a_record_changes_the_outcome_of_its_run(store):
    store.add_runs("digits", [make_run(), make_run(1)])
    record = RunRecord(make_run(), RunState.STOPPED, 0.5, 7, 3.5, "others did better", 0.6)
    store.save_records("digits", [record])
    assert store.runs("digits") == [record, RunRecord(make_run(1))]


def test_a_run_id_taken_by_another_recipe_is_refused(store):
    store.add_runs("digits", [make_run(0)])
    with pytest.raises(StorageError, match=r"run 0 of study 'digits' .* has another recipe or seed"):
        store.add_runs("digits", [make_run(1), make_baseline(0)])


def test_what_cannot_be_saved_whole_is_not_saved_at_all(store):
    with pytest.raises(StorageError, match="a report needs its run"):
        store.save("digits", runs=[make_run(0)], reports=[make_report(0), make_report(99)])
    assert store.runs("digits") == []


def test_reports_of_some_runs_leave_out_the_others(store):
    store.save("digits", runs=[make_run(i) for i in range(4)], reports=[make_report(i) for i in (0, 1, 3)])
    assert list(store.reports("digits", [3, 1, 2, 1])) == [1, 3]


def test_reports_of_very_many_runs_can_be_asked_for(store):
    ids = [5, 39_999]
    store.save("digits", runs=[make_run(i) for i in ids], reports=[make_report(i) for i in ids])
    assert list(store.reports("digits", range(40_000))) == ids


def test_reports_of_no_runs_are_none(store):
    store.save("digits", runs=[make_run()], reports=[make_report()])
    assert store.reports("digits", []) == {}


def test_run_ids_go_on_after_the_largest(store):
    before = store.next_run_id("digits")
    store.add_runs("digits", [make_run(0), make_run(6)])
    assert (before, store.next_run_id("digits")) == (0, 7)


def test_the_newest_verdict_counts(store):
    store.save_verdict("digits", {"verdict": "tie"})
    store.save_verdict("digits", {"verdict": "better", "gain": math.inf})
    assert store.verdict("digits") == {"verdict": "better", "gain": math.inf}


def test_before_a_verdict_there_is_none(store):
    assert store.verdict("digits") is None


def test_a_new_state_is_kept_and_moves_the_heartbeat(store):
    store.update_study("digits", state="done")
    study = store.study("digits")
    assert study.state == "done"
    assert study.updated > LONG_AGO == study.created


@pytest.mark.parametrize("act", [
    lambda s: s.update_study("digits"), lambda s: s.save("digits"), lambda s: s.save_verdict("digits", {}),
])  # fmt: skip
def test_all_that_is_saved_moves_the_heartbeat(store, act):
    act(store)
    assert store.study("digits") == replace(make_study(), updated=store.study("digits").updated)
    assert store.study("digits").updated > LONG_AGO


def test_deleting_a_study_leaves_the_others(store):
    store.create_study(make_study("letters"))
    for name in ("digits", "letters"):
        store.save(name, runs=[make_run()], reports=[make_report()])
        store.save_verdict(name, {"of": name})
    store.delete_study("digits")
    assert store.study("digits") is None
    assert (list(store.reports("letters")), store.verdict("letters")) == ([0], {"of": "letters"})


def test_a_deleted_name_starts_afresh(store):
    store.save("digits", runs=[make_run()], reports=[make_report()])
    store.delete_study("digits")
    store.create_study(make_study())
    assert (store.runs("digits"), store.reports("digits"), store.next_run_id("digits")) == ([], {}, 0)


METHODS = {
    "runs": lambda s: s.runs("digit"),
    "reports": lambda s: s.reports("digit"),
    "next_run_id": lambda s: s.next_run_id("digit"),
    "verdict": lambda s: s.verdict("digit"),
    "save": lambda s: s.save("digit"),
    "save_verdict": lambda s: s.save_verdict("digit", {}),
    "update_study": lambda s: s.update_study("digit"),
    "delete_study": lambda s: s.delete_study("digit"),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_wrong_name_of_a_study_is_told_with_the_nearest(store, method):
    with pytest.raises(StorageError, match="unknown study 'digit': did you mean 'digits'"):
        method(store)


def test_a_name_asked_for_in_an_empty_store_is_told_so():
    with (
        Store.open(":memory:") as empty,
        pytest.raises(StorageError, match=r"no study 'digits': .* none yet"),
    ):
        empty.runs("digits")
