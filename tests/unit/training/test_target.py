import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.training.replay import replay_cohort
from autoopt.training.target import Target, TargetCohort, crossing

LOSS = Target(0.3, "loss", "minimize")
ACCURACY = Target(0.9, "accuracy", "maximize")


class Script:
    """A cohort whose epochs are written: by run, seconds and score of each."""

    def __init__(self, runs, epochs, **more):
        self.runs, self._epochs, self._more, self._done = list(runs), epochs, more, {}

    def advance(self, run_ids=None, until=None):
        for run in [r for r in self.runs if run_ids is None or r.id in run_ids]:
            place = self._done[run.id] = self._done.get(run.id, 0) + 1
            seconds, score = self._epochs[run.id][place - 1]
            yield EpochReport(run.id, place, score, score, score, seconds=seconds,
                              diverged=not math.isfinite(score), **self._more)  # fmt: skip

    def add(self, runs):
        self.runs += runs

    def keep(self, run_ids):
        self.runs = [run for run in self.runs if run.id in run_ids]


def told(target, epochs, **more):
    """The reports of one run, and of the length of its training."""
    run = Run(0, Recipe("sgd"), 0, len(epochs))
    cohort = TargetCohort(Script([run], [epochs], **more), target)
    return [report for _ in epochs for report in cohort.advance()]


def test_a_run_scores_the_seconds_until_it_crosses_the_target():
    scores = [report.score for report in told(LOSS, [(1.0, 0.9), (2.0, 0.5), (2.0, 0.1), (2.0, 0.4)])]
    assert scores[2:] == pytest.approx([4.0, 4.0])  # halfway through the third epoch, and for good


def test_a_run_that_has_not_reached_it_scores_a_whole_training_and_the_gap():
    first, *_ = told(LOSS, [(2.0, 0.45), (2.0, 0.1), (2.0, 0.1)])
    assert first.score == pytest.approx(6.0 * 1.5)


def test_more_is_better_where_the_metric_says_so():
    first, second = told(ACCURACY, [(1.0, 0.45), (1.0, 0.95)])
    assert first.score == pytest.approx(2.0 * 1.5)
    assert second.score == pytest.approx(1.9)
    assert ACCURACY.objective == "seconds to accuracy ≥ 0.9"


def test_the_score_itself_stays_in_the_report():
    report, *_ = told(ACCURACY, [(1.0, 0.5)], test_score=0.4, metrics={"f1": 0.2})
    assert report.metrics == {"f1": 0.2, "validation accuracy": 0.5, "test accuracy": 0.4}
    assert report.test_score is None
    assert ACCURACY.seen_through([report])[0].score == 0.5


def test_averaged_weights_are_judged_by_their_own_gap_and_never_before_an_arrival():
    report, *_ = told(LOSS, [(1.0, 0.6), (1.0, 0.1)], averaged_score=0.2)
    assert report.averaged_score == pytest.approx(2.0)


def test_a_run_that_diverges_is_told_as_it_is():
    report, *_ = told(LOSS, [(1.0, math.nan)])
    assert report.diverged
    assert math.isnan(report.score)


def test_a_target_of_zero_leaves_a_gap_in_units_of_the_score():
    assert Target(0.0, "loss", "minimize").gap(0.5) == 0.5


def test_recorded_epochs_give_what_they_gave_and_their_seconds_count():
    epochs = [(5.0, 0.9), (5.0, 0.5), (5.0, 0.1)]
    whole = told(LOSS, epochs)
    run = Run(0, Recipe("sgd"), 0, 3)
    again = [(1.0, score) for _, score in epochs]  # trained again, and faster
    inner = replay_cohort([run], {0: whole[:2]}, lambda runs: Script(runs, [again]))
    cohort = TargetCohort(inner, LOSS)
    reports = [report for _ in epochs for report in cohort.advance()]
    assert reports[:2] == whole[:2]
    assert reports[2].score == pytest.approx(10.5)  # ten recorded seconds and half of the one of today


@given(
    st.lists(st.floats(0.31, 10.0), min_size=1, max_size=8), st.lists(st.floats(0.0, 10.0), min_size=1, max_size=8)
)  # fmt: skip
def test_at_one_speed_whoever_reached_it_beats_whoever_did_not(missing, other):
    length = max(len(missing), len(other)) + 1
    runs = [Run(k, Recipe("sgd"), 0, length) for k in (0, 1)]
    written = [[(1.0, score) for score in missing], [(1.0, score) for score in [*other, 0.2]]]
    cohort = TargetCohort(Script(runs, written), LOSS)
    missed = [next(iter(cohort.advance([0]))).score for _ in missing]
    arrived = [next(iter(cohort.advance([1]))).score for _ in written[1]][-1]
    assert arrived < min(missed)


@given(st.lists(st.tuples(st.floats(0.1, 5.0), st.floats(0.0, 3.0)), min_size=1, max_size=10))
def test_an_arrival_lies_within_the_epoch_that_reaches_the_target(epochs):
    path, spent = [], 0.0
    for seconds, cost in epochs:
        spent += seconds
        path.append((spent, cost))
    found = crossing(path, 1.0)
    first = next((k for k, (_, cost) in enumerate(path) if cost <= 1.0), None)
    if first is None:
        assert found == math.inf
    else:
        assert (path[first - 1][0] if first else 0.0) <= found <= path[first][0] + 1e-9
