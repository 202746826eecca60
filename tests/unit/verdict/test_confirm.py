import math

import pytest

from autoopt.recipe import Recipe
from autoopt.run import Purpose, Run, RunRecord, RunState
from autoopt.verdict.confirm import Confirmation, drop_behind, gather_scores, plan_confirmation
from autoopt.verdict.statistics import mean_interval

ADAMW, SGD = Recipe("adamw", {"lr": 1e-3}), Recipe("sgd", {"lr": 0.1})


def record(recipe, seed, state, score=None, purpose=Purpose.CONFIRM, **rest):
    return RunRecord(Run(seed, recipe, seed, 5, purpose), state, score, **rest)


def test_a_score_that_is_not_finite_is_a_failure():
    confirmation = Confirmation(SGD, {3: 0.2, 1: math.nan, 2: math.inf}, failures={4: "boom"})
    assert confirmation.scores == {3: 0.2}
    assert confirmation.failures == {1: "the score was nan", 2: "the score was inf", 4: "boom"}


def test_values_that_are_not_used_to_choose_are_dropped_when_not_finite():
    confirmation = Confirmation(SGD, test_scores={1: math.inf, 2: 0.5}, search_score=math.nan)
    assert confirmation.test_scores == {2: 0.5}
    assert confirmation.search_score is None
    assert confirmation.failures == {}


def test_the_mean_comes_with_its_interval():
    confirmation = Confirmation(SGD, {1: 0.1, 2: 0.3}, {1: 0.4, 2: 0.6})
    assert confirmation.mean == pytest.approx(0.2)
    assert confirmation.interval == mean_interval([0.1, 0.3])
    assert confirmation.test_interval == mean_interval([0.4, 0.6])


def test_without_scores_there_is_no_mean():
    assert (Confirmation(SGD).mean, Confirmation(SGD).interval, Confirmation(SGD).test_interval) == (
        None,
    ) * 3


def test_the_plan_goes_seed_by_seed_and_knows_the_baseline():
    planned = [
        (run.recipe, run.seed, run.purpose)
        for run in plan_confirmation([ADAMW, SGD, ADAMW], ADAMW, [7, 8, 7])
    ]
    assert planned == [
        (ADAMW, 7, Purpose.BASELINE),
        (SGD, 7, Purpose.CONFIRM),
        (ADAMW, 8, Purpose.BASELINE),
        (SGD, 8, Purpose.CONFIRM),
    ]


def test_scores_and_failures_are_gathered_from_the_records():
    records = [
        record(SGD, 1, RunState.FINISHED, 0.1, test_score=0.2),
        record(SGD, 2, RunState.DIVERGED, note="the loss diverged"),
        record(SGD, 3, RunState.FAILED),
        record(SGD, 4, RunState.RUNNING, 0.9),
        record(SGD, 5, RunState.FINISHED, 0.3, purpose=Purpose.SEARCH),
        record(ADAMW, 6, RunState.FINISHED, 0.5),
    ]
    assert gather_scores(SGD, records, search_score=0.05) == Confirmation(
        SGD, {1: 0.1}, {1: 0.2}, 0.05, {2: "the loss diverged", 3: "failed"}
    )


def test_a_retry_that_finished_takes_the_place_of_the_failure():
    records = [record(SGD, 1, RunState.FAILED, note="boom"), record(SGD, 1, RunState.FINISHED, 0.1)]
    assert gather_scores(SGD, records) == Confirmation(SGD, {1: 0.1})


def test_those_that_failed_or_score_worse_drop_out_first():
    one, two, three = (Recipe("sgd", {"lr": rate}) for rate in (0.1, 0.2, 0.3))
    met = [
        Confirmation(one, {1: 0.5}),
        Confirmation(two, {1: 0.4}),
        Confirmation(three, {}, failures={1: "diverged"}),
    ]
    assert drop_behind(met, 2, "minimize") == [two, one]
    assert drop_behind(met, 1, "maximize") == [one]
    assert drop_behind([Confirmation(one), Confirmation(two)], 1, "minimize") == [one]
