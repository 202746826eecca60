from dataclasses import replace

import pytest

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.errors import SpaceError
from autoopt.space import build_space


def test_without_arguments_the_default_search_is_what_may_be_tried():
    space = build_space()
    assert space.optimizers == ("sgd", "adam", "adamw", "nadam", "radam", "rmsprop", "adagrad", "adadelta")
    assert space.schedules == ("constant", "linear", "cosine", "step", "exponential", "cosine_restarts")
    assert not space.fixed


def test_all_takes_everything_but_what_the_gradients_forbid():
    space = build_space(optimizers="all", schedules=["all"])
    once = {name for name, entry in OPTIMIZERS.items() if entry.around is None}
    assert once - set(space.optimizers) == {"sparse_adam"}
    assert space.schedules == tuple(SCHEDULES)
    sparse = build_space(optimizers="all", sparse_gradients=True, dense_gradients=False)
    assert sparse.optimizers == (
        "sgd",
        "adagrad",
        "momentum",
        "sparse_adam",
        "gd",
        "single_sgd",
        "lbfgs",
        "bfgs",
    )


def test_an_unknown_name_beside_all_is_still_refused():
    with pytest.raises(SpaceError, match="did you mean 'adam"):
        build_space(optimizers="all, adamv")


def test_all_leaves_out_what_is_not_installed_and_a_name_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "lion", replace(OPTIMIZERS["lion"], target="not_installed_here:Lion"))
    assert "lion" not in build_space(optimizers="all").optimizers
    with pytest.raises(
        SpaceError, match=r"Lion lives in not_installed_here.* pip install 'autoopt\[optimizers\]'"
    ):
        build_space(optimizers=["lion"])


def test_an_optimizer_for_sparse_gradients_is_refused_where_some_are_dense():
    with pytest.raises(SpaceError, match="no sparse gradients, and sparse_adam can use no others"):
        build_space(optimizers=["sparse_adam"])
    with pytest.raises(SpaceError, match="sparse gradients and dense ones, which sparse_adam cannot use"):
        build_space(optimizers=["sparse_adam"], sparse_gradients=True)


def test_names_narrow_the_space_and_duplicates_fold():
    space = build_space(optimizers=["adamw", " SGD", "adamw"], schedules=["cosine", "cosine"])
    assert space.optimizers == ("sgd", "adamw")
    assert space.schedules == ("cosine",)


def test_one_text_with_commas_names_several():
    assert build_space(optimizers="adam,sgd,").optimizers == ("sgd", "adam")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimizers": ["adamv"]}, "unknown optimizer 'adamv': did you mean 'adam"),
        ({"schedules": ["cosin"]}, "unknown schedule 'cosin': did you mean 'cosine'"),
        ({"optimizers": []}, "no optimizer is left to try: name at least one of sgd"),
        ({"optimizers": " , "}, "no optimizer is left to try"),
        ({"schedules": []}, "no schedule is left to try: name at least one of constant"),
        ({"optimizers": [7]}, "the optimizer must be a name, got 7"),
    ],
)
def test_a_narrowing_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(SpaceError, match=message):
        build_space(**arguments)


def test_fixed_values_take_the_type_of_their_setting():
    fixed = build_space(fixed={"lr": 1, "batch_size": 64.0, "clip_norm": None, "nesterov": False}).fixed
    assert fixed == {"lr": 1.0, "batch_size": 64, "clip_norm": "off", "nesterov": False}
    assert isinstance(fixed["lr"], float)
    assert isinstance(fixed["batch_size"], int)


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"lr": -1e-3}, r"lr must be a number above 0, got -0\.001"),
        ({"lr": float("nan")}, "lr must be a number above 0, got nan"),
        ({"lr": float("inf")}, "lr must be a number above 0, got inf"),
        ({"lr": 10**400}, "lr must be a number above 0, got 1000"),
        ({"lr": "fast"}, "lr must be a number above 0, got 'fast'"),
        ({"lr": True}, "lr must be a number above 0, got True"),
        ({"weight_decay": -0.1}, "weight_decay must be a number at least 0"),
        ({"momentum": 1.0}, "momentum must be a number from 0 to below 1"),
        ({"beta2": 1.5}, "beta2 must be a number from 0 to below 1"),
        ({"nesterov": 1}, "nesterov must be true or false, got 1"),
        ({"warmup": 1}, "warmup must be a number from 0 to below 1"),
        ({"gamma": 2.0}, "gamma must be a number above 0 up to 1"),
        ({"cycles": 2.5}, "cycles must be a whole number at least 1, got 2.5"),
        ({"batch_size": 0}, "batch_size must be a whole number at least 1, got 0"),
        ({"batch_size": float("inf")}, "batch_size must be a whole number at least 1, got inf"),
        ({"clip_norm": 0}, "clip_norm must be a number above 0, got 0"),
        ({"clip_value": "on"}, "clip_value must be a number above 0, or 'off', got 'on'"),
        ({"clip_norm": 1, "clip_value": 1}, "clipped by norm or by value, so leave one out"),
        ({"clip_norm": "on"}, "clip_norm must be a number above 0, or 'off', got 'on'"),
        ({"momentum": 0, "nesterov": True}, "nesterov=true needs a momentum above 0"),
        ({"wieght_decay": 0.1}, "unknown setting 'wieght_decay': did you mean 'weight_decay'"),
        ({"optimizer": "sgd"}, "optimizer is not fixed but narrowed: .* as optimizers"),
    ],
)
def test_a_fixed_value_that_makes_no_sense_is_refused(fixed, message):
    with pytest.raises(SpaceError, match=message):
        build_space(fixed=fixed)


def test_a_fixed_setting_that_nothing_in_the_space_has_is_refused_with_its_owners():
    with pytest.raises(
        SpaceError, match=r"momentum cannot be fixed: it belongs to sgd, momentum, .*which this space leaves"
    ):
        build_space(optimizers=["adamw"], fixed={"momentum": 0.9})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"optimizers": "gd,sgd", "own_batches": True},
            "gd looks at the whole .* batches of their own: .* leave gd",
        ),
        (
            {"optimizers": "single_sgd", "batch_norm": True},
            "batch norm needs two at least: leave single_sgd out",
        ),
        ({"optimizers": "gd", "fixed": {"batch_size": 32}}, "batch_size=32 does not go with gd"),
        ({"own_batches": True, "fixed": {"batch_size": "whole"}}, "batch_size=whole cannot be fixed"),
    ],
)
def test_what_cannot_train_the_task_is_refused_with_the_reason(arguments, message):
    with pytest.raises(SpaceError, match=message):
        build_space(**arguments)


def test_batch_sizes_are_sorted_folded_and_checked():
    assert build_space(batch_sizes=[128, 32, 128]).batch_sizes == (32, 128)
    with pytest.raises(SpaceError, match="batch_size must be a whole number at least 1, got 0"):
        build_space(batch_sizes=[0, 32])


def test_sparse_gradients_leave_the_optimizers_that_accept_them():
    space = build_space(sparse_gradients=True)
    assert space.optimizers == ("sgd", "adagrad")
    assert build_space(optimizers=["adamw", "sgd"], sparse_gradients=True).optimizers == ("sgd",)


def test_sparse_gradients_with_none_that_accepts_them_name_those_that_do():
    with pytest.raises(
        SpaceError,
        match="adamw cannot use: take one of sgd, adagrad, momentum, gd, single_sgd, lbfgs, bfgs, or build",
    ):
        build_space(optimizers=["adamw"], sparse_gradients=True)


def test_sparse_gradients_refuse_a_fixed_weight_decay_but_not_a_fixed_zero():
    with pytest.raises(SpaceError, match=r"weight_decay=0\.1 cannot be fixed"):
        build_space(sparse_gradients=True, fixed={"weight_decay": 0.1})
    assert build_space(sparse_gradients=True, fixed={"weight_decay": 0}).fixed == {"weight_decay": 0.0}


def test_lookahead_stands_for_itself_around_each_that_is_named_beside_it():
    assert build_space(optimizers="adamw,lookahead").optimizers == ("adamw", "lookahead_adamw")
    alone = build_space(optimizers="lookahead").optimizers
    assert set(alone) == {f"lookahead_{name}" for name in build_space().optimizers}
    everything = build_space(optimizers="all").optimizers
    assert not any(name.startswith("lookahead") for name in everything)


def test_lookahead_around_what_it_is_not_sound_with_is_refused():
    for name in ("prodigy", "schedule_free_adamw", "rprop"):
        with pytest.raises(SpaceError, match=f"unknown optimizer 'lookahead_{name}'"):
            build_space(optimizers=[f"lookahead_{name}"])
        with pytest.raises(SpaceError, match="unknown optimizer 'lookahead'"):
            build_space(optimizers=["lookahead", name])
