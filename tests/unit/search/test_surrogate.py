import numpy as np
import pytest
from scipy.stats import norm

from autoopt.search.surrogate import Axes, Surrogate, expected_improvement, likeliest

LINE = Axes(("x",), lengths={"x": 0.3})


def fitted(axes, table, scores, runs=None):
    rows = np.array(table, dtype=float)
    numbers = np.arange(len(rows)) if runs is None else runs
    return likeliest([(axes, rows)], np.array(scores, dtype=float), np.array(numbers, dtype=float))


def test_it_goes_through_what_it_saw_and_doubts_what_it_did_not():
    table = np.array([[0.0], [0.2], [0.4]])
    surrogate = fitted(LINE, table, [-1.0, 0.0, 1.0])
    mean, deviation = surrogate.predict(np.array([[0.0], [0.4], [1.0]]))
    assert mean[:2] == pytest.approx([-1.0, 1.0], abs=0.15)
    assert deviation[2] > 3 * deviation[0]


def test_a_run_that_does_better_than_its_settings_promise_keeps_doing_so():
    axes = Axes(("x", "length"), lengths={"x": 0.3, "length": 0.9})
    short = [[x, 0.5] for x in (0.1, 0.12, 0.5, 0.52, 0.9)]
    seen = fitted(axes, short, [-1.0, 1.0, -0.8, 0.9, 0.1], runs=[0, 1, 2, 3, 4])
    mean, _ = seen.predict(np.array([[0.1, 1.0], [0.12, 1.0]]), np.array([0.0, 1.0]))
    assert mean[0] < mean[1] - 0.5
    settings, _ = seen.predict(np.array([[0.1, 1.0], [0.12, 1.0]]))
    assert settings[0] == pytest.approx(settings[1], abs=0.1)


def test_a_likeness_is_one_for_the_same_and_none_for_another_choice():
    axes = Axes(("kind", "x"), frozenset({"kind"}), main="kind", lengths={"x": 0.3})
    table = np.array([[0, 0.5], [1, 0.1]])
    surrogate = fitted(axes, table, [0.0, 1.0])
    found = surrogate.likeness(np.array([[0, 0.5], [0, 0.9], [2, 0.5]]), table)
    assert found[0] == pytest.approx(1.0)
    assert 0 < found[1] < 0.5
    assert found[2] == 0


def test_it_finds_out_that_scores_are_noisy():
    random = np.random.default_rng(0)
    x = np.tile(np.linspace(0, 1, 10), 4)[:, None]
    noisy = fitted(LINE, x, random.normal(size=40))
    mean, _ = noisy.predict(np.array([[0.5]]))
    assert abs(mean[0]) < 0.6


def test_what_one_choice_learns_of_a_number_serves_the_other():
    axes = Axes(("kind", "x"), frozenset({"kind"}), main="kind", lengths={"x": 0.3})
    seen = [[0, x, (x - 0.3) ** 2] for x in np.linspace(0, 1, 8)] + [
        [1, x, (x - 0.3) ** 2 - 0.1] for x in (0, 0.5, 1)
    ]
    rows = np.array(seen)
    scores = (rows[:, 2] - rows[:, 2].mean()) / rows[:, 2].std()
    mean, _ = fitted(axes, rows[:, :2], scores).predict(np.array([[1, 0.3], [1, 0.85]]))
    assert mean[0] < mean[1]


def test_settings_that_exist_on_one_side_only_are_no_trouble():
    axes = Axes(("x", "y"))
    table = np.array([[0.1, np.nan], [0.5, 0.5], [0.9, np.nan]])
    mean, deviation = Surrogate(axes, table, np.array([0.0, 1.0, -1.0])).predict(table)
    assert np.isfinite(mean).all()
    assert np.isfinite(deviation).all()


def test_belief_in_a_place_under_way_takes_the_doubt_and_leaves_the_mean():
    table = np.array([[0.0], [0.2]])
    surrogate = Surrogate(LINE, table, np.array([1.0, -1.0]))
    place = np.array([[0.9]])
    before, after = surrogate.predict(place), surrogate.believe(place).predict(place)
    assert after[0] == pytest.approx(before[0], abs=0.05)
    assert after[1] < 0.5 * before[1]
    assert surrogate.believe(np.empty((0, 1))) is surrogate


def test_the_same_place_twice_is_no_trouble():
    table = np.zeros((6, 1))
    mean, _ = Surrogate(LINE, table, np.array([1.0, -1.0, 0.5, -0.5, 0.2, -0.2])).predict(table)
    assert mean == pytest.approx(np.zeros(6), abs=0.3)


def test_expected_improvement_is_that_of_the_normal_distribution():
    draws = norm.rvs(loc=0.3, scale=0.7, size=400_000, random_state=1)
    found = expected_improvement(np.array([0.3]), np.array([0.7]), 0.1)
    assert found[0] == pytest.approx(np.maximum(0.1 - draws, 0).mean(), rel=0.01)
