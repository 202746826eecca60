"""Schedule-Free learning is trained with some weights and judged by others."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from autoopt.recipe import Recipe
from autoopt.training.build import build_optimizer
from autoopt.training.judged import averages_itself, judged_weights, start_training
from autoopt.training.trainee import Trainee

from .examples import CLASSES, INPUTS, make_net, make_rows, make_run, make_task

FREE = ("schedule_free_adamw", "schedule_free_sgd")
ROWS = make_rows(16).tensors


def _steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
    for _ in range(count):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(ROWS[0]), ROWS[1]).backward()
        optimizer.step()


@pytest.mark.parametrize("name", FREE)
def test_inside_stand_the_averages_and_outside_the_weights_that_are_trained(name: str) -> None:
    model = make_net()
    optimizer = build_optimizer(model, Recipe(name, {"lr": 0.1}))
    weight, averages = model[0].weight, []
    start_training(optimizer)
    for _ in range(4):
        _steps(model, optimizer, 1)
        averages.append(optimizer.state[weight]["z"].clone())
    trained = weight.detach().clone()
    with judged_weights(optimizer):
        torch.testing.assert_close(weight.detach(), torch.stack(averages).mean(0))
        assert not torch.equal(weight, trained)
    torch.testing.assert_close(weight.detach(), trained)


def test_an_optimizer_without_switches_is_judged_by_its_weights_as_they_are() -> None:
    model = make_net()
    optimizer = build_optimizer(model, Recipe("adamw", {"lr": 0.1}))
    assert not averages_itself(optimizer)
    before = copy.deepcopy(model.state_dict())
    with judged_weights(optimizer):
        torch.testing.assert_close(model.state_dict(), before)


@pytest.mark.parametrize("name", FREE)
def test_a_run_is_scored_by_the_averaged_weights_and_by_no_average_of_ours(name: str) -> None:
    trainee = Trainee(make_task(), make_run(0, name, rungs=(1,)), "cpu")
    report = trainee.train_epoch()
    assert trainee.average is None
    assert report.averaged_score is None
    with judged_weights(trainee.optimizer), torch.no_grad():
        X, y = make_rows(20, seed=1).tensors
        trainee.model.eval()
        assert report.score == pytest.approx(nn.functional.cross_entropy(trainee.model(X), y).item())


def test_batch_normalisation_sees_the_averaged_weights_before_they_are_judged() -> None:
    def make_model() -> nn.Module:
        return nn.Sequential(nn.Linear(INPUTS, 8), nn.BatchNorm1d(8, momentum=1.0), nn.Linear(8, CLASSES))

    trainee = Trainee(make_task(make_model, has_batch_norm=True), make_run(0, "schedule_free_sgd"), "cpu")
    trainee.train_epoch()
    layer, norm = trainee.model[0], trainee.model[1]
    with judged_weights(trainee.optimizer), torch.no_grad():
        *_, (last,) = trainee._batches()
        seen = layer(last[0]).mean(0)
    torch.testing.assert_close(norm.running_mean, seen)


def test_the_norm_is_that_of_the_gradient_and_not_of_what_the_optimizer_leaves_of_it() -> None:
    """Schedule-Free AdamW divides the gradients where they lie."""
    free, plain = (
        Trainee(make_task(batch_size=50), make_run(0, name, epochs=1), "cpu")
        for name in ("schedule_free_adamw", "adamw")
    )
    assert free.train_epoch().gradient_norm == pytest.approx(plain.train_epoch().gradient_norm)
