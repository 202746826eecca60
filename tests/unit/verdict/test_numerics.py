"""The statistics of a verdict at the ends of what numbers can be, and as often right as they say."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from autoopt.errors import StudyFailed
from autoopt.recipe import Recipe
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.contest import Contest
from autoopt.verdict.recommend import recommend
from autoopt.verdict.recommendation import Recommendation, Spent
from autoopt.verdict.statistics import chance_best, mean_interval, paired_gain

ADAMW = Recipe("adamw", {"lr": 1e-3})
RIVALS = [Recipe("sgd", {"lr": 0.1}), Recipe("adam", {"lr": 1e-3}), Recipe("rmsprop", {"lr": 1e-3})]
TABLE = np.random.default_rng(0).normal(5, 1, (4, 5))


@pytest.fixture(scope="module")
def simulation():
    """``scripts/check_statistics.py`` as a module."""
    path = Path(__file__).parents[3] / "scripts" / "check_statistics.py"
    spec = importlib.util.spec_from_file_location("check_statistics", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_statistics"] = module  # its dataclasses look there for their types
    spec.loader.exec_module(module)
    yield module
    del sys.modules["check_statistics"]


def verdict_of(scores, direction="minimize", failures=()):
    """Recommend from a table with a row a recipe, the baseline's first."""
    rows = [
        Confirmation(recipe, {k: float(s) for k, s in enumerate(row)}, search_score=float(row[0]))
        for recipe, row in zip([ADAMW, *RIVALS], scores, strict=False)
    ]
    return recommend(
        study="s", task="t", objective="loss", direction=direction, epochs=3, finalists=rows[1:],
        baseline=rows[0], reasons=(), spent=Spent(1.0, 1.0, 1.0), versions={},
    )  # fmt: skip


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_a_verdict_does_not_depend_on_the_unit_of_the_scores(scale):
    usual, scaled = verdict_of(TABLE), verdict_of(TABLE * scale)
    assert (scaled.recipe, scaled.verdict) == (usual.recipe, usual.verdict)
    assert scaled.chance_best == pytest.approx(usual.chance_best, rel=1e-6)
    assert scaled.gain.low == pytest.approx(usual.gain.low * scale, rel=1e-9)
    assert scaled.gain.high == pytest.approx(usual.gain.high * scale, rel=1e-9)


@pytest.mark.parametrize("shift", [-1e6, -5.0, 1e6])
def test_a_verdict_does_not_depend_on_where_zero_lies(shift):
    usual, moved = verdict_of(TABLE), verdict_of(TABLE + shift)
    assert (moved.recipe, moved.verdict) == (usual.recipe, usual.verdict)
    assert moved.gain.low == pytest.approx(usual.gain.low, rel=1e-6)


def test_maximising_is_minimising_with_the_sign_turned():
    less, more = verdict_of(TABLE), verdict_of(-TABLE, "maximize")
    assert (more.recipe, more.verdict, more.gain) == (less.recipe, less.verdict, less.gain)


@pytest.mark.parametrize("value", [0.0, 1e-30, 1.0, -3.0, 1e30])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_where_all_scores_are_the_same_nothing_is_claimed(value, direction):
    found = verdict_of(np.full((4, 3), value), direction)
    assert (found.verdict, found.gain.middle) == ("tie", 0.0)
    assert 0 <= found.chance_best <= 1


def test_scores_without_any_spread_show_the_smallest_gain():
    found = verdict_of([[2.0] * 3, [1.0] * 3, [3.0] * 3])
    assert (found.recipe, found.verdict, found.gain.low) == (RIVALS[0], "better", 1.0)


def test_where_every_run_diverged_the_study_fails_with_the_cause():
    lost = [Confirmation(recipe, failures={1: "diverged: the loss was inf"}) for recipe in (ADAMW, *RIVALS)]
    with pytest.raises(StudyFailed, match="no run gave a score: diverged: the loss was inf"):
        Contest.between(lost[1:], lost[0], "minimize")


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_finalist_with_an_odd_score_on_one_seed_does_not_win(odd):
    found = verdict_of([[2.0, 2.1, 2.2], [0.1, odd, 0.1], [1.0, 1.1, 1.2]])
    assert found.recipe == RIVALS[1]


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e300, sys.float_info.max / 8])
def test_a_document_of_extreme_scores_is_json_that_is_read_back(scale):
    found = verdict_of(TABLE * scale)
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert Recommendation.from_dict(json.loads(text)).to_dict() == found.to_dict()


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_interval_of_a_gain_is_scipys_paired_t_interval(confidence):
    pair = TABLE[:2]
    ours = paired_gain(pair, 0, 1, "minimize", confidence).interval
    theirs = stats.ttest_rel(pair[1], pair[0]).confidence_interval(confidence)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_the_interval_of_a_mean_is_scipys():
    theirs = stats.ttest_1samp(TABLE[0], 0.0).confidence_interval(0.95)
    ours = mean_interval(list(TABLE[0]))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_the_chance_of_two_to_be_best_is_that_of_scipys_t():
    first, second = chance_best(TABLE[:2], "minimize")
    difference = TABLE[1] - TABLE[0]
    t = difference.mean() / (difference.std(ddof=1) / math.sqrt(difference.size))
    assert first == pytest.approx(stats.t.cdf(t, difference.size - 1), abs=2e-3)
    assert first + second == pytest.approx(1.0)


@pytest.mark.parametrize(("finalists", "seeds"), [(1, 3), (3, 3), (8, 3)])
def test_intervals_hold_together_as_often_as_they_say_after_the_whole_race(simulation, finalists, seeds):
    found = simulation.simulate(simulation.WORLDS[0], finalists, seeds, studies=800)
    assert found.together / found.studies == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("world", range(4))
def test_where_all_are_equal_a_gain_is_claimed_in_fewer_than_one_study_in_twenty(simulation, world):
    found = simulation.simulate(simulation.WORLDS[world], 5, 3, studies=400)
    assert found.false_claims == found.claims
    assert found.claims / found.studies < 0.05
