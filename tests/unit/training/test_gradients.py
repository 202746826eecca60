"""Norms and clipping of dense and sparse gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from autoopt.training.gradients import clip_gradients, clip_values, gradient_norm


def _parameters(*, sparse: bool) -> list[nn.Parameter]:
    torch.manual_seed(0)
    table, linear = nn.Embedding(10, 4, sparse=sparse), nn.Linear(4, 2)
    linear(table(torch.tensor([1, 1, 2]))).square().sum().backward()  # row 1 twice: uncoalesced entries
    return [*table.parameters(), *linear.parameters()]


def _dense_gradients(parameters: list[nn.Parameter]) -> list[torch.Tensor]:
    return [p.grad.to_dense() if p.grad.is_sparse else p.grad.clone() for p in parameters]


def test_the_norm_of_sparse_gradients_is_that_of_the_dense_ones() -> None:
    sparse = gradient_norm(p.grad for p in _parameters(sparse=True))
    dense = torch.cat([g.flatten() for g in _dense_gradients(_parameters(sparse=False))]).norm()
    assert float(sparse) == pytest.approx(float(dense), rel=1e-6)


def test_the_norm_of_no_gradients_is_zero() -> None:
    assert float(gradient_norm([])) == 0


@pytest.mark.parametrize("limit", [0.01, 1e6])
@pytest.mark.parametrize("sparse", [True, False])
def test_clipping_scales_down_to_the_limit_and_never_up(sparse: bool, limit: float) -> None:
    parameters = _parameters(sparse=sparse)
    before = _dense_gradients(parameters)
    norm = float(clip_gradients(parameters, limit))
    assert norm == pytest.approx(float(gradient_norm(before)), rel=1e-6)
    scale = min(1.0, limit / (norm + 1e-6))
    for gradient, old in zip(_dense_gradients(parameters), before, strict=True):
        torch.testing.assert_close(gradient, old * scale)


def test_clipping_without_any_gradient_leaves_all_as_it_is() -> None:
    assert float(clip_gradients([nn.Parameter(torch.ones(2))], 1.0)) == 0


@pytest.mark.parametrize("sparse", [True, False])
def test_clipping_by_value_cuts_every_number_and_tells_the_norm_before(sparse: bool) -> None:
    parameters = _parameters(sparse=sparse)
    before = _dense_gradients(parameters)
    norm = clip_values(parameters, 0.2)
    assert float(norm) == pytest.approx(float(gradient_norm(before)), rel=1e-6)
    assert max(float(old.abs().max()) for old in before) > 0.2
    for gradient, old in zip(_dense_gradients(parameters), before, strict=True):
        torch.testing.assert_close(gradient, old.clamp(-0.2, 0.2))


def test_a_gradient_that_is_not_finite_shows_in_the_norm() -> None:
    assert math.isnan(float(gradient_norm([torch.tensor([1.0, math.nan])])))
