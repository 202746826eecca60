"""Optax, where it is installed: the exported transformations do what torch's optimizers do."""

import numpy as np
import pytest

optax = pytest.importorskip("optax", reason="Optax is not installed: pip install optax")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

from autoopt.errors import SpaceError  # noqa: E402
from autoopt.export import write  # noqa: E402
from autoopt.export.optax import OPTAX  # noqa: E402
from tests.conformance.test_exporters import random_recipe, recommendation  # noqa: E402
from tests.unit.integrations import exported  # noqa: E402


def walk(recipe):
    optimizer = exported.define(recipe, "optax")["make_optimizer"](exported.STEPS)
    parameters = [jnp.asarray(part) for part in exported.start()]
    state = optimizer.init(parameters)
    for pair in exported.gradients():
        updates, state = optimizer.update([jnp.asarray(part) for part in pair], state, parameters)
        parameters = optax.apply_updates(parameters, updates)
    return parameters


@pytest.mark.parametrize("optimizer", OPTAX)
@pytest.mark.parametrize("schedule", ["constant", "linear", "one_cycle"])
def test_the_exported_chain_walks_as_torchs_optimizer_does(optimizer, schedule):
    recipe = random_recipe(optimizer, schedule, 1)
    for theirs, ours in zip(walk(recipe), exported.walk_in_torch(recipe), strict=True):
        assert np.allclose(theirs, ours, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("changes", [{"clip_norm": 0.5}, {"clip_value": 0.1}, {"decay_all": True}])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_clipping_and_decay_are_torchs(optimizer, changes):
    recipe = exported.recipe(optimizer, **changes)
    for theirs, ours in zip(walk(recipe), exported.walk_in_torch(recipe), strict=True):
        assert np.allclose(theirs, ours, rtol=2e-4, atol=2e-5)


def test_what_optax_has_otherwise_is_refused():
    for given in (exported.recipe("nadam"), exported.recipe("adam", "plateau")):
        with pytest.raises(SpaceError, match=r"cannot be written for Optax: .* take the format pytorch"):
            write(recommendation(given), "optax")


def test_the_exported_usage_trains():
    X = jnp.asarray(np.random.default_rng(0).normal(size=(64, 3)))

    def loss(parameters, inputs, targets):
        return ((inputs @ parameters - targets) ** 2).mean()

    def batches(X, y, size):
        return [(X[n : n + size], y[n : n + size]) for n in range(0, len(X), size)]

    code = write(recommendation(exported.recipe(settings={"lr": 0.1})), "optax")
    usage = code.rstrip().rsplit("\n\n\n", 1)[1].splitlines()[1:]
    around = {"parameters": jnp.zeros(3), "X": X, "y": X.sum(1), "loss": loss, "batches": batches}
    exec(compile("\n".join([code, *(line.removeprefix("# ") for line in usage)]), "optax", "exec"), around)
    assert loss(around["parameters"], X, X.sum(1)) < loss(jnp.zeros(3), X, X.sum(1)) / 2
    assert jax.tree.leaves(around["state"])
