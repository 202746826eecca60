"""The best of one side against the best of another."""

import math

import pytest

from autoopt.run import Purpose
from autoopt.verdict.studied import StudiedRuns, compare_all, compare_sides
from tests.unit.verdict.studies import MadeStudy


def studied(study, direction="minimize"):
    return StudiedRuns(study.records, study.reports, "loss", direction, study.epochs)


def adam_or_sgd(study, **options):
    return compare_sides(
        studied(study, options.pop("direction", "minimize")),
        lambda r: r.optimizer == "adam", lambda r: r.optimizer == "sgd", lambda r: r.optimizer, **options,
    )  # fmt: skip


def noisy():
    """A study whose seeds scatter by 0.01."""
    return MadeStudy().confirm("rmsprop", scores=[0.49, 0.50, 0.51])


def test_single_runs_are_compared_at_the_latest_epoch_that_both_sides_reached():
    study = noisy().add("adam", scores=[0.9, 0.8, 0.5, 0.1]).add("sgd", scores=[0.8, 0.7, 0.9])

    found = adam_or_sgd(study)

    assert (found.middle, found.basis) == (pytest.approx(0.4), "search")
    assert found.low < 0.4 < found.high
    assert "best adam 0.5 against sgd 0.9 in single runs after 3 of 9 epochs" in found.figures


def test_the_margin_of_two_single_runs_is_that_of_a_difference_with_few_seeds():
    assert studied(noisy()).margin() == pytest.approx(4.303 * math.sqrt(2) * 0.01, rel=1e-3)
    assert studied(noisy()).margin(pairs=3) > studied(noisy()).margin()


def test_without_confirmed_seeds_the_noise_is_unknown_and_nothing_is_decided():
    found = adam_or_sgd(MadeStudy().add("adam", scores=[0.1]).add("sgd", scores=[0.9]))

    assert (found.low, found.high) == (-math.inf, math.inf)
    assert found.figures.endswith("the seed noise is not known")


def test_confirmed_runs_are_better_evidence_than_those_of_the_search():
    study = MadeStudy().add("adam", scores=[0.1] * 9).add("sgd", scores=[0.9] * 9)
    study.confirm("adam", scores=[0.50, 0.51, 0.52]).confirm("sgd", scores=[0.40, 0.41, 0.42])

    found = adam_or_sgd(study)

    assert (found.basis, found.middle) == ("confirmed", pytest.approx(-0.1))
    assert found.figures.startswith("confirmed adam 0.51 against sgd 0.41 on 3 fresh seeds")


def test_an_untuned_baseline_does_not_speak_for_its_optimizer():
    study = (
        MadeStudy()
        .add("adam", scores=[0.3] * 9)
        .add("sgd", scores=[0.4] * 9)
        .confirm("sgd", scores=[0.4] * 3)
    )
    for seed in (1, 2, 3):
        study.add("adam", 1e-3, [0.9] * 9, purpose=Purpose.BASELINE, seed=seed)

    found = adam_or_sgd(study)

    assert (found.basis, found.middle) == ("search", pytest.approx(0.1))


def test_a_metric_that_is_maximized_is_read_the_other_way_round():
    study = noisy().add("adam", scores=[0.9]).add("sgd", scores=[0.5])

    assert adam_or_sgd(study, direction="maximize").middle == pytest.approx(0.4)


def test_what_shows_in_the_end_only_is_not_told_by_a_rung():
    study = noisy().add("adam", scores=[0.1]).add("sgd", scores=[0.9])

    assert not adam_or_sgd(study, in_full=True).telling
    study.add("adam", scores=[0.1] * 9).add("sgd", scores=[0.9] * 9)
    assert adam_or_sgd(study, in_full=True).telling


def test_a_side_that_was_not_tried_cannot_be_compared():
    assert adam_or_sgd(MadeStudy().add("adam", scores=[0.1])) is None


def test_averaged_weights_count_at_a_rung():
    study = noisy().add("adam", scores=[0.5], averaged=0.2).add("sgd", scores=[0.4], averaged=0.4)

    assert adam_or_sgd(study).middle == pytest.approx(0.2)


def test_one_given_up_early_was_not_alike():
    study = noisy().add("adam", scores=[0.5] * 9).add("adadelta", scores=[0.9]).add("sgd", scores=[0.9] * 9)

    found = compare_all(studied(study), ["adam", "adadelta", "lion"])

    assert found.low > 0
    assert "after 1 of 9 epochs" in found.figures


def test_those_alike_tell_only_where_somebody_else_stands_out_in_the_end():
    study = noisy().add("adam", scores=[0.5] * 9).add("adadelta", scores=[0.5] * 9)
    assert not compare_all(studied(study), ["adam", "adadelta"]).telling

    study.add("sgd", scores=[0.9] * 9)

    assert compare_all(studied(study), ["adam", "adadelta"]).telling
    assert compare_all(studied(study), ["adam", "lion"]) is None
