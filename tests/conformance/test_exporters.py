"""Every writer, with every optimizer and schedule of the catalogue: what is exported is what was trained."""

import json
import random
from importlib import import_module

import pytest
import torch
import yaml

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.rate import followed_factor, learning_rate_factor, reference_settings
from autoopt.export import WRITERS, write
from autoopt.export.schedules import SCHEDULE_CODE
from autoopt.recipe import Recipe
from autoopt.space import check_recipe
from autoopt.space.check import can_clip
from autoopt.training.build import build_optimizer
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.recommendation import Recommendation

PAIRS = [
    (optimizer, schedule)
    for optimizer, entry in OPTIMIZERS.items()
    for schedule in entry.schedules or (("constant", "cosine") if entry.around else SCHEDULES)
]


def draw(hyperparameter, chance):
    """A value of the searched range."""
    if hyperparameter.kind == "bool":
        return chance.random() < 0.5
    if hyperparameter.kind == "choice":
        return chance.choice(hyperparameter.choices)
    if hyperparameter.kind == "int":
        return chance.randint(int(hyperparameter.low), int(hyperparameter.high))
    return chance.uniform(hyperparameter.low, hyperparameter.high)


def random_recipe(optimizer, schedule, seed):
    """A valid recipe; settings are left out now and then, as in recipes that people write."""
    chance = random.Random(f"{optimizer} {schedule} {seed}")
    entry, plan = OPTIMIZERS[optimizer], SCHEDULES[schedule]
    settings = {each.name: draw(each, chance) for each in entry.hyperparameters if chance.random() < 0.8}
    settings.setdefault("lr", reference_settings(entry)["lr"])
    if not settings.get("momentum"):
        settings.pop("nesterov", None)
    return check_recipe(
        Recipe(
            optimizer, settings, schedule,
            {each.name: draw(each, chance) for each in plan.hyperparameters if chance.random() < 0.8},
            batch_size=chance.choice([None, 32, "whole"]) if entry.batches == "any" else None,
            decay_all=chance.random() < 0.3,
            **(chance.choice([{}, {"clip_norm": 0.7}, {"clip_value": 0.1}]) if can_clip(entry) else {}),
        )
    )  # fmt: skip


def recommendation(recipe):
    scored = Confirmation(recipe, {1: 0.3})
    return Recommendation("s", "t", "loss", "minimize", scored, scored, None, None, 0.5, "tie", epochs=3)


def small_model():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    model[0].bias.requires_grad_(False)
    return model


def described(optimizer, model):
    """Parameter groups with names for tensors."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [
        {**group, "params": [names[id(parameter)] for parameter in group["params"]]}
        for group in optimizer.param_groups
    ]


EPOCH_STEPS = 4
VALID_LOSSES = [3.0, 2.0, 2.0, 2.1, 2.0, 1.9, 1.9, 1.9, 1.9, 1.9]


def rates(optimizer, make_scheduler, make_warmup, recipe, steps):
    """The rate at every step, as the schedule is to be stepped: after every batch, or with the loss of an epoch."""
    follows, seen = SCHEDULES[recipe.schedule].follow is not None, []
    scheduler, warmup = (
        make_scheduler(optimizer, steps),
        make_warmup(optimizer, steps) if make_warmup else None,
    )
    for step in range(steps):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step(lambda: sum(0 * p.sum() for group in optimizer.param_groups for p in group["params"]))
        if warmup is not None:
            warmup.step()
        if not follows:
            scheduler.step()
        elif step % EPOCH_STEPS == EPOCH_STEPS - 1:
            scheduler.step(VALID_LOSSES[step // EPOCH_STEPS])
    return seen


def own(optimizer):
    """Say whether the class is autoopt's own, whose source is then part of the exported code."""
    return type(optimizer).__module__.startswith("autoopt.")


@pytest.mark.parametrize("total_steps", [1, 7, 40])
@pytest.mark.parametrize(("optimizer", "schedule"), PAIRS)
def test_exported_pytorch_code_builds_what_was_trained(optimizer, schedule, total_steps):
    recipe = random_recipe(optimizer, schedule, total_steps)
    code = write(recommendation(recipe), "pytorch")
    exported = {}
    exec(compile(code, "exported", "exec"), exported)
    model = small_model()
    theirs, ours = exported["make_optimizer"](model), build_optimizer(model, recipe)
    assert type(theirs) is type(ours) or own(ours)
    assert type(theirs).__name__ == type(ours).__name__
    assert "autoopt" not in type(theirs).__module__
    assert described(theirs, model) == described(ours, model)

    answer = recommendation(recipe)
    their_makers = exported["make_scheduler"], exported.get("make_warmup")
    their_rates = rates(theirs, *their_makers, recipe, total_steps)
    our_rates = rates(ours, answer.make_scheduler, answer.make_warmup, recipe, total_steps)
    lr = recipe.settings["lr"]
    for step in range(total_steps):
        factor = learning_rate_factor(schedule, recipe.schedule_settings, step, total_steps)
        before = VALID_LOSSES[: step // EPOCH_STEPS]
        factor *= followed_factor(schedule, recipe.schedule_settings, before)
        assert their_rates[step] == pytest.approx(our_rates[step], rel=1e-9, abs=1e-12 * lr)
        assert their_rates[step] == pytest.approx(
            [lr * factor] * len(their_rates[step]), rel=1e-6, abs=1e-9 * lr
        )
    assert exported.get("clip_norm") == recipe.clip_norm
    assert exported.get("clip_value") == recipe.clip_value
    assert exported.get("batch_size") == (None if recipe.batch_size == "whole" else recipe.batch_size)
    assert ("batch_size=len(train_data)" in code) == (recipe.batch_size == "whole")


@pytest.mark.parametrize(
    "optimizer", [n for n, e in OPTIMIZERS.items() if e.accepts(sparse=False, dense=True)]
)
def test_the_exported_loop_trains(optimizer):
    entry = OPTIMIZERS[optimizer]
    recipe = check_recipe(
        Recipe(optimizer, reference_settings(entry), batch_size=None if entry.batches != "any" else 8)
    )
    torch.manual_seed(3)
    X = torch.randn(32, 3)
    model = torch.nn.Linear(3, 1)
    around = {
        "model": model, "loss_function": torch.nn.functional.mse_loss,
        "train_data": torch.utils.data.TensorDataset(X, X.sum(1, keepdim=True)),
    }  # fmt: skip
    before = around["loss_function"](model(X), X.sum(1, keepdim=True)).item()
    code = write(recommendation(recipe), "pytorch")
    loop = code[code.index("# model, train_data") :].splitlines()[1:]
    code += "\n".join(line.removeprefix("# ") for line in loop)
    exec(compile(code, "exported", "exec"), around)
    assert around["loss_function"](model(X), X.sum(1, keepdim=True)).item() < before


@pytest.mark.parametrize(("optimizer", "schedule"), PAIRS)
def test_json_and_yaml_come_back_as_they_were(optimizer, schedule):
    answer = recommendation(random_recipe(optimizer, schedule, "document"))
    assert Recommendation.load(json.loads(write(answer, "json"))) == answer
    assert Recommendation.load(yaml.safe_load(write(answer, "yaml"))) == answer


@pytest.mark.parametrize("format", WRITERS)
def test_the_same_recommendation_is_written_the_same(format):
    answer = recommendation(random_recipe("adamw", "cosine", 0))
    assert write(answer, format) == write(answer, format)
    assert write(answer, format).endswith("\n")


def test_every_schedule_has_its_code():
    assert set(SCHEDULE_CODE) == set(SCHEDULES)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_exported_loop_switches_weights_exactly_where_the_optimizer_has_two_kinds(optimizer):
    entry = OPTIMIZERS[optimizer]
    recipe = check_recipe(Recipe(optimizer, reference_settings(entry)))
    code = write(recommendation(recipe), "pytorch")
    assert ("optimizer.train()" in code) == ("optimizer.eval()" in code) == ("switches" in entry.needs)
    assert ("optimizer.slow_weights()" in code) == (entry.around is not None)
    made = import_module(entry.target.partition(":")[0])
    assert hasattr(getattr(made, entry.target.partition(":")[2]), "eval") == ("switches" in entry.needs)
