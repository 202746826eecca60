"""Optimizers beside each other, from recorded runs."""

import json
import math

import pytest

from autoopt.errors import UsageError
from autoopt.recipe import Recipe
from autoopt.run import Purpose, RunState
from autoopt.tasks.profile import TaskProfile
from autoopt.verdict.comparison import common_bar, compare_optimizers, effective_rate, method_of
from autoopt.verdict.fields import Fields
from autoopt.verdict.figures import Comparison
from tests.unit.verdict.studies import MadeStudy

PROFILE = TaskProfile("mlp", 1_000, 1_000, n_train=100, steps_per_epoch=10)


def compared(study, direction="minimize", profile=PROFILE):
    return compare_optimizers(study.records, study.reports, direction, profile)


def figures(study, method="adam", **options):
    return next(each for each in compared(study, **options).optimizers if each.method == method)


def test_a_study_without_runs_compares_nobody():
    assert compared(MadeStudy()) == Comparison()


def test_speed_is_taken_where_trials_of_every_optimizer_got_to():
    study = MadeStudy().add("adam", scores=[0.5, 0.4, 0.3, 0.2]).add("sgd", scores=[0.9, 0.8], momentum=0.9)

    found = compared(study)

    assert (found.level, found.target) == (2, pytest.approx(0.6))
    assert [(each.method, each.score) for each in found.optimizers] == [("adam", 0.4), ("sgd", 0.8)]


def test_the_time_to_the_target_lies_between_two_epochs():
    study = MadeStudy().add("adam", scores=[0.8, 0.4], seconds=3.0).add("sgd", scores=[0.9, 0.8])

    assert compared(study).target == pytest.approx(0.6)
    assert figures(study).epochs_to_target.middle == pytest.approx(1.5)
    assert figures(study).seconds_to_target.middle == pytest.approx(4.5)
    assert figures(study, "plain sgd").epochs_to_target is None


def test_without_confirmed_seeds_the_time_has_no_bounds_and_with_them_it_has():
    study = (
        MadeStudy().add("adam", scores=[0.9, 0.8, 0.6, 0.4, 0.3]).add("sgd", scores=[1.0, 0.9, 0.8, 0.6, 0.5])
    )
    assert not figures(study).epochs_to_target.bounded

    study.confirm("adam", scores=[0.29, 0.30, 0.31])

    time = figures(study).epochs_to_target
    assert time.bounded
    assert time.low < time.middle < time.high
    assert time.middle == pytest.approx(4.0)


def test_a_metric_that_is_maximized_is_read_the_other_way_round():
    study = MadeStudy().add("adam", scores=[0.5, 0.9]).add("sgd", scores=[0.4, 0.5])

    assert [each.method for each in compared(study, "maximize").optimizers] == ["adam", "plain sgd"]
    assert figures(study, direction="maximize").epochs_to_target.middle == pytest.approx(1.5)


def test_a_rate_is_good_if_it_reaches_what_the_middle_one_of_the_first_cohort_had():
    study = MadeStudy()
    for lr, score in ((1e-4, 0.9), (1e-3, 0.5), (1e-2, 0.7)):
        study.add("adam", lr, [score])
    study.add("adam", 3e-3, [0.6], cohort=1)

    assert common_bar(study.records, study.reports, "minimize") == (1, 0.7)
    found = figures(study)
    assert (found.trials, found.good, found.good_rates) == (4, 3, (1e-3, 1e-2))
    assert (found.basin.low, found.basin.middle, found.basin.high) == pytest.approx((1.0, 1.5, math.inf))


def test_a_diverged_trial_is_never_good_and_ends_the_basin():
    study = MadeStudy().add("adam", 1e-4, [0.9]).add("adam", 1e-3, [0.5]).add("adam", 1e-2, [0.5])
    study.add("adam", 1e-1, [0.1, 99.0], state=RunState.DIVERGED, cohort=1)

    found = figures(study)

    assert (found.diverged, found.good) == (1, 2)
    assert found.basin.high == pytest.approx(3.0)
    assert found.diverged_share.low < found.diverged_share.middle == 0.25 < found.diverged_share.high


def test_trials_that_failed_say_nothing_of_the_optimizer():
    study = MadeStudy().add("adam", scores=[0.5]).add("adam", scores=[0.4], state=RunState.FAILED)

    assert figures(study).diverged_share.middle == 0.0
    assert figures(study).trials == 2


def test_where_half_of_the_first_cohort_diverged_there_is_no_bar():
    study = MadeStudy().add("adam", 1.0, [9.0], state=RunState.DIVERGED).add("sgd", 0.1, [0.5])
    study.add("sgd", 9.0, [9.0], state=RunState.DIVERGED)

    assert compared(study).bar is None
    assert figures(study).basin is None


def test_memory_follows_from_the_catalogue_and_the_model():
    study = MadeStudy().add("adam").add("sgd", momentum=0.9).add("sgd", momentum=0.0)

    found = {each.method: (each.state_floats, each.state_bytes) for each in compared(study).optimizers}

    assert found == {"adam": (2.0, 8_000), "sgd": (1.0, 4_000), "plain sgd": (0.0, 0)}
    assert figures(study, profile=None).state_bytes is None


def test_a_step_takes_its_share_of_an_epoch_with_the_batch_size_of_the_recipe():
    study = MadeStudy().add("adam", batch_size=50, seconds=4.0).add("sgd", seconds=4.0)

    assert figures(study).seconds_step.middle == pytest.approx(2.0)
    assert figures(study, "plain sgd").seconds_step.middle == pytest.approx(0.4)
    assert figures(study, profile=None).seconds_step is None


def test_the_best_confirmed_recipe_counts_with_its_seeds():
    study = MadeStudy().confirm(lr=1e-3, scores=[0.3, 0.4]).confirm(lr=1e-2, scores=[0.2, 0.2, 0.2])

    found = figures(study)

    assert (found.confirmed.middle, found.seeds, found.trials, found.score) == (
        pytest.approx(0.2),
        3,
        0,
        None,
    )


def test_the_baseline_is_told_from_what_was_tuned():
    baseline = MadeStudy().add("adam", scores=[0.3] * 9, purpose=Purpose.BASELINE, seed=1)

    assert figures(baseline).confirmed.middle == pytest.approx(0.3)
    assert not figures(baseline).tuned
    assert figures(MadeStudy().confirm(scores=[0.3])).tuned


def test_plain_sgd_is_a_method_of_its_own():
    plain, with_momentum = (
        Recipe("sgd", {"lr": 0.1, "momentum": 0.0}),
        Recipe("sgd", {"lr": 0.1, "momentum": 0.9}),
    )

    assert (method_of(plain), method_of(with_momentum)) == ("plain sgd", "sgd")
    assert effective_rate(with_momentum) == pytest.approx(1.0)
    assert effective_rate(Recipe("prodigy")) is None


def test_an_optimizer_that_is_not_in_the_catalogue_is_compared_all_the_same():
    found = figures(MadeStudy().add("theirs"), "theirs")

    assert (found.title, found.state_bytes, found.trials) == ("theirs", None, 1)


def test_the_comparison_survives_json():
    study = MadeStudy().add("adam", 1e-3, [0.5, 0.4, 0.3]).add("adam", 1e-2, [0.6]).add("adam", 1e-1, [0.7])
    study.add("sgd", 0.1, [0.9]).confirm(scores=[0.3, 0.31])

    found = compared(study)

    text = json.dumps(found.to_dict(), allow_nan=False)
    assert Comparison.from_fields(Fields(json.loads(text))) == found


def test_a_wrong_field_of_a_comparison_is_named():
    data = compared(MadeStudy().add("adam")).to_dict()
    data["optimizers"][0]["basin"] = {"low": "wide"}

    with pytest.raises(UsageError, match=r"optimizers\[0\].basin.low must be a finite number"):
        Comparison.from_fields(Fields(data))
