"""The range test on small tasks: it finds rates that train, costs little, and leaves everything as it was."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import nn

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import reference_settings
from autoopt.errors import SpaceError
from autoopt.recipe import Recipe
from autoopt.tasks.task import BatchLoss, Task
from autoopt.training.range_test import SEEDS, RangeTest, range_test

from .examples import cross_entropy, make_net, make_rows, make_task


def recipe(name: str = "adamw", **settings: Any) -> Recipe:
    return Recipe(name, reference_settings(OPTIMIZERS[name]) | settings, "cosine", {"warmup": 0.05})


def quadratic(curvature: float) -> Task:
    """One weight, whose loss is curvature / 2 · w²: gradient descent diverges beyond a rate of 2 / curvature."""

    class Weight(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(1))

    def loss(model: nn.Module, batch: Any) -> BatchLoss:
        return BatchLoss(curvature / 2 * model.get_parameter("w").square().sum(), len(batch[1]))

    return make_task(Weight, batch_loss=loss)


@pytest.mark.parametrize("curvature", [1.0, 30.0])
def test_the_border_of_plain_descent_is_where_theory_has_it(curvature: float) -> None:
    found = range_test(quadratic(curvature), recipe("sgd", momentum=0.0, nesterov=False, weight_decay=0.0))

    assert found.border is not None
    assert found.best is not None
    # the weight is tiny by then and needs a few steps to grow back, while the rate goes on rising
    assert 2 / curvature < found.border < 60 / curvature
    assert found.best < found.border


def test_momentum_is_allowed_for_in_the_rates() -> None:
    plain, steady = (
        range_test(quadratic(1.0), recipe("sgd", momentum=momentum, nesterov=False), seeds=SEEDS[:1])
        for momentum in (0.0, 0.9)
    )

    assert steady.rates[0] == pytest.approx(plain.rates[0] / 10)


@pytest.mark.parametrize(
    "name", [n for n in OPTIMIZERS if not n.startswith("lookahead_")] + ["lookahead_adamw"]
)
def test_every_optimizer_can_be_tested(name: str) -> None:
    entry = OPTIMIZERS[name]
    task = make_task(sparse_gradients=False)
    if not entry.accepts(sparse=False, dense=True):
        task = sparse_task()

    found = range_test(task, recipe(name), seeds=SEEDS[:2], steps=60)

    if entry.batches == "whole" and not entry.takes_schedule:
        assert "finds its own rates" in found.note
    else:
        assert (found.note, found.best is not None) == ("", True)
        assert found.rates == tuple(sorted(found.rates))
        assert len(found.rates) == len(found.losses)


def sparse_task() -> Task:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.Embedding(6, 3, sparse=True)

    def loss(model: nn.Module, batch: Any) -> BatchLoss:
        table: Any = model.get_submodule("rows")
        output = table(batch[0].argmax(1))
        return BatchLoss(nn.functional.cross_entropy(output, batch[1]), len(batch[1]), output, batch[1])

    return make_task(Table, batch_loss=loss, sparse_gradients=True, dense_gradients=False)


def test_the_same_test_twice_gives_the_same_answer() -> None:
    one, two = (range_test(make_task(lambda: make_net(0.5)), recipe(), steps=40) for _ in range(2))

    assert one == two


def test_random_state_and_data_stay_as_they_were() -> None:
    samples = make_rows(50)
    task, rows = make_task(train=samples), [t.clone() for t in samples.tensors]
    states = torch.get_rng_state(), random.getstate()

    range_test(task, recipe(), seeds=SEEDS[:1], steps=30)

    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert all(torch.equal(a, b) for a, b in zip(rows, samples.tensors, strict=True))


def test_no_time_means_one_model_and_a_note() -> None:
    found = range_test(make_task(), recipe(), steps=40, seconds=0.0)

    assert found.note == "1 of 3 models in the time given"
    assert found.best is not None


def test_code_that_fails_is_told_and_raises_nothing() -> None:
    def fail(model: nn.Module, batch: Any) -> BatchLoss:
        raise RuntimeError("no such row")

    found = range_test(make_task(batch_loss=fail), recipe())

    assert found.best is None
    assert "RuntimeError: no such row" in found.note


def test_a_loss_that_training_cannot_lower_gives_no_rate() -> None:
    def aimless(model: nn.Module, batch: Any) -> BatchLoss:
        return BatchLoss(cross_entropy(model, batch).loss * 0 + 1, 16)

    found = range_test(make_task(batch_loss=aimless), recipe(), steps=30, seeds=SEEDS[:1])

    assert (found.best, found.border) == (None, None)
    assert found.note == "the loss came down at no rate"


def test_an_unknown_optimizer_is_refused_with_the_nearest() -> None:
    with pytest.raises(SpaceError, match="unknown optimizer 'adamv': did you mean 'adam"):
        range_test(make_task(), Recipe("adamv"))


def test_a_test_becomes_plain_data_without_infinities() -> None:
    found = RangeTest((0.1, 1.0), (2.0, float("inf")), 0.1, 1.0)

    assert found.to_dict() == {
        "rates": [0.1, 1.0], "losses": [2.0, None], "best": 0.1, "border": 1.0, "note": "",
    }  # fmt: skip
