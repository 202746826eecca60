"""How far a running study is, and how long it will take."""

from datetime import UTC, datetime, timedelta

import pytest

from autoopt.dashboard.left import seconds_left, share_spent
from autoopt.records.margin import SittingRecord
from autoopt.records.study import StudyRecord, StudySummary

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def running(spent, after):
    """A study of ten epochs a run that has spent so many epochs, so many seconds after its sitting began."""
    study = StudyRecord("s", "t", "", "f", "loss", "minimize", 10, updated=BEGAN + timedelta(seconds=after))
    return StudySummary(study, {}, spent, 0.0, None)


def sitting(epochs_before=0, seconds_before=0.0, **budget):
    return SittingRecord(BEGAN, epochs_before, seconds_before, {"runs": 20.0, "seconds": None, **budget})


def test_what_is_left_takes_as_long_an_epoch_as_what_was_trained():
    assert seconds_left(running(50, 100.0), sitting()) == pytest.approx(300.0)


def test_the_pace_is_that_of_this_sitting_alone():
    assert seconds_left(running(150, 100.0), sitting(epochs_before=100)) == pytest.approx(100.0)


def test_a_time_out_ends_it_sooner_and_counts_earlier_sittings():
    assert seconds_left(running(50, 100.0), sitting(seconds_before=30.0, seconds=150.0)) == pytest.approx(
        20.0
    )


@pytest.mark.parametrize(
    ("summary", "known"),
    [(running(0, 10.0), sitting()), (running(50, 0.0), sitting()), (running(50, 10.0), None),
     (running(50, 10.0), sitting(runs=None))],
)  # fmt: skip
def test_nothing_is_said_before_anything_is_known(summary, known):
    assert seconds_left(summary, known) is None


def test_a_budget_that_is_overdrawn_is_spent_and_no_more():
    assert share_spent(running(500, 10.0), sitting()) == 1.0
    assert seconds_left(running(500, 10.0), sitting()) == 0.0
