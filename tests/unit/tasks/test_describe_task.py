"""What ``autoopt check`` tells of a task."""

from __future__ import annotations

import math

import torch

from autoopt.tasks.describe import describe_task
from autoopt.tasks.load import load_task


def test_it_tells_what_was_found_and_inferred(write_task):
    path = write_task("test_data = X[:7], y[:7]\nmetric = 'accuracy'\nepochs = 4\nbatch_size = 32")
    told = describe_task(load_task(path, metric="accuracy"))
    assert (told.name, told.source, told.model, told.parameters) == ("task", str(path), "Sequential", 67)
    assert (told.train_rows, told.valid_rows, told.test_rows) == (48, 12, 7)
    assert (told.batch_size, told.steps_per_epoch, told.epochs) == (32, 2, 4)
    assert told.inputs == "(32, 4) float32"
    assert told.target == "(32,) int64"
    assert told.output == "(32, 3) float32"
    assert (told.loss, told.metric, told.objective, told.direction) == (
        "cross_entropy",
        "accuracy",
        "accuracy",
        "maximize",
    )
    assert 0.5 < told.first_loss < 2
    assert math.isfinite(told.valid_loss)
    assert any("loss inferred" in note for note in told.notes)


def test_it_leaves_the_random_state_alone(write_task):
    task = load_task(write_task())
    before = torch.get_rng_state()
    describe_task(task)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_step_is_told_without_output(write_task):
    task = load_task(write_task("def step(model, batch): return model(batch[0]).square().mean()"))
    told = describe_task(task)
    assert (told.loss, told.output, told.metric) == ("step", "", None)
    assert told.target == "(48,) int64"


def test_frozen_parameters_are_counted_apart(write_task):
    told = describe_task(load_task(write_task("""
def model():
    net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
    net[0].requires_grad_(False)
    return net
""")))  # fmt: skip
    assert (told.parameters, told.frozen_parameters) == (27, 40)
