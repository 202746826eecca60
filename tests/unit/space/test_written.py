import pytest

from autoopt.catalogue import OPTIMIZERS
from autoopt.errors import SpaceError
from autoopt.recipe import Recipe
from autoopt.space import BASELINE, SPARSE_BASELINE, check_recipe, parse_fixed, parse_recipe


def test_a_line_with_everything_becomes_a_recipe():
    recipe = parse_recipe(
        "AdamW lr=1e-3 weight_decay=0.1 schedule=cosine warmup=0.05 batch_size=64 clip_norm=1 decay_all=true"
    )
    assert recipe == Recipe(
        "adamw",
        settings={"lr": 1e-3, "weight_decay": 0.1},
        schedule="cosine",
        schedule_settings={"warmup": 0.05},
        batch_size=64,
        clip_norm=1.0,
        decay_all=True,
    )


def test_what_is_not_said_keeps_the_defaults_of_torch():
    assert parse_recipe("sgd") == Recipe("sgd")


def test_the_settings_of_a_schedule_may_come_before_its_name():
    assert parse_recipe("sgd gamma=0.5 lr=1 schedule=step").schedule_settings == {"gamma": 0.5}


def test_equal_recipes_have_equal_fingerprints_however_their_numbers_are_written():
    assert parse_recipe("sgd lr=1").fingerprint == parse_recipe("sgd lr=1.0").fingerprint


@pytest.mark.parametrize(
    ("text", "batch_size"),
    [
        ("gd lr=1", "whole"),
        ("rprop batch_size=whole", "whole"),
        ("single_sgd", 1),
        ("adam batch_size=whole", "whole"),
    ],
)
def test_the_whole_training_set_or_a_single_row_may_be_the_batch(text, batch_size):
    assert parse_recipe(text).batch_size == batch_size


def test_clipping_may_be_off():
    assert parse_recipe("sgd lr=0.1 clip_norm=off").clip_norm is None
    assert parse_recipe("sgd lr=0.1 clip_norm=off clip_value=0.5").clip_value == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a recipe starts with an optimizer"),
        ("lr=1e-3", "a recipe starts with an optimizer"),
        ("adamv lr=1e-3", "unknown optimizer 'adamv': did you mean 'adam"),
        ("adamw schedule=cosin", "unknown schedule 'cosin': did you mean 'cosine'"),
        ("adamw lr", "a setting is written name=value, for example lr=1e-3, got 'lr'"),
        ("adamw lr=", "a setting is written name=value"),
        ("adamw =1", "a setting is written name=value"),
        ("adamw lr=1 lr=2", "lr is given twice"),
        ("adamw momentum=0.9", "unknown setting of adamw with schedule constant 'momentum'"),
        ("adamw gamma=0.1", "unknown setting of adamw with schedule constant 'gamma'"),
        ("adamw batchsize=3", "did you mean 'batch_size'"),
        ("adamw lr=quick", "lr must be a number above 0, got 'quick'"),
        ("adamw lr=0", "lr must be a number above 0, got 0"),
        ("adamw lr=1e999", "lr must be a number above 0, got inf"),
        ("sgd momentum=1", "momentum must be a number from 0 to below 1"),
        ("sgd lr=1 nesterov=true", "nesterov=true needs a momentum above 0"),
        ("sgd lr=1 momentum=0.9 nesterov=yes", "nesterov must be true or false, got 'yes'"),
        ("adamw warmup=1.0", "warmup must be a number from 0 to below 1"),
        ("adamw batch_size=1.5", "batch_size must be a whole number at least 1, got 1.5"),
        ("adamw clip_norm=-1", "clip_norm must be a number above 0, got -1"),
        ("adamw clip_value=0", "clip_value must be a number above 0, got 0"),
        ("adamw clip_norm=1 clip_value=0.5", r"clip_norm=1.* and clip_value=0\.5: .* leave one out"),
        ("adamw batch_size=all", "batch_size must be a whole number at least 1, got 'all'"),
        ("gd batch_size=64", "batch_size=64 does not go with gd, which looks at the whole training set"),
        ("single_sgd batch_size=whole", "batch_size=whole does not go with single_sgd, .* a single row"),
        ("adamw decay_all=2", "decay_all must be true or false, got 2"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(SpaceError, match=message):
        parse_recipe(text)


def test_fixed_settings_are_read_in_their_own_types():
    values = parse_fixed(["lr=1e-3", "batch_size = 64", "nesterov=False", "clip_norm=off"])
    assert values == {"lr": 1e-3, "batch_size": 64, "nesterov": False, "clip_norm": "off"}


@pytest.mark.parametrize("pairs", [["lr"], ["=1"], ["lr="], ["lr=1", "lr=2"]])
def test_fixed_settings_that_are_not_pairs_are_refused(pairs):
    with pytest.raises(SpaceError):
        parse_fixed(pairs)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Recipe("adamx"), "unknown optimizer 'adamx'"),
        (Recipe(["adam"]), "the optimizer must be a name"),
        (Recipe("adam", schedule=3), "the schedule must be a name, got 3"),
        (Recipe("adam", schedule="steps"), "unknown schedule 'steps': did you mean 'step'"),
        (Recipe("adam", settings={"rho": 0.9}), "unknown setting of adam 'rho'"),
        (Recipe("adam", schedule_settings={"gamma": 0.9}), "unknown setting of constant 'gamma'"),
        (Recipe("adam", settings={"lr": "1e-3"}), "lr must be a number above 0, got '1e-3'"),
        (Recipe("adam", batch_size="64"), "batch_size must be a whole number at least 1, got '64'"),
        (Recipe("adam", clip_norm=True), "clip_norm must be a number above 0, got True"),
        (Recipe("adam", decay_all=1), "decay_all must be true or false, got 1"),
    ],
)
def test_a_recipe_from_elsewhere_that_makes_no_sense_is_refused(recipe, message):
    with pytest.raises(SpaceError, match=message):
        check_recipe(recipe)


def test_a_checked_recipe_has_its_values_in_their_types():
    checked = check_recipe(Recipe("adam", settings={"lr": 1}, batch_size=32.0, clip_norm=2))
    assert (checked.settings["lr"], checked.batch_size, checked.clip_norm) == (1.0, 32, 2.0)
    assert isinstance(checked.batch_size, int)
    assert isinstance(checked.settings["lr"], float)


def test_the_baseline_is_what_torch_does_by_itself():
    assert BASELINE.to_dict() == {
        "optimizer": "adamw",
        "settings": {"lr": 1e-3},
        "schedule": "constant",
        "schedule_settings": {},
        "batch_size": None,
        "clip_norm": None,
        "clip_value": None,
        "decay_all": True,
    }


def test_the_baseline_of_sparse_tasks_accepts_sparse_gradients():
    assert "dense_gradients" not in OPTIMIZERS[SPARSE_BASELINE.optimizer].needs
    assert "weight_decay" not in SPARSE_BASELINE.settings


def test_a_schedule_for_an_optimizer_that_goes_without_is_refused():
    with pytest.raises(SpaceError, match=r"write schedule=constant .*, got schedule=cosine"):
        parse_recipe("schedule_free_adamw lr=1e-3 schedule=cosine")
    assert parse_recipe("schedule_free_adamw lr=1e-3 warmup=0.1").schedule == "constant"
