import math

import numpy as np
import pytest

from autoopt.verdict.samples import chance_better, median_interval, share_interval


def test_a_share_lies_within_0_and_1_even_at_the_ends():
    none, all_ = share_interval(0, 5), share_interval(5, 5)

    assert (none.low, none.middle) == (0.0, 0.0)
    assert (all_.middle, all_.high) == (1.0, 1.0)
    assert none.high == pytest.approx(1 - all_.low) == pytest.approx(0.4345, abs=1e-4)
    assert share_interval(0, 0) is None


def test_the_interval_of_a_share_holds_it_in_about_95_of_100_cases():
    counts = np.random.default_rng(0).binomial(20, 0.2, 2000)
    held = np.mean([(i := share_interval(int(c), 20)).low <= 0.2 <= i.high for c in counts])
    assert 0.93 < held < 0.98


def test_the_interval_of_a_median_is_the_same_every_time_and_as_wide_as_the_scatter():
    values = [1.0, 1.1, 0.9, 1.2, 1.0, 5.0]

    assert median_interval(values) == median_interval(values)
    assert 0.9 <= median_interval(values).low <= 1.05 <= median_interval(values).high
    assert not median_interval([3.0]).bounded
    assert median_interval([]) is None


def test_groups_that_do_not_differ_win_half_of_the_time():
    draw = np.random.default_rng(1).normal
    found = chance_better([(draw(size=15), draw(size=15))])
    assert found.low < 0.5 < found.high


def test_only_runs_of_one_group_are_compared_with_each_other():
    found = chance_better([([1.0, 2.0], [3.0, 4.0]), ([11.0, 12.0], [13.0, 14.0])])
    assert (found.low, found.middle, found.high) == (1.0, 1.0, 1.0)


def test_one_that_diverged_loses_and_two_that_did_are_equal():
    assert chance_better([([1.0, 2.0], [math.inf, math.inf])]).middle == 1.0
    assert chance_better([([math.inf, math.inf], [math.inf, math.inf])]).middle == 0.5


def test_a_side_with_a_single_run_has_no_bounds_and_an_empty_one_no_answer():
    assert not chance_better([([1.0], [2.0, 3.0])]).bounded
    assert chance_better([([], [2.0, 3.0])]) is None
