"""What stands beside the runs of a study: budget, notes and tags, range tests."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from autoopt.errors import StorageError
from autoopt.records.margin import LONGEST_TAG, MOST_CHARACTERS, MOST_TAGS, Label, Margin
from autoopt.records.store import Store

from .examples import make_report, make_run


@pytest.fixture
def margin(file_store):
    return Margin(file_store)


def test_the_budget_of_the_last_sitting_is_known_with_what_was_spent_before(file_store, margin):
    margin.begin_sitting("digits", {"runs": 20.0, "seconds": None})
    run = make_run(0)
    file_store.save("digits", runs=[run], reports=[make_report(0, 1)])
    margin.begin_sitting("digits", {"runs": 40.0, "seconds": 60.0}, 12.5)
    found = margin.sitting("digits")
    assert (found.budget, found.seconds_before) == ({"runs": 40.0, "seconds": 60.0}, 12.5)
    assert found.epochs_before == sum(r.epochs_done for r in file_store.runs("digits"))


def test_a_study_without_a_sitting_has_no_budget(margin):
    assert margin.sitting("digits") is None


def test_a_note_and_tags_are_kept_until_others_are_written(margin):
    margin.write_label("digits", Label("first", ("a", "b")))
    margin.write_label("digits", Label("second <b>", (" b ", "c", "b", "")))
    assert margin.labels() == {"digits": Label("second <b>", ("b", "c"))}


def test_a_note_does_not_move_the_heartbeat(file_store, margin):
    before = file_store.study("digits").updated
    margin.write_label("digits", Label("note"))
    assert file_store.study("digits").updated == before


@pytest.mark.parametrize(
    ("note", "tags", "says"),
    [
        ("x" * (MOST_CHARACTERS + 1), (), "shorten it"),
        ("", [f"t{n}" for n in range(MOST_TAGS + 1)], "leave some out"),
        ("", ["x" * (LONGEST_TAG + 1)], "shorten 'xxx"),
    ],
)
def test_a_label_that_is_too_long_is_refused_with_what_to_do(note, tags, says):
    with pytest.raises(StorageError, match=says):
        Label(note, tuple(tags))


def test_the_newest_range_test_of_each_optimizer_is_returned(margin):
    margin.save_range_tests(
        "digits", [({"optimizer": "sgd"}, {"best": 0.1}), ({"optimizer": "adam"}, {"best": None})]
    )
    margin.save_range_tests("digits", [({"optimizer": "sgd"}, {"best": 0.3})])
    assert margin.range_tests("digits") == [
        ({"optimizer": "sgd"}, {"best": 0.3}),
        ({"optimizer": "adam"}, {"best": None}),
    ]


def test_a_deleted_study_takes_its_margin_along(file_store, margin):
    margin.begin_sitting("digits", {"runs": 20.0})
    margin.write_label("digits", Label("note"))
    file_store.delete_study("digits")
    assert margin.labels() == {}


def test_a_database_of_an_older_version_has_an_empty_margin(path):
    connection = sqlite3.connect(path)
    connection.executescript((Path(__file__).parent / "version_1.sql").read_text())
    connection.close()
    with Store.open(path, readonly=True) as store:
        margin = Margin(store)
        assert (margin.labels(), margin.sitting("digits"), margin.range_tests("digits")) == ({}, None, [])
    with Store.open(path) as store:
        Margin(store).write_label("digits", Label("now"))
        assert Margin(store).labels() == {"digits": Label("now")}
