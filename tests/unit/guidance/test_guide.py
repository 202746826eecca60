"""Start recipes and the advice made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.errors import GuidanceError
from autoopt.guidance.guide import Advice, guide
from autoopt.guidance.load import load_documents
from autoopt.guidance.portfolio import StartRecipe, load_start_recipes, parse_start_recipes
from autoopt.space.check import check_recipe
from autoopt.tasks.profile import TaskProfile

MLP = TaskProfile("mlp", 1000, 1000, n_train=500)
CNN = TaskProfile("cnn", 1000, 1000, has_convolution=True)
RESNET = TaskProfile("resnet", 10**7, 10**7, has_batch_norm=True, has_convolution=True, has_residual=True)
RNN = TaskProfile("rnn", 1000, 1000, has_recurrence=True)
ATTENTION = TaskProfile("attention", 1000, 1000, has_attention=True, has_layer_norm=True)
EMBEDDING = TaskProfile("embedding", 1000, 1000)
SPARSE = replace(EMBEDDING, sparse_gradients=True)
PROFILES = [MLP, CNN, RESNET, RNN, ATTENTION, replace(ATTENTION, pretrained=True), EMBEDDING, SPARSE,
            TaskProfile("autoencoder", 9, 9), TaskProfile("mixture", 9, 9), TaskProfile("other", 9, 9)]  # fmt: skip
GOOD = {
    "id": "a-recipe", "merit": 50, "optimizer": "sgd", "schedule": "step",
    "why": [{"says": "it works", "source": "D2"}],
}  # fmt: skip


def advised(profile: TaskProfile) -> list[Advice]:
    return [advice for advice in guide(profile).advice if not advice.baseline]


@pytest.mark.parametrize("start", load_start_recipes(), ids=lambda start: start.id)
def test_every_start_recipe_is_complete_legal_and_of_use(start: StartRecipe) -> None:
    recipe = start.recipe
    entry, schedule = OPTIMIZERS[recipe.optimizer], SCHEDULES[recipe.schedule]

    assert check_recipe(recipe) == recipe
    assert set(recipe.settings) == {h.name for h in entry.hyperparameters}
    assert set(recipe.schedule_settings) == {h.name for h in schedule.hyperparameters}
    assert start.why
    assert start.cautions
    assert any(start.applies(profile) for profile in PROFILES)


@pytest.mark.parametrize("profile", PROFILES, ids=str)
def test_every_task_gets_ranked_advice_with_reasons_and_the_baseline_last(profile: TaskProfile) -> None:
    advice = guide(profile).advice

    assert len(advice) >= 3
    assert [a.baseline for a in advice] == [False] * (len(advice) - 1) + [True]
    assert len({a.recipe.optimizer for a in advice[:-1]}) == len(advice) - 1
    assert all(a.why and a.cautions and all(reason.source for reason in a.why) for a in advice[:-1])


def test_attention_starts_with_adamw_decayed_warmed_up_and_along_a_cosine() -> None:
    first = advised(ATTENTION)[0]

    assert (first.recipe.optimizer, first.recipe.schedule) == ("adamw", "cosine")
    assert first.recipe.settings["weight_decay"] == 0.1
    assert first.recipe.schedule_settings["warmup"] == 0.05
    assert any(reason.source == "D3" for reason in first.why)


def test_a_loaded_transformer_is_fine_tuned_at_a_far_lower_rate() -> None:
    fresh, loaded = (advised(replace(ATTENTION, pretrained=given))[0].recipe for given in (False, True))

    assert loaded.settings["lr"] == 1.2e-5
    assert float(fresh.settings["lr"]) > 50 * float(loaded.settings["lr"])


def test_residual_networks_get_nesterov_second_with_what_could_go_wrong() -> None:
    first, second = advised(RESNET)[:2]

    assert first.recipe.optimizer == "adamw"
    assert second.recipe.optimizer == "sgd"
    assert second.recipe.settings == {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0005}
    assert any("tuned rate and the full training" in caution for caution in second.cautions)
    assert any("measurements are mixed" in caution for caution in second.cautions)


def test_recurrent_networks_are_clipped_and_start_with_adam_then_rmsprop() -> None:
    first, second = advised(RNN)[:2]

    assert [first.recipe.optimizer, second.recipe.optimizer] == ["adam", "rmsprop"]
    assert first.recipe.clip_norm == second.recipe.clip_norm == 1.0


def test_sparse_gradients_get_only_what_accepts_them() -> None:
    advice = guide(SPARSE).advice

    assert [a.recipe.optimizer for a in advice] == ["adagrad", "sgd", "adagrad"]
    assert not any(a.recipe.settings.get("weight_decay") for a in advice)


def test_a_rate_that_is_not_given_follows_from_the_momentum() -> None:
    steady, plain = parse_start_recipes(
        [GOOD, {**GOOD, "id": "b", "settings": {"momentum": 0.0, "nesterov": False}}], load_documents()
    )

    reference = float(OPTIMIZERS["sgd"].hyperparameter("lr").reference)
    assert plain.recipe.settings["lr"] == pytest.approx(reference)
    assert steady.recipe.settings["lr"] == pytest.approx(0.1 * reference)
    assert steady.recipe.schedule_settings["pieces"] == 3


def test_only_allowed_optimizers_are_advised() -> None:
    assert [a.recipe.optimizer for a in guide(MLP, ["sgd"]).advice] == ["sgd", "adamw"]


def test_an_unknown_optimizer_is_named_with_the_nearest() -> None:
    with pytest.raises(GuidanceError, match="unknown optimizer 'adamv': did you mean 'adam"):
        guide(MLP, ["adamv"])


def test_rules_come_strongest_first_and_without_symptoms() -> None:
    rules = guide(MLP).rules

    assert [r.strength for r in rules] == sorted(
        (r.strength for r in rules), key=["strong", "fair", "weak"].index
    )
    assert "symptom" not in {rule.kind for rule in rules}


def test_what_has_no_measurement_says_so() -> None:
    why = [str(reason) for advice in advised(MLP) for reason in advice.why]

    assert "D4: Small data sets call for Adam. (No published measurement found.)" in why


def test_a_short_training_is_told_that_it_wants_higher_rates() -> None:
    assert "takes 600 steps" in guide(MLP, total_steps=600).practices[0].says
    for profile, steps in ((MLP, None), (MLP, 50_000), (replace(MLP, pretrained=True), 600)):
        assert "Pace" not in {reason.source for reason in guide(profile, total_steps=steps).practices}


def test_advice_becomes_plain_data() -> None:
    data = advised(MLP)[0].to_dict()

    assert data["recipe"]["optimizer"] == "adamw"
    assert data["why"][0].keys() == {"says", "source"}
    assert data["baseline"] is False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"merits": 3}, "unknown field 'merits'"),
        ({"merit": 1000}, "write a whole number from 1 to 100"),
        ({"optimizer": "sdg"}, "unknown optimizer 'sdg': did you mean 'sgd'"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin': did you mean 'cosine'"),
        ({"settings": {"lr": "1e-3"}}, "lr must be a number above 0, got '1e-3'"),
        ({"settings": {"beta1": 0.9}}, "unknown setting of sgd 'beta1'"),
        ({"settings": [0.1]}, "must map names to values"),
        ({"why": []}, "has no 'why'"),
        ({"why": [{"says": "it works"}]}, "has no 'source'"),
        ({"cautions": [{"a": "b"}]}, "put quotes around"),
    ],
)
def test_a_mistake_in_a_start_recipe_is_named_with_the_recipe(change: dict[str, Any], message: str) -> None:
    with pytest.raises(GuidanceError) as caught:
        parse_start_recipes([{**GOOD, **change}], load_documents())

    assert message in str(caught.value)
    assert "a-recipe" in str(caught.value)
