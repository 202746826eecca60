"""Lookahead's slow weights, against the library's own and in its finer points."""

from __future__ import annotations

import copy

import pytest
import pytorch_optimizer
import torch
from torch import nn
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import LinearLR

from autoopt.training.judged import judged_weights
from autoopt.training.lookahead import Lookahead

from .examples import make_net, make_rows

ROWS = make_rows(16).tensors


def _step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(ROWS[0]), ROWS[1]).backward()
    optimizer.step()


def _pair() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    model = make_net()
    return model, copy.deepcopy(model)


@pytest.mark.parametrize("inner", [AdamW, "torch.optim:AdamW"])
def test_it_does_what_the_library_does(inner: object) -> None:
    model, other = _pair()
    ours = Lookahead(model.parameters(), inner, sync_steps=3, slow_share=0.4, lr=0.05)
    theirs = pytorch_optimizer.Lookahead(AdamW(other.parameters(), lr=0.05), k=3, alpha=0.4)
    for _ in range(8):
        _step(model, ours)
        _step(other, theirs)
    torch.testing.assert_close(model.state_dict(), other.state_dict())


def test_it_is_judged_by_its_slow_weights_and_goes_on_with_the_fast_ones() -> None:
    model, _ = _pair()
    start = copy.deepcopy(model.state_dict())
    optimizer = Lookahead(model.parameters(), SGD, sync_steps=5, lr=0.5)
    for _ in range(3):
        _step(model, optimizer)
    fast = copy.deepcopy(model.state_dict())
    with judged_weights(optimizer):
        torch.testing.assert_close(model.state_dict(), start, rtol=0, atol=0)
    torch.testing.assert_close(model.state_dict(), fast, rtol=0, atol=0)


def test_a_state_comes_back_and_a_scheduler_reaches_the_inner_optimizer() -> None:
    model, other = _pair()
    optimizer, restored = (
        Lookahead(each.parameters(), AdamW, sync_steps=4, lr=0.05) for each in (model, other)
    )
    for _ in range(3):
        _step(model, optimizer)
    other.load_state_dict(model.state_dict())
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for each in (optimizer, restored):
        LinearLR(each, start_factor=0.1)
        assert each._inner.param_groups[0]["lr"] == pytest.approx(0.005) or each is restored
    for _ in range(3):
        _step(model, optimizer)
        _step(other, restored)
    torch.testing.assert_close(model.state_dict(), other.state_dict(), rtol=0, atol=0)


def test_a_weight_that_gets_its_first_gradient_later_starts_then() -> None:
    late = nn.Parameter(torch.ones(2))
    early = nn.Parameter(torch.ones(2))
    optimizer = Lookahead([early, late], AdamW, sync_steps=2, lr=0.1)
    for step in range(4):
        early.grad = torch.ones(2)
        late.grad = torch.ones(2) if step > 1 else None
        optimizer.step()
    assert torch.isfinite(late).all()
    assert (late < 1).all()
    assert (early < late).all()


@pytest.mark.parametrize("wrong", [{"sync_steps": 0}, {"slow_share": 0.0}, {"slow_share": 1.5}])
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Lookahead([nn.Parameter(torch.ones(2))], SGD, **wrong)
