"""The running average of the weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from autoopt.training.averaging import WeightAverage


def _walk(steps: int) -> tuple[WeightAverage, list[Tensor]]:
    weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    average, seen = WeightAverage([weight]), []
    for step in range(steps):
        with torch.no_grad():
            weight.copy_(torch.tensor([1.0, step, (-1.0) ** step]))
        average.update()
        seen.append(weight.detach().clone())
    return average, seen


def test_the_average_follows_polynomial_decay() -> None:
    average, seen = _walk(30)
    expected = torch.zeros(3, dtype=torch.float64)
    for t, weight in enumerate(seen, 1):
        expected += (weight - expected) * min(1.0, 5 / (t + 4))
    torch.testing.assert_close(average.weights[0], expected, rtol=1e-12, atol=0)


def test_after_the_first_step_the_average_is_the_weight_itself() -> None:
    average, seen = _walk(1)
    assert torch.equal(average.weights[0], seen[0])


def test_about_the_last_fifth_of_the_steps_counts() -> None:
    average, _ = _walk(1000)
    mean_age = 999 - float(average.weights[0][1])
    assert mean_age == pytest.approx(1000 / 6, rel=0.05)  # the mean age under a density ∝ t⁴ is T / 6


def test_the_model_has_its_own_weights_again_afterwards_bit_by_bit() -> None:
    average, seen = _walk(7)
    (weight,) = average._parameters
    with average.in_place():
        assert torch.equal(weight, average.weights[0])
        assert not torch.equal(weight, seen[-1])
    assert torch.equal(weight, seen[-1])


def test_the_model_has_its_own_weights_again_after_an_error() -> None:
    average, seen = _walk(7)
    with pytest.raises(ZeroDivisionError), average.in_place():
        _ = 1 / 0
    assert torch.equal(average._parameters[0], seen[-1])
