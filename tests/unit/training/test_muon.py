"""Muon for hidden matrices and AdamW for the rest, in one optimizer."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.optim import AdamW, Muon
from torch.optim.lr_scheduler import LinearLR

from autoopt.errors import TaskError
from autoopt.recipe import Recipe
from autoopt.training.build import build_optimizer
from autoopt.training.muon import MuonAdamW, hidden_matrices

RECIPE = Recipe("muon", {"lr": 0.01, "weight_decay": 0.1})


class _Language(nn.Module):
    """An embedding, two hidden matrices, normalisation and a head; tied, the head has the embedding's weights."""

    def __init__(self, *, tied: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.first, self.norm, self.second = nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 4)
        self.head = nn.Linear(4, 7)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, letters: torch.Tensor) -> torch.Tensor:
        hidden = self.norm(self.first(self.embedding(letters)).relu())
        return self.head(self.second(hidden))


def _names(model: nn.Module) -> list[str]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [names[id(parameter)] for parameter in hidden_matrices(model)]


def _step(model: nn.Module, *optimizers: torch.optim.Optimizer) -> None:
    letters = torch.arange(7)
    model.zero_grad()
    nn.functional.cross_entropy(model(letters), letters).backward()
    for optimizer in optimizers:
        optimizer.step()


@pytest.mark.parametrize("tied", [False, True])
def test_embeddings_and_the_last_layer_are_no_hidden_matrices(tied: bool) -> None:
    assert _names(_Language(tied=tied)) == ["first.weight", "second.weight"]


def test_kernels_and_frozen_weights_are_no_hidden_matrices() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 2))
    model[1].requires_grad_(False)
    assert _names(model) == ["2.weight"]


def test_hidden_matrices_are_moved_by_muon_and_all_others_by_adamw() -> None:
    torch.manual_seed(0)
    model = _Language(tied=False)
    other = copy.deepcopy(model)
    ours = build_optimizer(model, RECIPE)
    hidden = [other.first.weight, other.second.weight]
    rest = [p for p in other.parameters() if all(p is not each for each in hidden)]
    muon = Muon(hidden, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    decayed, kept = [p for p in rest if p.ndim > 1], [p for p in rest if p.ndim == 1]
    adamw = AdamW([{"params": decayed}, {"params": kept, "weight_decay": 0.0}], lr=0.01, weight_decay=0.1)
    for _ in range(3):
        _step(model, ours)
        _step(other, muon, adamw)
    torch.testing.assert_close(model.state_dict(), other.state_dict(), rtol=0, atol=0)


def test_a_scheduler_reaches_both_and_a_state_comes_back() -> None:
    torch.manual_seed(0)
    model = _Language(tied=True)
    optimizer = build_optimizer(model, RECIPE)
    LinearLR(optimizer, start_factor=0.5)
    assert {group["lr"] for group in optimizer.param_groups} == {0.005}
    _step(model, optimizer)
    other = copy.deepcopy(model)
    restored = build_optimizer(other, RECIPE)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for _ in range(2):
        _step(model, optimizer)
        _step(other, restored)
    torch.testing.assert_close(model.state_dict(), other.state_dict(), rtol=0, atol=0)


def test_plain_parameters_are_split_by_their_dimensions() -> None:
    matrix, vector = nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(3))
    groups = MuonAdamW([matrix, vector]).param_groups
    assert [(len(group["params"]), group["use_muon"]) for group in groups] == [(1, True), (1, False)]
    assert groups[0]["params"][0] is matrix


def test_a_model_without_a_hidden_matrix_is_told_so() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    with pytest.raises(TaskError, match=r"the model Sequential has none .* take adamw"):
        build_optimizer(model, RECIPE)


def test_a_closure_is_called_once_with_gradients() -> None:
    weights = nn.Parameter(torch.ones(2, 2))
    optimizer, calls = MuonAdamW([weights]), []

    def closure() -> float:
        calls.append(torch.is_grad_enabled())
        loss = weights.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert calls == [True]


@pytest.mark.parametrize("momentum", [-0.1, 1.0])
def test_a_momentum_that_makes_no_sense_is_refused(momentum: float) -> None:
    with pytest.raises(ValueError, match="momentum"):
        MuonAdamW([nn.Parameter(torch.ones(2))], momentum=momentum)
