"""Noise and sparsity of gradients, on tasks where they can be worked out."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from autoopt.tasks.gradient_noise import measure_gradients
from autoopt.tasks.load import load_task
from autoopt.tasks.profile import profile_task

LINEAR = """
import torch
from torch import nn
draw = torch.Generator().manual_seed(0)
X = torch.ones(4000, 1)
y = {mean} + {spread} * torch.randn(4000, 1, generator=draw)
train_data, batch_size, loss = (X, y), 50, "mse_loss"
class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))
    def forward(self, x):
        return x * self.value
model = Mean
"""


def test_the_noise_scale_is_that_of_theory(write_task: Any) -> None:
    # a row's gradient is 2 (value − y): with y of mean 2 and deviation 3 its variance is 36, its mean −4
    found = measure_gradients(load_task(write_task(text=LINEAR.format(mean=2, spread=3))), seconds=60)

    assert found is not None
    assert 36 / 16 / 2 < found.fresh_noise_scale < 36 / 16 * 2  # of 16 batches, so a rough estimate
    assert (found.zero_gradients, found.sparse_data, found.batches) == (0.0, 0.0, 16)


def test_a_gradient_that_is_all_noise_has_an_infinite_or_huge_scale(write_task: Any) -> None:
    found = measure_gradients(load_task(write_task(text=LINEAR.format(mean=0, spread=3))), seconds=60)

    assert found is not None
    assert found.fresh_noise_scale > 100


def test_a_gradient_without_noise_has_none(write_task: Any) -> None:
    found = measure_gradients(load_task(write_task(text=LINEAR.format(mean=1, spread=0))), seconds=60)

    assert found is not None
    assert found.noise_scale == pytest.approx(0, abs=1e-6)


def test_sparse_data_are_told_from_dead_weights(write_task: Any) -> None:
    text = """
import torch
from torch import nn
words = torch.zeros(1024, 100)
words[torch.arange(1024), torch.arange(1024) % 80] = 1.0
train_data, batch_size = (words, torch.arange(1024) % 2), 16
def model(): return nn.Linear(100, 2, bias=False)
"""
    found = measure_gradients(load_task(write_task(text=text)), seconds=60)

    assert found is not None
    assert found.zero_gradients == pytest.approx(0.85, abs=0.03)
    assert found.sparse_data == pytest.approx(0.65, abs=0.05)  # a fifth of the words never occur


def test_sparse_gradients_are_measured_too(write_task: Any) -> None:
    text = """
import torch
from torch import nn
train_data = (torch.arange(400) % 90, torch.randn(400))
batch_size, loss = 20, "mse_loss"
class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows = nn.Embedding(100, 1, sparse=True)
    def forward(self, x):
        return self.rows(x).squeeze(1)
model = Table
"""
    found = measure_gradients(load_task(write_task(text=text)), seconds=60)

    assert found is not None
    assert found.zero_gradients > 0.7
    assert found.noise_scale > 0


def test_measuring_leaves_random_state_and_data_as_they_were(write_task: Any) -> None:
    task = load_task(write_task())
    before = [t.clone() for batch in task.train.batches(100) for t in batch]
    states = torch.get_rng_state(), random.getstate()

    measure_gradients(task)

    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    after = [t for batch in task.train.batches(100) for t in batch]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_without_time_or_with_code_that_fails_nothing_is_said(write_task: Any) -> None:
    def fail(model: nn.Module, batch: Any) -> Any:
        raise RuntimeError("no more")

    task = load_task(write_task())

    assert measure_gradients(task, seconds=0) is None
    assert measure_gradients(replace(task, batch_loss=fail)) is None


def test_what_was_measured_reaches_the_profile(write_task: Any) -> None:
    task = load_task(write_task(text=LINEAR.format(mean=2, spread=3)))
    found = measure_gradients(task, seconds=60)
    assert found is not None

    profile, unmeasured = profile_task(task, found), profile_task(task)

    assert profile.noise_scale == found.noise_scale
    assert profile.noise_to_batch == pytest.approx(found.noise_scale / 50)
    assert (unmeasured.noise_scale, unmeasured.sparse_data) == (None, None)
    assert math.isfinite(found.fresh_noise_scale)
