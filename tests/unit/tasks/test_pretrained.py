"""Loaded weights are told from drawn ones, with or without a seed of the model's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from autoopt.tasks.pretrained import loaded_share, looks_drawn


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))


@pytest.fixture(scope="module")
def trained() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(400, 20, generator=draw) * torch.linspace(0.1, 3, 20)
    y = (x[:, :5] * torch.tensor([1.0, 2, -1, 1, 3]) + x[:, 5:10].square()).argmax(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = network()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model.state_dict()


def test_fresh_weights_are_not_loaded() -> None:
    assert loaded_share(network) == 0.0


def test_weights_that_follow_a_seed_inside_the_model_are_not_loaded() -> None:
    def seeded() -> nn.Module:
        torch.manual_seed(7)
        return network()

    assert loaded_share(seeded) == 0.0


def test_trained_weights_are_loaded(trained: dict[str, torch.Tensor]) -> None:
    def load() -> nn.Module:
        model = network()
        model.load_state_dict(trained)
        return model

    assert loaded_share(load) > 0.9


def test_a_fresh_head_on_a_loaded_body_lowers_the_share(trained: dict[str, torch.Tensor]) -> None:
    def load() -> nn.Module:
        model = network()
        model.load_state_dict(trained)
        model[4] = nn.Linear(64, 50)
        return model

    assert loaded_share(load) == pytest.approx((64 * 20 + 64 * 64) / (64 * 20 + 64 * 64 + 64 * 50))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: nn.Linear(100, 300).weight,
        lambda: nn.Conv2d(16, 32, 3).weight,
        lambda: nn.Embedding(500, 32).weight,
        lambda: nn.LSTM(30, 40).weight_hh_l0,
        lambda: nn.init.trunc_normal_(torch.empty(64, 64), std=0.02),
        lambda: nn.init.orthogonal_(torch.empty(64, 64)),
        lambda: torch.ones(30, 30),
    ],
)
def test_usual_ways_to_draw_weights_look_drawn(draw: Callable[[], torch.Tensor]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert looks_drawn(draw().detach())


def test_a_model_with_nothing_but_small_matrices_does_not_tell() -> None:
    assert loaded_share(lambda: nn.Linear(3, 3)) == 0.0
