"""Recipes become plain torch optimizers and schedulers."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.rate import followed_factor, learning_rate_factor, reference_settings
from autoopt.errors import SpaceError, TaskError
from autoopt.recipe import Recipe
from autoopt.training.build import build_optimizer, build_scheduler, build_warmup, parameter_groups

DECAYED = Recipe("adamw", {"lr": 1e-3, "weight_decay": 0.1})


def _net() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 2))


def _shapes(group: dict) -> list[tuple[int, ...]]:
    return [tuple(parameter.shape) for parameter in group["params"]]


def test_biases_and_norms_get_a_group_without_weight_decay() -> None:
    decayed, others = parameter_groups(_net(), DECAYED)
    assert _shapes(decayed) == [(3, 4), (2, 3)]
    assert "weight_decay" not in decayed
    assert _shapes(others) == [(3,), (3,), (3,), (2,)]
    assert others["weight_decay"] == 0


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe("adamw", {"lr": 1e-3}),
        Recipe("adamw", {"lr": 1e-3, "weight_decay": 0.0}),
        Recipe("adamw", {"lr": 1e-3, "weight_decay": 0.1}, decay_all=True),
    ],
    ids=["no decay", "zero decay", "decay all"],
)
def test_without_decay_or_with_decay_of_everything_there_is_one_group(recipe: Recipe) -> None:
    (group,) = parameter_groups(_net(), recipe)
    assert len(group["params"]) == 6
    assert set(group) == {"params"}


def test_frozen_parameters_are_left_out() -> None:
    model = _net()
    model[0].requires_grad_(False)
    shapes = [shape for group in parameter_groups(model, DECAYED) for shape in _shapes(group)]
    assert shapes == [(2, 3), (3,), (3,), (2,)]


def test_tied_parameters_appear_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    (group,) = parameter_groups(model, DECAYED)
    assert _shapes(group) == [(3, 3)]


def test_a_model_without_trainable_parameters_is_refused() -> None:
    with pytest.raises(TaskError, match="Flatten has no parameter with requires_grad=True"):
        parameter_groups(nn.Flatten(), DECAYED)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_the_catalogue_is_built_with_its_reference_settings(name: str) -> None:
    entry = OPTIMIZERS[name]
    optimizer = build_optimizer(_net(), Recipe(name, reference_settings(entry)))
    assert type(optimizer).__name__ == entry.target.partition(":")[2]
    assert optimizer.param_groups[0]["lr"] == reference_settings(entry)["lr"]


def test_an_unknown_optimizer_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(SpaceError, match="'adamv': did you mean 'adam"):
        build_optimizer(_net(), Recipe("adamv", {"lr": 1e-3}))


def test_a_setting_that_torch_refuses_is_named_with_its_value() -> None:
    with pytest.raises(SpaceError, match=r"AdamW refuses .*lr=-1\.0.*Invalid learning rate"):
        build_optimizer(_net(), Recipe("adamw", {"lr": -1.0}))


def test_an_unknown_schedule_is_answered_with_the_nearest_name() -> None:
    recipe = Recipe("adamw", {"lr": 1e-3}, schedule="cosin")
    with pytest.raises(SpaceError, match="'cosin': did you mean 'cosine'"):
        build_scheduler(build_optimizer(_net(), recipe), recipe, 10)


def test_a_schedule_over_no_steps_is_refused() -> None:
    with pytest.raises(SpaceError, match="total_steps=0"):
        build_scheduler(build_optimizer(_net(), DECAYED), DECAYED, 0)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.99])
@pytest.mark.parametrize("total_steps", [1, 2, 37, 100])
@pytest.mark.parametrize("schedule", [name for name, entry in SCHEDULES.items() if entry.follow is None])
def test_the_torch_scheduler_has_the_rates_of_the_closed_form(
    schedule: str, total_steps: int, warmup: float
) -> None:
    recipe = Recipe("adamw", {"lr": 0.5, "weight_decay": 0.1}, schedule, {"warmup": warmup})
    optimizer = build_optimizer(_net(), recipe)
    with warnings.catch_warnings(action="error"):
        scheduler = build_scheduler(optimizer, recipe, total_steps)
        for step in range(total_steps):
            factor = learning_rate_factor(schedule, recipe.schedule_settings, step, total_steps)
            for group in optimizer.param_groups:
                assert group["lr"] == pytest.approx(0.5 * factor, rel=1e-9, abs=1e-13)
            optimizer.step()
            scheduler.step()


@pytest.mark.parametrize("warmup", [0.0, 0.3])
def test_a_schedule_that_follows_the_loss_is_built_with_its_warmup_apart(warmup: float) -> None:
    settings = {"warmup": warmup, "factor": 0.5, "patience": 1}
    recipe = Recipe("adamw", {"lr": 0.5, "weight_decay": 0.1}, "plateau", settings)
    optimizer = build_optimizer(_net(), recipe)
    scheduler, rise = build_scheduler(optimizer, recipe, 40), build_warmup(optimizer, recipe, 40)
    losses = [3.0, 2.0, 2.1, 2.2, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5]
    for step in range(40):
        factor = learning_rate_factor("plateau", settings, step, 40) * followed_factor(
            "plateau", settings, losses[: step // 4]
        )
        for group in optimizer.param_groups:
            assert group["lr"] == pytest.approx(0.5 * factor, rel=1e-9)
        optimizer.step()
        if rise is not None:
            rise.step()
        if step % 4 == 3:
            scheduler.step(losses[step // 4])
    assert (rise is None) == (warmup == 0)


def test_no_other_schedule_has_its_warmup_apart() -> None:
    recipe = Recipe("sgd", {"lr": 0.5}, "linear", {"warmup": 0.3})
    assert build_warmup(build_optimizer(_net(), recipe), recipe, 40) is None


def test_a_schedule_that_torch_lacks_becomes_a_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setitem(SCHEDULES, "cosine", replace(SCHEDULES["cosine"], torch_form=None))
    recipe = Recipe("sgd", {"lr": 1.0, "momentum": 0.0}, "cosine")
    optimizer = build_optimizer(_net(), recipe)
    scheduler = build_scheduler(optimizer, recipe, 4)
    assert isinstance(scheduler, torch.optim.lr_scheduler.LambdaLR)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(learning_rate_factor("cosine", {}, 1, 4))


def test_an_optimizer_whose_library_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setitem(OPTIMIZERS, "lion", replace(OPTIMIZERS["lion"], target="not_installed_here:Lion"))
    with pytest.raises(SpaceError, match=r"pip install 'autoopt\[optimizers\]'"):
        build_optimizer(_net(), Recipe("lion", {"lr": 1e-3}))
