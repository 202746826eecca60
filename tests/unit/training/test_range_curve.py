"""What curves of a range test say, on curves made up: valleys, spikes, noise, flat lines."""

from __future__ import annotations

import math
import random

import pytest

from autoopt.training.range_curve import breaks, is_clear, lowest, merge


def valley(noise: float = 0.0, seed: int = 0) -> list[float]:
    """Flat at 1 for 30 rates, down to 0.2 at the 60th, up through 1 at the 75th, and beyond."""
    draw = random.Random(seed)
    points = []
    for k in range(100):
        level = 1.0 if k < 30 else 1.0 - 0.8 * (k - 30) / 30 if k < 60 else 0.2 + 0.8 * (k - 60) / 15
        points.append(level + draw.gauss(0, noise))
    return points


def test_a_clean_valley_has_its_lowest_point_and_its_border_where_they_are() -> None:
    curve = merge([valley()])

    assert lowest(curve) == pytest.approx(60, abs=3)
    assert breaks(curve, 60) == pytest.approx(76, abs=2)


def test_a_spike_is_no_border() -> None:
    spiked = valley()
    spiked[45] = 50.0
    spiked[62] = math.inf

    assert merge([spiked])[45] < 1
    assert breaks(merge([spiked]), 60) == pytest.approx(76, abs=2)


def test_noise_hardly_moves_what_three_models_say() -> None:
    curve = merge([valley(noise=0.1, seed=seed) for seed in range(3)])
    deepest = lowest(curve)

    assert deepest == pytest.approx(60, abs=5)
    assert breaks(curve, deepest or 0) == pytest.approx(76, abs=4)


def test_one_model_of_three_that_diverges_early_is_outvoted() -> None:
    curve = merge([valley(), valley()[:40], valley()])

    assert lowest(curve) == pytest.approx(60, abs=3)


def test_curves_that_end_have_diverged_there() -> None:
    curve = merge([valley()[:66]] * 3 + [valley()])

    assert lowest(curve) == pytest.approx(60, abs=3)
    assert math.isinf(curve[70])
    assert breaks(curve, 60) == pytest.approx(66, abs=2)


def test_nan_counts_as_divergence() -> None:
    curve = merge([[*valley()[:66], math.nan, math.nan, math.nan, math.nan]])

    assert breaks(curve, 60) == pytest.approx(66, abs=2)


def test_a_loss_that_never_comes_down_has_no_lowest_point() -> None:
    assert lowest(merge([[1.0] * 50])) is None
    assert lowest(merge([[1.0 + k / 10 for k in range(50)]])) is None


def test_a_loss_that_stays_down_has_no_border() -> None:
    curve = merge([valley()[:65]])

    assert breaks(curve, 60) is None


def test_losses_below_zero_are_fine() -> None:
    curve = merge([[loss - 5 for loss in valley()]])

    assert lowest(curve) == pytest.approx(60, abs=3)


def test_wavering_without_a_border_is_not_clear_but_a_small_fall_before_one_is() -> None:
    wavering = merge([[1 + 0.03 * math.sin(k / 3) for k in range(100)]])
    shallow = merge([[0.95 + loss / 20 for loss in valley()]])

    assert not is_clear(wavering, None)
    assert is_clear(shallow, breaks(shallow, lowest(shallow) or 0))
    assert is_clear(merge([valley()[:65]]), None)
