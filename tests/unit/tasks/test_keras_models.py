"""Real Keras 3 models on the torch backend, loaded, profiled and trained as any other module."""

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is imported

import pytest
import torch

keras = pytest.importorskip("keras", reason="Keras is not installed: pip install 'autoopt[keras]'")

import autoopt  # noqa: E402
from autoopt.export import write  # noqa: E402
from autoopt.run import Run  # noqa: E402
from autoopt.space.written import parse_recipe  # noqa: E402
from autoopt.tasks.load import load_task  # noqa: E402
from autoopt.tasks.make import make_task  # noqa: E402
from autoopt.tasks.profile import profile_task  # noqa: E402
from autoopt.training.build import parameter_groups  # noqa: E402
from autoopt.training.serial import serial_cohort  # noqa: E402
from tests.unit.training.examples import numbers  # noqa: E402

# Keras's own way of copying a model warns on NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
layers = keras.layers
DECAYED = parse_recipe("adamw lr=0.01 weight_decay=0.1")


def net():
    """D4's net with all that acts differently in training; not built before its first batch."""
    return keras.Sequential(
        [
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(1),
        ]
    )


def make(model=net, **changes):
    draw = torch.Generator().manual_seed(0)
    X = torch.randn(60, 10, generator=draw)
    return make_task(
        model=model, train_data=(X, X.sum(1, keepdim=True)), **{"epochs": 2, "batch_size": 16, **changes}
    )


@pytest.fixture(scope="module")
def task():
    return make()


def train(task, run_ids, room_bytes=None):
    runs = [Run(i, DECAYED, seed=i, epochs=2, rungs=(1,)) for i in run_ids]
    cohort = serial_cohort(task, runs, room_bytes=room_bytes)
    seen = []
    while cohort.runs:
        seen += [numbers(report) for report in cohort.advance()]
    return seen


def test_a_model_is_told_whether_it_trains(task):
    model, X = task.make_model(), torch.randn(16, 10)
    model.train()
    assert not torch.equal(model(X), model(X))
    moving = next(p for n, p in model.named_parameters() if n.endswith("moving_mean"))
    assert moving.abs().sum() > 0
    model.eval()
    before = moving.clone()
    assert torch.equal(model(X), model(X))
    assert torch.equal(moving, before)


def test_every_seed_has_weights_of_its_own_and_equal_seeds_equal_runs(task):
    first, second = train(task, [1]), train(task, [2])
    assert first == train(task, [1])
    assert first[0]["train_loss"] != second[0]["train_loss"]


def test_runs_do_the_same_alone_side_by_side_and_parked_in_files(task):
    together = train(task, [1, 2])
    assert [r for r in together if r["run_id"] == "1"] == train(task, [1])
    assert train(task, [1, 2], room_bytes=0) == together


def test_kernels_are_decayed_and_biases_and_normalisation_are_not(task):
    decayed, others = parameter_groups(task.make_model(), DECAYED)
    assert sorted(tuple(p.shape) for p in decayed["params"]) == [(8, 1), (10, 8)]
    assert sorted(tuple(p.shape) for p in others["params"]) == [(1,), (8,), (8,), (8,)]


def test_what_keras_counts_up_makes_no_other_task(task):
    assert make().fingerprint == task.fingerprint
    assert make(lambda: keras.Sequential([layers.Dense(1)])).fingerprint != task.fingerprint
    wide = keras.activations.tanh
    assert (
        make(lambda: keras.Sequential([layers.Dense(8, wide), layers.Dense(1)])).fingerprint
        != task.fingerprint
    )


@pytest.mark.parametrize(
    ("stack", "shape", "family"),
    [
        (lambda: [layers.Dense(4), layers.Dense(1)], (6,), "mlp"),
        (lambda: [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(1)], (6, 6, 1), "cnn"),
        (lambda: [layers.LSTM(4), layers.Dense(1)], (5, 3), "rnn"),
    ],
)
def test_the_family_is_read_off_the_layers(stack, shape, family):
    data = torch.randn(20, *shape), torch.randn(20, 1)
    model = lambda: keras.Sequential([keras.Input(shape), *stack()])  # noqa: E731
    assert profile_task(make_task(model=model, train_data=data)).family == family


def test_several_inputs_reach_a_functional_model():
    def two():
        a, b = keras.Input((3,)), keras.Input((2,))
        return keras.Model([a, b], layers.Dense(1)(layers.Concatenate()([a, b])))

    batch = [(torch.randn(3), torch.randn(2), torch.randn(1)) for _ in range(20)]
    assert make_task(model=two, train_data=batch).loss_name == "mse_loss"


def test_an_instance_is_copied_with_its_weights():
    instance = keras.Sequential([keras.Input((10,)), layers.Dense(1)])
    copied = make(instance).make_model()
    for mine, theirs in zip(copied.parameters(), instance.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        assert mine.data_ptr() != theirs.data_ptr()


@pytest.mark.parametrize(
    "loss", [keras.losses.SparseCategoricalCrossentropy(from_logits=True), "cross_entropy"]
)
def test_a_loss_of_keras_gets_the_target_first(loss):
    draw = torch.Generator().manual_seed(0)
    X, y = torch.randn(60, 4, generator=draw), torch.randint(3, (60,), generator=draw)
    model = lambda: keras.Sequential([keras.Input((4,)), layers.Dense(3, kernel_initializer="zeros")])  # noqa: E731
    task = make_task(model=model, train_data=(X, y), loss=loss)
    batch = next(iter(task.train.batches(16)))
    assert task.batch_loss(task.make_model(), batch).loss.item() == pytest.approx(1.0986, abs=1e-3)


def test_the_study_of_the_documents_example_loads():
    task = load_task(Path(__file__).parents[3] / "studies" / "keras_regression.py")
    shapes = sorted(tuple(p.shape) for p in task.make_model().parameters())
    assert shapes == [(1,), (10, 64), (64,), (64, 1)]
    assert task.loss_name == "mse_loss"


def test_the_exported_code_trains_a_keras_model():
    recommendation = autoopt.tune(
        make(lambda: keras.Sequential([layers.Dense(1)])), 7, trials=1, optimizers=["sgd"]
    )
    names = {}
    exec(write(recommendation, "pytorch"), names)
    model = keras.Sequential([keras.Input((10,)), layers.Dense(1)])
    X = torch.ones(4, 10)
    before = model(X).square().sum().item()
    optimizer = names["make_optimizer"](model)
    for _ in range(3):
        optimizer.zero_grad()
        model(X, training=True).square().sum().backward()
        optimizer.step()
    assert model(X).square().sum().item() != before
