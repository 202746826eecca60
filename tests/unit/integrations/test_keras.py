"""Keras 3, on torch unless KERAS_BACKEND says otherwise: the exported optimizers do what torch's do."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # before Keras is imported

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is not installed: pip install 'autoopt[keras]'")

import autoopt  # noqa: E402
from autoopt.catalogue import SCHEDULES  # noqa: E402
from autoopt.errors import SpaceError  # noqa: E402
from autoopt.export import write  # noqa: E402
from autoopt.export.factors import FACTOR_CODE  # noqa: E402
from autoopt.export.keras import KERAS  # noqa: E402
from tests.conformance.test_exporters import random_recipe, recommendation  # noqa: E402
from tests.unit.integrations import exported  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def walk(recipe):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.layers[-1].set_weights(exported.start())
    optimizer = exported.define(recipe, "keras")["make_optimizer"](model, exported.STEPS)
    for pair in exported.gradients():
        tensors = [keras.ops.convert_to_tensor(part, "float32") for part in pair]
        optimizer.apply(tensors, model.trainable_variables)
    return model.layers[-1].get_weights()


@pytest.mark.parametrize("optimizer", KERAS)
@pytest.mark.parametrize("schedule", ["constant", "linear", "one_cycle"])
def test_the_exported_optimizer_walks_as_torchs_does(optimizer, schedule):
    recipe = random_recipe(optimizer, schedule, 1)
    for theirs, ours in zip(walk(recipe), exported.walk_in_torch(recipe), strict=True):
        assert np.allclose(theirs, ours, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("changes", [{"clip_norm": 0.5}, {"clip_value": 0.1}, {"decay_all": True}])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_clipping_and_decay_are_torchs(optimizer, changes):
    recipe = exported.recipe(optimizer, **changes)
    for theirs, ours in zip(walk(recipe), exported.walk_in_torch(recipe), strict=True):
        assert np.allclose(theirs, ours, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("schedule", FACTOR_CODE)
def test_every_schedule_of_steps_has_torchs_rates(schedule):
    recipe = random_recipe("adam", schedule, 2)
    rate = exported.define(recipe, "keras")["Rate"](exported.STEPS)
    found = [float(keras.ops.convert_to_numpy(rate(step))) for step in range(exported.STEPS)]
    assert found == pytest.approx(exported.rates(recipe, exported.STEPS), rel=1e-5, abs=1e-9)


def test_only_schedules_that_follow_the_loss_have_no_form():
    assert set(SCHEDULES) - set(FACTOR_CODE) == {n for n, s in SCHEDULES.items() if s.follow is not None}


def test_what_keras_has_otherwise_is_refused():
    for given in (exported.recipe("nadam"), exported.recipe("rprop"), exported.recipe("adam", "plateau")):
        with pytest.raises(SpaceError, match=r"cannot be written for Keras: .* take the format pytorch"):
            write(recommendation(given), "keras")


def test_the_exported_usage_trains():
    draw = np.random.default_rng(0)
    X = draw.normal(size=(64, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    code = write(recommendation(exported.recipe(settings={"lr": 0.1})), "keras")
    around = {"model": model, "X": X, "y": X.sum(1, keepdims=True)}
    usage = code.rstrip().rsplit("\n\n\n", 1)[1].splitlines()[1:]
    lines = [line.removeprefix("# ").replace("loss=...", "loss='mse'").replace("epochs=epochs)", "epochs=epochs, verbose=0)")
             for line in usage]  # fmt: skip
    model.compile(loss="mse")
    before = model.evaluate(X, around["y"], verbose=0)
    exec(compile("\n".join([code, *lines]), "keras", "exec"), around)
    assert model.evaluate(X, around["y"], verbose=0) < before / 2


on_torch = pytest.mark.skipif(keras.backend.backend() != "torch", reason="Keras is searched on torch alone")
X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
Y = (X.sum(1, keepdims=True) > 0).astype("float32")


def make_model():
    layers = [keras.Input((3,)), keras.layers.Dropout(0.1), keras.layers.Dense(1, activation="sigmoid")]
    model = keras.Sequential(layers)
    model.compile(optimizer="sgd", loss="binary_crossentropy", metrics=["accuracy"])
    return model


@on_torch
def test_the_optimizer_of_a_compiled_model_is_searched(capfd):
    found = autoopt.keras.tune(make_model, X, Y, validation_split=0.2, budget=7, epochs=4)
    assert isinstance(found, autoopt.Recommendation)
    assert found.recipe.optimizer in KERAS
    assert len(set(found.chosen.scores.values())) == 3
    assert min(found.chosen.scores.values()) < 0.69  # the logarithm of 2
    assert write(found, "keras")
    assert capfd.readouterr() == ("", "")
    again = autoopt.keras.tune(make_model, X, Y, validation_split=0.2, budget=7, epochs=4)
    assert again.chosen.scores == found.chosen.scores


@on_torch
def test_another_metric_clipping_and_batches_may_be_searched():
    found = autoopt.keras.tune(make_model, X, Y, validation_data=(X, Y), budget=8, epochs=3, metric="val_accuracy",
                               optimizers="adam", tune_clip=True, tune_batch_size=True)  # fmt: skip
    assert (found.objective, found.direction) == ("val_accuracy", "maximize")


@on_torch
@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (lambda: make_model, {}, "'val_loss' was not logged after the epoch .*: give tune validation_data"),
        (lambda: lambda: 3, {}, "gave int, which must be a keras.Model that is compiled"),
        (lambda: make_model(), {}, "make_model is of type Sequential: give a function that makes"),
        (lambda: lambda: keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]), {}, "must be a keras.Model that is compiled"),
    ],
)  # fmt: skip
def test_what_cannot_be_tuned_is_refused(make, given, message):
    with pytest.raises(autoopt.AutooptError, match=message):
        autoopt.keras.tune(make(), X, Y, budget=7, epochs=2, **given)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="of other backends")
def test_another_backend_is_refused():
    with pytest.raises(autoopt.AutooptError, match="set KERAS_BACKEND=torch"):
        autoopt.keras.tune(make_model, X, Y)
