"""The chance to be the best of all, where some dropped out on the way."""

import numpy as np
import pytest

from autoopt.verdict.statistics import chance_best
from autoopt.verdict.uneven import chance_to_lead


def rows(table):
    return [dict(enumerate(row)) for row in table]


def test_of_rows_with_the_same_seeds_it_is_that_of_the_whole_table():
    table = [[0.50, 0.61, 0.55], [0.52, 0.60, 0.58], [0.55, 0.68, 0.60]]
    for direction in ("minimize", "maximize"):
        expected = chance_best(table, direction)
        found = [chance_to_lead(rows(table), row, direction) for row in range(3)]
        assert found == pytest.approx(expected, abs=2e-3)
    assert sum(found) == pytest.approx(1, abs=5e-3)


def test_it_says_what_is_so_of_a_race_in_which_the_worse_half_drops_out_on_the_first_seed():
    random, said, best = np.random.default_rng(3), [], []
    for _ in range(300):
        truth = random.normal(size=8)
        table = truth[:, None] + random.normal(size=(8, 3)) + random.normal(size=3)
        left = np.argsort(table[:, 0])[:4]
        chosen = left[np.argmin(table[left].mean(axis=1))]
        scores = [dict(enumerate(row[: 3 if i in left else 1])) for i, row in enumerate(table)]
        said.append(chance_to_lead(scores, int(chosen), "minimize"))
        best.append(chosen == np.argmin(truth))
    assert np.mean(said) == pytest.approx(np.mean(best), abs=0.1)


def test_what_a_seed_does_to_all_is_not_taken_for_a_lead():
    hard = [{0: 1.0, 1: 3.0, 2: 3.1}, {0: 1.1, 1: 3.3, 2: 3.1}, {0: 1.3}]
    moved = [{seed: score + 10 * (seed == 0) for seed, score in row.items()} for row in hard]
    chances = [chance_to_lead(each, 0, "minimize") for each in (hard, moved)]
    assert chances[0] == pytest.approx(chances[1])
    assert chances[0] > 0.5


def test_rows_beside_tell_of_the_noise_and_are_no_rivals():
    two = [{0: 1.0, 1: 1.2, 2: 0.9}, {0: 1.4}]
    assert chance_to_lead(two, 0, "minimize") is None
    calm, wild = ({0: 2.0, 1: 2.2, 2: 1.9}, {0: 2.0, 1: 1.2, 2: 2.9})
    assert chance_to_lead(two, 0, "minimize", [calm]) > 0.99
    assert 0.5 < chance_to_lead(two, 0, "minimize", [wild]) < 0.8


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_units_make_no_difference(scale):
    scores = [{0: 1.0, 1: 1.2, 2: 0.9}, {0: 1.1, 1: 1.0, 2: 1.3}, {0: 1.4}]
    scaled = [{seed: score * scale for seed, score in row.items()} for row in scores]
    assert chance_to_lead(scaled, 0, "maximize") == pytest.approx(chance_to_lead(scores, 0, "maximize"))
