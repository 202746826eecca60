"""The documents' tables beside what a study measured."""

import pytest

from autoopt.guidance.claims import Claim, Place, load_claims
from autoopt.verdict.claims import judge_claims
from autoopt.verdict.figures import Comparison, OptimizerFigures
from autoopt.verdict.samples import share_interval
from autoopt.verdict.statistics import Interval

NAMES = ("plain sgd", "sgd", "rmsprop", "adam")


def stances(quantity, figures, direction="minimize", **comparison):
    places = tuple(Place(name, rank, "-") for rank, name in enumerate(NAMES))
    compared = Comparison(tuple(figures), level=2, target=0.5, noise=0.01, **comparison)
    found = judge_claims([Claim(quantity, ("D4",), places)], compared, direction)
    return {claim.method: claim.stance for claim in found}


def one(method, **figures):
    return OptimizerFigures(method, method, **{"trials": 5, "epochs": 9, **figures})


def test_who_was_not_tried_or_has_nobody_to_compare_with_is_not_tested():
    assert stances("speed", []) == dict.fromkeys(NAMES, "not tested")
    assert stances("speed", [one("adam", score=0.1)])["adam"] == "not tested"


def test_speed_is_the_time_to_the_common_score():
    found = stances("speed", [
        one("adam", epochs_to_target=Interval(1.0, 1.5, 2.0)), one("sgd", epochs_to_target=Interval(4.0, 5.0, 6.0)),
        one("rmsprop"),
    ])  # fmt: skip

    assert (found["adam"], found["sgd"], found["rmsprop"]) == ("agrees", "disagrees", "disagrees")


def test_where_the_time_leaves_it_open_the_score_after_as_many_epochs_tells():
    meet = Interval(1.0, 1.0, 1.0)
    far = [one("adam", epochs_to_target=meet, score=0.2), one("sgd", epochs_to_target=meet, score=0.4)]
    near = [one("adam", epochs_to_target=meet, score=0.2), one("sgd", epochs_to_target=meet, score=0.21)]

    assert stances("speed", far)["adam"] == "agrees"
    assert stances("speed", far, "maximize")["adam"] == "disagrees"
    assert stances("speed", near)["adam"] == "undecided"


def test_stability_is_the_share_that_diverged_and_then_the_width_of_good_rates():
    shares = [
        one("adam", diverged_share=share_interval(0, 20)),
        one("sgd", diverged_share=share_interval(15, 20)),
    ]
    assert stances("stability", shares)["adam"] == "agrees"

    same = share_interval(0, 20)
    wide = [one("adam", diverged_share=same, basin=Interval(0.2, 0.4, 0.6)),
            one("sgd", diverged_share=same, basin=Interval(1.0, 1.5, 2.0))]  # fmt: skip
    assert stances("stability", wide)["adam"] == "disagrees"


def test_memory_is_exact():
    figures = [one("adam", state_floats=2.0), one("sgd", state_floats=1.0), one("rmsprop", state_floats=1.0)]

    assert stances("memory", figures) == {
        "plain sgd": "not tested", "sgd": "agrees", "rmsprop": "agrees", "adam": "agrees"
    }  # fmt: skip


def test_a_score_in_the_end_takes_confirmed_runs_on_both_sides():
    sure = [one("adam", confirmed=Interval(0.1, 0.11, 0.12), tuned=True),
            one("sgd", confirmed=Interval(0.3, 0.31, 0.32), tuned=True)]  # fmt: skip
    assert stances("score", sure)["adam"] == "agrees"
    assert stances("score", sure, "maximize")["adam"] == "disagrees"
    assert stances("score", [sure[0], one("sgd", score=0.4)])["adam"] == "undecided"
    untuned = one("sgd", confirmed=Interval(0.3, 0.31, 0.32))
    assert stances("score", [sure[0], untuned])["adam"] == "undecided"


def test_every_cell_of_the_documents_gets_a_finding_with_its_source():
    found = judge_claims(load_claims(), Comparison(), "minimize")

    assert len(found) == sum(len(claim.places) for claim in load_claims())
    assert all(claim.source and claim.says and claim.stance == "not tested" for claim in found)


@pytest.mark.parametrize("quantity", ["speed", "stability", "memory", "score"])
def test_figures_that_are_not_known_decide_nothing(quantity):
    found = stances(quantity, [one("adam"), one("sgd")])
    assert set(found.values()) <= {"not tested", "undecided"}
