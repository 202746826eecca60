import pytest
from optuna.trial import FixedTrial

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.entry import Hyperparameter
from autoopt.catalogue.rate import reference_settings
from autoopt.errors import SpaceError
from autoopt.space import build_space, reference_choices, suggest
from autoopt.space.question import question_for, setting_for


def recipe_of(space, optimizer, **answers):
    return suggest(space, FixedTrial({**reference_choices(space, optimizer), **answers}))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_reference_answers_give_the_reference_recipe(optimizer):
    sparse = not OPTIMIZERS[optimizer].accepts(sparse=False, dense=True)
    space = build_space(optimizers=[optimizer], sparse_gradients=sparse, dense_gradients=not sparse)
    recipe = recipe_of(space, optimizer)
    assert recipe.optimizer == optimizer
    assert recipe.settings == pytest.approx(reference_settings(OPTIMIZERS[optimizer]))
    usual = (*OPTIMIZERS[optimizer].schedules, "linear")[0]
    scheduled = (usual, {"warmup": 0.05}) if OPTIMIZERS[optimizer].takes_schedule else ("constant", {})
    assert (recipe.schedule, recipe.schedule_settings) == scheduled
    assert recipe.batch_size == {"any": None, "whole": "whole", "single": 1}[OPTIMIZERS[optimizer].batches]
    assert recipe.clip_norm is None
    assert recipe.decay_all is False


@pytest.mark.parametrize(
    ("schedules", "expected"),
    [(None, "linear"), (["cosine", "step"], "cosine"), (["step", "exponential"], "step")],
)
def test_the_reference_schedule_is_the_best_known_one_of_the_space(schedules, expected):
    assert reference_choices(build_space(schedules=schedules), "adam")["schedule"] == expected


def test_reference_answers_for_an_optimizer_outside_the_space_are_refused():
    with pytest.raises(SpaceError, match="unknown optimizer of this space 'adam'"):
        reference_choices(build_space(optimizers=["sgd"]), "adam")


def test_every_optimizer_is_asked_for_its_rate_under_one_name_and_range():
    space = build_space()
    assert all(reference_choices(space, name)["lr_relative"] == 1.0 for name in space.optimizers)


def test_the_rate_of_sgd_is_relative_to_its_effective_rate():
    space = build_space(optimizers=["sgd"])
    strong = recipe_of(space, "sgd", **{"lr_relative": 2.0, "sgd.one_minus_momentum": 0.01})
    plain = recipe_of(space, "sgd", **{"lr_relative": 2.0, "sgd.one_minus_momentum": 1.0})
    assert strong.settings["lr"] == pytest.approx(0.4 * 0.01)
    assert plain.settings["lr"] == pytest.approx(0.4)


def test_plain_sgd_is_not_asked_for_nesterov():
    space = build_space(optimizers=["sgd"], fixed={"momentum": 0})
    assert "sgd.nesterov" not in reference_choices(space, "sgd")
    assert "nesterov" not in recipe_of(space, "sgd").settings


def test_a_fixed_rate_is_the_actual_rate_and_is_not_asked():
    space = build_space(fixed={"lr": 0.5, "momentum": 0.9})
    for optimizer in ("sgd", "adam"):
        assert "lr_relative" not in reference_choices(space, optimizer)
        assert recipe_of(space, optimizer).settings["lr"] == 0.5


def test_fixed_values_reach_those_that_have_them_and_pass_by_the_others():
    space = build_space(
        fixed={"momentum": 0.5, "warmup": 0.07, "batch_size": 16, "clip_norm": 2, "cycles": 3}
    )
    sgd = recipe_of(space, "sgd", schedule="cosine_restarts")
    adam = recipe_of(space, "adam")
    assert sgd.settings["momentum"] == 0.5
    assert sgd.schedule_settings == {"warmup": 0.07, "cycles": 3}
    assert "momentum" not in adam.settings
    assert adam.schedule_settings == {"warmup": 0.07}
    assert (adam.batch_size, adam.clip_norm) == (16, 2.0)


def test_clipping_fixed_to_off_is_neither_asked_nor_done():
    space = build_space(fixed={"clip_norm": "off"}, tune_clip=True)
    assert recipe_of(space, "adam").clip_norm is None
    neither = build_space(fixed={"clip_norm": "off", "clip_value": "off"}, tune_clip=True)
    assert "clip" not in reference_choices(neither, "adam")


def test_batch_size_and_clipping_are_asked_only_where_they_are_searched():
    space = build_space(batch_sizes=[16, 32, 64], tune_clip=True)
    choices = reference_choices(space, "adam")
    assert choices["batch_size"] == 32
    assert choices["clip"] == "off"
    recipe = recipe_of(space, "adam", batch_size=64, clip="norm 0.3")
    assert (recipe.batch_size, recipe.clip_norm, recipe.clip_value) == (64, 0.3, None)
    assert not {"batch_size", "clip"} & reference_choices(build_space(), "adam").keys()


def test_clipping_is_by_norm_or_by_value():
    recipe = recipe_of(build_space(tune_clip=True), "adam", clip="value 0.1")
    assert (recipe.clip_norm, recipe.clip_value) == (None, 0.1)


@pytest.mark.parametrize("fixed", ["clip_norm", "clip_value"])
def test_a_kind_of_clipping_that_is_fixed_is_not_asked(fixed):
    assert "clip" not in reference_choices(build_space(fixed={fixed: 0.5}, tune_clip=True), "adam")
    space, asked = build_space(fixed={fixed: "off"}, tune_clip=True), []

    class Chooser(FixedTrial):
        def suggest_categorical(self, name, choices):
            asked.extend(choices if name == "clip" else ())
            return super().suggest_categorical(name, choices)

    suggest(space, Chooser(reference_choices(space, "adam")))
    other = "value" if fixed == "clip_norm" else "norm"
    assert {choice.split()[0] for choice in asked} == {"off", other}


def test_an_optimizer_with_batches_of_its_own_is_not_asked_for_their_size():
    space = build_space(optimizers=["gd", "single_sgd", "sgd"], batch_sizes=[16, 32])
    assert [("batch_size" in reference_choices(space, name)) for name in space.optimizers] == [
        True,
        False,
        False,
    ]
    fixed = build_space(optimizers=["gd", "single_sgd", "sgd"], fixed={"batch_size": 16})
    assert [recipe_of(fixed, name).batch_size for name in fixed.optimizers] == [16, "whole", 1]


def test_any_optimizer_can_be_given_the_whole_training_set():
    space = build_space(optimizers=["adam"], fixed={"batch_size": "whole"})
    assert recipe_of(space, "adam").batch_size == "whole"


def test_small_answers_for_weight_decay_mean_none():
    space = build_space(optimizers=["adamw"])
    low = OPTIMIZERS["adamw"].hyperparameter("weight_decay").low
    assert recipe_of(space, "adamw", **{"adamw.weight_decay": low * 0.5}).settings["weight_decay"] == 0.0
    assert recipe_of(space, "adamw", **{"adamw.weight_decay": low}).settings["weight_decay"] == low


def test_sparse_gradients_are_never_decayed():
    space = build_space(sparse_gradients=True)
    for optimizer in space.optimizers:
        assert "weight_decay" not in recipe_of(space, optimizer).settings


def test_the_space_decides_whether_biases_are_decayed():
    assert recipe_of(build_space(decay_all=True), "adamw").decay_all is True


def test_whole_numbers_and_choices_are_asked_as_they_are():
    cycles = Hyperparameter("cycles", kind="int", low=2, high=5, reference=3)
    mode = Hyperparameter("mode", kind="choice", choices=("a", "b"), reference="b")
    assert question_for(cycles, "x").ask(FixedTrial({"x.cycles": 4})) == 4
    assert question_for(mode, "x").ask(FixedTrial({"x.mode": "a"})) == "a"
    assert setting_for(mode, "a") == "a"


def test_one_minus_is_walked_without_rounding_noise():
    momentum = OPTIMIZERS["sgd"].hyperparameter("momentum")
    question = question_for(momentum, "sgd")
    assert (question.low, question.high, question.reference) == (0.005, 1.0, 0.1)
    assert setting_for(momentum, 0.005) == 0.995


def test_an_optimizer_without_schedules_is_not_asked_for_one_whatever_the_space_says():
    for schedules in (None, ["cosine", "linear"]):
        space = build_space(optimizers=["adamw", "schedule_free_adamw"], schedules=schedules)
        assert "schedule" in reference_choices(space, "adamw")
        assert "schedule" not in reference_choices(space, "schedule_free_adamw")
        recipe = recipe_of(space, "schedule_free_adamw")
        assert (recipe.schedule, dict(recipe.schedule_settings)) == ("constant", {"warmup": 0.05})


def test_the_warmup_of_an_optimizer_without_schedules_can_be_fixed_where_no_other_schedule_has_one():
    space = build_space(optimizers=["schedule_free_sgd"], schedules=["one_cycle"], fixed={"warmup": 0.1})
    assert recipe_of(space, "schedule_free_sgd").schedule_settings == {"warmup": 0.1}
