import math

import numpy as np
import pytest
from scipy import stats

from autoopt.verdict.statistics import (
    Gain,
    Interval,
    chance_best,
    mean_interval,
    paired_gain,
    row_noise,
    seeds_needed,
    simultaneous_confidence,
)


def claims_and_misses(deviations, seeds, tables):
    """Shares of tables of equal means with a claimed gain, and of intervals that miss zero."""
    random = np.random.default_rng([len(deviations), seeds, tables])
    finalists = len(deviations) - 1
    confidence = simultaneous_confidence(finalists)
    claims = misses = 0
    for _ in range(tables):
        noise = random.normal(size=(finalists + 1, seeds)) * np.array(deviations)[:, None]
        table = noise + 3 * random.normal(size=seeds)
        verdicts = [
            paired_gain(table, row, 0, "minimize", confidence).interval.verdict
            for row in range(1, finalists + 1)
        ]
        claims += "better" in verdicts
        misses += sum(verdict != "tie" for verdict in verdicts)
    return claims / tables, misses / tables / finalists


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("finalists", [1, 2, 3])
def test_equal_candidates_rarely_look_better_and_intervals_cover_as_they_say(finalists, seeds):
    claimed, missed = claims_and_misses([1.0] * (finalists + 1), seeds, tables=2000)
    assert claimed < 0.05
    assert missed == pytest.approx(0.05 / finalists, abs=0.02)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(
    "deviations",
    [(5, 1), (5, 1, 1), (1, 1, 1, 5), (1, 0.2, 1, 5), (10, 1, 1, 1)],
)
def test_unequal_noise_does_not_make_false_gains_common(deviations, seeds):
    claimed, _ = claims_and_misses(deviations, seeds, tables=1500)
    assert claimed < 0.055  # 5 % and the error of 1500 tables


def test_a_ninety_five_percent_interval_covers_the_true_gain():
    random = np.random.default_rng(0)
    hits = 0
    for _ in range(3000):
        table = random.normal(size=(3, 4)) + np.array([[0.0], [0.7], [5.0]])
        interval = paired_gain(table, 0, 1, "minimize").interval
        hits += interval.low < 0.7 < interval.high
    assert hits / 3000 == pytest.approx(0.95, abs=0.02)


def test_mean_interval_is_the_t_interval():
    scores = [0.31, 0.28, 0.35, 0.30]
    low, high = stats.t.interval(0.9, 3, np.mean(scores), stats.sem(scores))
    interval = mean_interval(scores, 0.9)
    assert (interval.low, interval.middle, interval.high) == pytest.approx((low, np.mean(scores), high))


def test_one_seed_says_nothing_about_noise():
    assert mean_interval([2.0]) == Interval(-math.inf, 2.0, math.inf)
    gain = paired_gain([[1.0], [3.0]], 0, 1, "minimize")
    assert gain.interval == Interval(-math.inf, 2.0, math.inf)
    assert gain.interval.verdict == "tie"
    assert not gain.interval.bounded


def test_two_rows_give_the_paired_t_interval():
    ours, theirs = [0.9, 0.7, 1.2], [1.0, 1.1, 1.3]
    expected = stats.ttest_rel(theirs, ours).confidence_interval(0.95)
    interval = paired_gain([ours, theirs], 0, 1, "minimize").interval
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_noise_is_the_residual_of_the_two_way_layout():
    table = [[1.0, 2.0, 4.0], [2.0, 3.5, 4.0], [0.0, 1.0, 3.5]]
    noise = row_noise(table)
    centred = np.array(table)
    left = centred - centred.mean(1, keepdims=True) - centred.mean(0) + centred.mean()
    assert noise.degrees == 4
    assert noise.deviation == pytest.approx(math.sqrt((left**2).sum() / 4))
    assert noise.alike == {0, 1, 2}


def test_what_seeds_do_to_all_candidates_cancels():
    table = np.array([[1.0, 1.2, 0.9], [1.5, 1.6, 1.5], [1.1, 1.0, 1.2]])
    calm, wild = (
        paired_gain(table + np.array(shift), 0, 1, "minimize") for shift in ([0.0] * 3, [5.0, -3.0, 8.0])
    )
    assert calm.interval.low == pytest.approx(wild.interval.low)
    assert calm.standard_error == pytest.approx(wild.standard_error)


def test_a_row_that_explodes_does_not_blur_the_others():
    table = [[0.1, 0.11, 0.12], [0.2, 0.21, 0.19], [1e15, 3e15, 2e14]]
    assert row_noise(table).alike == {0, 1}
    assert paired_gain(table, 0, 1, "minimize").interval == paired_gain(table[:2], 0, 1, "minimize").interval
    assert chance_best(table, "maximize")[2] > 0.8


def test_maximize_turns_the_gain_around():
    table = [[0.9, 0.92, 0.91], [0.8, 0.81, 0.83]]
    up, down = paired_gain(table, 0, 1, "maximize").interval, paired_gain(table, 0, 1, "minimize").interval
    assert up.verdict == "better"
    assert (up.low, up.middle, up.high) == (-down.high, -down.middle, -down.low)


def test_without_noise_the_smallest_gain_is_shown():
    assert paired_gain([[0.1] * 3, [0.2] * 3], 0, 1, "minimize").interval.verdict == "better"
    assert chance_best([[0.1] * 3, [0.2] * 3, [0.1] * 3], "minimize") == (0.5, 0.0, 0.5)


def test_rounding_is_not_a_gain():
    gain = paired_gain([[0.3] * 3, [0.1 + 0.2] * 3], 0, 1, "minimize")
    assert gain.interval == Interval(0.0, 0.0, 0.0)
    assert chance_best([[0.3] * 3, [0.1 + 0.2] * 3], "minimize") == (0.5, 0.5)


@pytest.mark.parametrize("scale", [1e308, 1e-308, -1e308, 5e-324])
def test_extreme_numbers_stay_finite(scale):
    table = [[scale, scale / 2, scale], [scale / 4, scale, -scale], [-scale, -scale, scale]]
    interval = paired_gain(table, 0, 2, "minimize").interval
    assert interval.bounded
    assert interval.low <= interval.middle <= interval.high
    assert sum(chance_best(table, "minimize")) == pytest.approx(1)


@pytest.mark.parametrize("table", [[[1.0, math.nan]], [[math.inf]], [[]], [1.0, 2.0]])
def test_a_table_that_is_none_is_refused(table):
    with pytest.raises(ValueError, match="finite numbers"):
        row_noise(table)


def test_chance_best_is_that_of_drawn_posteriors():
    random = np.random.default_rng(3)
    table = random.normal(size=(4, 5)) + np.array([[0.0], [0.3], [0.5], [0.6]])
    noise, draws = row_noise(table), 200_000
    widen = np.sqrt(random.chisquare(noise.degrees, size=(draws, 1)) / noise.degrees)
    error = noise.deviation / math.sqrt(5)
    drawn = table.mean(1) + error * random.normal(size=(draws, 4)) / widen
    expected = np.bincount(drawn.argmin(1), minlength=4) / draws
    assert chance_best(table, "minimize") == pytest.approx(expected, abs=0.005)


def test_chance_best_of_one_or_of_equals_is_even():
    assert chance_best([[0.4, 0.5]], "minimize") == (1.0,)
    assert chance_best([[0.4], [0.5]], "minimize") == (0.5, 0.5)
    assert chance_best([[1.0, 2.0, 3.0]] * 3, "minimize") == pytest.approx((1 / 3,) * 3)


def test_more_finalists_are_judged_more_strictly():
    assert simultaneous_confidence(1) == pytest.approx(0.95)
    assert simultaneous_confidence(5) == pytest.approx(0.99)


def test_the_seeds_said_to_be_needed_do_settle_the_gain():
    gain = paired_gain([[1.0, 1.3, 0.9], [1.2, 1.25, 1.3]], 0, 1, "minimize")
    more = seeds_needed(gain, "decide")
    seeds, deviation = gain.seeds + more, gain.standard_error * math.sqrt(gain.seeds)
    assert stats.t.ppf(0.975, seeds - 1) * deviation / math.sqrt(seeds) < gain.interval.middle
    assert stats.t.ppf(0.975, seeds - 2) * deviation / math.sqrt(seeds - 1) >= gain.interval.middle
    half = gain.seeds + seeds_needed(gain, "halve")
    width = gain.interval.high - gain.interval.middle
    assert stats.t.ppf(0.975, half - 1) * deviation / math.sqrt(half) < width / 2


def test_no_number_of_seeds_settles_what_is_equal_or_unknown():
    equal = Gain(Interval(-1.0, 0.0, 1.0), 0.2, 0.2, 4, 3)
    unknown = Gain(Interval(-math.inf, 1.0, math.inf), math.inf, math.inf, 0, 1)
    assert seeds_needed(equal, "decide") is None
    assert seeds_needed(unknown, "halve") is None
    assert seeds_needed(Gain(Interval(1.0, 1.0, 1.0), 0.0, 0.0, 2, 3), "decide") == 0
