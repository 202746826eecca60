"""Keras 3, on torch unless KERAS_BACKEND says otherwise: the exported optimizers do what torch's do."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # before Keras is imported

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is not installed: pip install 'autoopt[keras]'")

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
    for given in (exported.recipe("nadam"), exported.recipe("soap"), exported.recipe("adam", "plateau")):
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
