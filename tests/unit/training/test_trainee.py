"""One run in training, against a plain torch loop and in its finer points."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import followed_factor, learning_rate_factor
from autoopt.recipe import Recipe
from autoopt.run import Purpose, Run
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import BatchLoss, Metric, Task
from autoopt.training.averaging import WeightAverage
from autoopt.training.build import build_optimizer, build_scheduler
from autoopt.training.judged import judged_weights, start_training
from autoopt.training.streams import shuffle_seed
from autoopt.training.trainee import Trainee

from .examples import CLASSES, INPUTS, cross_entropy, make_net, make_rows, make_run, make_task

DOUBLE = make_task(
    lambda: make_net().double(),
    train=make_rows(50, dtype=torch.float64),
    valid=make_rows(20, seed=1, dtype=torch.float64),
)


def _train(task: Task, run: Run) -> list:
    trainee = Trainee(task, run, "cpu")
    return [trainee.train_epoch() for _ in range(run.epochs)]


def _take_step(optimizer: Any, model: nn.Module, recipe: Recipe, loss: Callable[[], torch.Tensor]) -> float:
    """Take a step as one writes it by hand; return the loss before it."""
    seen: list[torch.Tensor] = []

    def value() -> torch.Tensor:
        seen.append(loss())
        return seen[-1]

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value().backward()
        if recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        if recipe.clip_value is not None:
            nn.utils.clip_grad_value_(model.parameters(), recipe.clip_value)
        return seen[-1].detach()

    needs = OPTIMIZERS[recipe.optimizer].needs
    if "second_derivatives" in needs:
        optimizer.step(value)
    elif "closure" in needs:
        optimizer.step(closure)
    else:
        closure()
        optimizer.step()
    return seen[0].item()


def _plain_loop(task: Task, run: Run) -> list[tuple[float, float]]:
    """Training and validation losses by epoch, of a loop as one writes it by hand."""
    torch.manual_seed(run.seed)
    model, batch_size = task.make_model(), run.recipe.batch_size or task.batch_size
    optimizer = build_optimizer(model, run.recipe)
    scheduler = build_scheduler(optimizer, run.recipe, run.epochs * task.train.steps_per_epoch(batch_size))
    losses = []
    for epoch in range(1, run.epochs + 1):
        model.train()
        start_training(optimizer)
        total = 0.0
        for X, y in task.train.batches(batch_size, shuffle_seed=shuffle_seed(run.seed, epoch)):
            loss = _take_step(
                optimizer, model, run.recipe, lambda X=X, y=y: nn.functional.cross_entropy(model(X), y)
            )
            scheduler.step()
            total += loss * len(y)
        model.eval()
        with judged_weights(optimizer), torch.no_grad():
            valid = nn.functional.cross_entropy(model(task.valid.tensors[0]), task.valid.target).item()
        losses.append((total / task.train.rows, valid))
    return losses


@pytest.mark.parametrize(
    "optimizer", [n for n, e in OPTIMIZERS.items() if e.accepts(sparse=False, dense=True)]
)
def test_a_plain_torch_loop_gives_the_same_losses(optimizer: str) -> None:
    shape = {"schedule": "cosine", "schedule_settings": {"warmup": 0.1}, "clip_norm": 0.5, "batch_size": 8}
    # a line search makes much of the last digit, so let those that have one take few and steady steps
    run = make_run(
        0, optimizer, **({"batch_size": 50} if "closure" in OPTIMIZERS[optimizer].needs else shape)
    )
    seen = [(report.train_loss, report.valid_loss) for report in _train(DOUBLE, run)]
    for found, expected in zip(seen, _plain_loop(DOUBLE, run), strict=True):
        assert found == pytest.approx(expected, rel=1e-12)
    assert seen[0] != seen[-1]


def test_clipping_by_value_gives_what_a_plain_torch_loop_gives() -> None:
    run = make_run(0, "sgd", clip_value=0.01)
    clipped, free = _train(DOUBLE, run), _train(DOUBLE, make_run(0, "sgd"))
    seen = [(report.train_loss, report.valid_loss) for report in clipped]
    assert seen == [pytest.approx(pair, rel=1e-12) for pair in _plain_loop(DOUBLE, run)]
    assert clipped[-1].valid_loss != free[-1].valid_loss
    assert clipped[0].gradient_norm > 0.01


def test_dropout_draws_what_a_plain_loop_draws() -> None:
    task = make_task(lambda: make_net(dropout=0.5))
    run = make_run()
    seen = [(report.train_loss, report.valid_loss) for report in _train(task, run)]
    assert seen == [pytest.approx(pair, rel=1e-6) for pair in _plain_loop(task, run)]


def test_the_report_tells_rate_and_gradient_norm_of_the_last_step() -> None:
    run = make_run(0, "sgd", schedule="linear", settings={"lr": 0.1, "weight_decay": 0.0})
    first, _, last = _train(DOUBLE, run)
    assert first.learning_rate == pytest.approx(0.1 * learning_rate_factor("linear", {}, 3, 12))
    assert last.learning_rate == pytest.approx(0.1 * learning_rate_factor("linear", {}, 11, 12))
    assert 0 < last.gradient_norm < 10
    assert last.seconds > 0
    assert last.score == last.valid_loss


def test_the_rate_on_a_plateau_follows_the_validation_losses_of_the_run_itself() -> None:
    shape = {"factor": 0.5, "patience": 0, "warmup": 0.1}
    run = make_run(
        0,
        "sgd",
        epochs=12,
        schedule="plateau",
        schedule_settings=shape,
        settings={"lr": 3.0, "momentum": 0.0},
    )
    reports = _train(DOUBLE, run)
    losses = [report.valid_loss for report in reports]
    expected = [3.0 * followed_factor("plateau", shape, losses[:epoch]) for epoch in range(12)]
    assert [report.learning_rate for report in reports[1:]] == pytest.approx(expected[1:])
    assert reports[-1].learning_rate < 3.0
    assert [r.valid_loss for r in _train(DOUBLE, run)] == losses


def test_the_gradient_norm_is_that_before_clipping() -> None:
    plain, clipped = (
        _train(DOUBLE, make_run(0, "sgd", epochs=1, batch_size=50, clip_norm=limit))[0]
        for limit in (None, 1e-3)
    )
    assert clipped.gradient_norm == pytest.approx(plain.gradient_norm)
    assert clipped.gradient_norm > 1e-3


def test_the_train_loss_is_weighted_by_rows() -> None:
    run = make_run(0, "sgd", epochs=1, batch_size=49, settings={"lr": 0.0, "weight_decay": 0.0})
    task = DOUBLE
    (report,) = _train(task, run)
    torch.manual_seed(run.seed)
    untrained = nn.functional.cross_entropy(
        task.make_model()(task.train.tensors[0]), task.train.target
    ).item()
    assert report.train_loss == pytest.approx(untrained, rel=1e-12)


def test_the_schedule_ends_with_the_training_when_the_data_give_other_numbers_of_batches() -> None:
    @dataclass(frozen=True, eq=False)
    class Fickle(TensorSamples):
        said: int = 0

        def steps_per_epoch(self, batch_size: int, *, drop_single: bool = False) -> int:
            return self.said

        def batches(self, batch_size: int, **order: Any) -> Iterator[Any]:
            return make_rows(50).batches(batch_size, **order)

    rates = {}
    for said in (2, 4, 9):  # there are four
        rows = Fickle(make_rows(50).tensors, said=said)
        run = make_run(0, "sgd", schedule="linear", settings={"lr": 1.0})
        rates[said] = [report.learning_rate for report in _train(make_task(train=rows), run)]
    assert rates[2] == pytest.approx([5 / 6, 3 / 6, 1 / 6])
    assert rates[4] == pytest.approx([9 / 12, 5 / 12, 1 / 12])
    assert rates[9] == pytest.approx([24 / 27, 15 / 27, 6 / 27])


def test_at_rungs_before_the_end_the_averaged_weights_are_scored() -> None:
    reports = _train(make_task(), make_run(rungs=(1, 3)))
    assert [report.averaged_score is None for report in reports] == [False, True, True]
    assert reports[0].averaged_score != reports[0].score


def test_the_averaged_score_is_that_of_the_averaged_weights() -> None:
    run, task = make_run(0, "sgd", epochs=2, rungs=(1,)), DOUBLE
    reports = _train(task, run)
    torch.manual_seed(run.seed)
    model = task.make_model()
    optimizer, average = build_optimizer(model, run.recipe), WeightAverage(list(model.parameters()))
    for X, y in task.train.batches(16, shuffle_seed=shuffle_seed(run.seed, 1)):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(X), y).backward()
        optimizer.step()
        average.update()
    with torch.no_grad(), average.in_place():
        expected = nn.functional.cross_entropy(model(task.valid.tensors[0]), task.valid.target).item()
    assert reports[0].averaged_score == pytest.approx(expected, rel=1e-9)


def test_scoring_the_average_changes_nothing_else() -> None:
    task = make_task(lambda: nn.Sequential(nn.Linear(INPUTS, 8), nn.BatchNorm1d(8), nn.Linear(8, CLASSES)))
    with_rungs, without = _train(task, make_run(rungs=(1, 2))), _train(task, make_run())
    assert [report.valid_loss for report in with_rungs] == [report.valid_loss for report in without]


def test_after_the_last_rung_the_average_is_let_go() -> None:
    trainee = Trainee(make_task(), make_run(rungs=(1,)), "cpu")
    trainee.train_epoch()
    assert trainee.average is None


@pytest.mark.parametrize("purpose", Purpose)
def test_only_confirming_and_baseline_runs_are_tested_and_only_at_their_end(purpose: Purpose) -> None:
    task = make_task(test=make_rows(30, seed=2))
    *early, last = _train(task, make_run(purpose=purpose))
    assert all(report.test_score is None for report in early)
    assert (last.test_score is not None) == (purpose is not Purpose.SEARCH)


def test_without_test_data_nothing_is_tested() -> None:
    assert _train(make_task(), make_run(purpose=Purpose.CONFIRM))[-1].test_score is None


def test_a_rate_too_high_diverges() -> None:
    def squared(model: nn.Module, batch: Any) -> BatchLoss:
        return BatchLoss(model(batch[0]).square().mean(), len(batch[1]))

    run = make_run(0, "sgd", epochs=1, settings={"lr": 1e20, "momentum": 0.0})
    (report,) = _train(make_task(batch_loss=squared), run)
    assert report.diverged
    assert report.failure is None


def test_a_run_that_diverges_in_mid_epoch_stops_there_unevaluated() -> None:
    seen = []

    def poisoned(model: nn.Module, batch: Any) -> BatchLoss:
        found = cross_entropy(model, batch)
        seen.append(model.training)
        return BatchLoss(found.loss * math.nan, found.rows)

    (report,) = _train(make_task(batch_loss=poisoned, train=make_rows(200)), make_run(epochs=1, batch_size=2))
    assert report.diverged
    assert len(seen) == 50
    assert all(seen)
    assert math.isnan(report.train_loss)
    assert math.isnan(report.score)


def test_an_error_that_comes_of_broken_weights_is_a_divergence() -> None:
    def strict(model: nn.Module, batch: Any) -> BatchLoss:
        output = model(batch[0])
        if not torch.isfinite(output).all():
            raise ValueError("invalid values")
        return BatchLoss(output.square().sum(), len(output))

    run = make_run(0, "sgd", epochs=1, settings={"lr": 1e30, "momentum": 0.0})
    (report,) = _train(make_task(batch_loss=strict), run)
    assert report.diverged


def test_an_error_with_sound_weights_comes_out() -> None:
    def broken(model: nn.Module, batch: Any) -> BatchLoss:
        raise ValueError("no such label")

    with pytest.raises(ValueError, match="no such label"):
        _train(make_task(batch_loss=broken), make_run())


class NotANumber:
    def update(self, output: torch.Tensor, target: torch.Tensor) -> None: ...

    def compute(self) -> float:
        return math.nan


@pytest.mark.parametrize(("objective", "diverged"), [("loss", False), ("odd", True)])
def test_a_metric_that_is_not_a_number_matters_only_as_the_objective(objective: str, diverged: bool) -> None:
    task = make_task(metric=Metric("odd", "maximize", NotANumber), objective=objective)
    assert _train(task, make_run(epochs=1))[0].diverged is diverged


@pytest.mark.parametrize(
    "optimizer", [n for n, e in OPTIMIZERS.items() if e.accepts(sparse=True, dense=False)]
)
def test_sparse_gradients_train_with_and_without_clipping(optimizer: str) -> None:
    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(30, CLASSES, sparse=True)

        def forward(self, numbers: torch.Tensor) -> torch.Tensor:
            return self.table(numbers).sum(1)

    X, y = make_rows(50).tensors
    rows = TensorSamples(((X * 10).long().remainder(30), y))
    task = make_task(Bag, train=rows, valid=rows, sparse_gradients=True)
    for clipping in ({}, {"clip_norm": 0.5}, {"clip_value": 0.5}):
        size = "whole" if OPTIMIZERS[optimizer].batches == "whole" else None
        settings = {"lr": 0.1, "weight_decay": 0.0}
        run = make_run(0, optimizer, settings=settings, batch_size=size, **clipping)
        first, *_, last = _train(task, run)
        assert last.train_loss < first.train_loss
        assert last.gradient_norm > 0


def test_frozen_weights_stay_as_they_were() -> None:
    def half_frozen() -> nn.Module:
        model = make_net()
        model[0].requires_grad_(False)
        return model

    trainee = Trainee(make_task(half_frozen), make_run(), "cpu")
    before = trainee.model[0].weight.clone()
    trainee.train_epoch()
    assert torch.equal(trainee.model[0].weight, before)


def test_batch_norm_never_sees_a_batch_of_one_row() -> None:
    def normed() -> nn.Module:
        return nn.Sequential(nn.Linear(INPUTS, 8), nn.BatchNorm1d(8), nn.Linear(8, CLASSES))

    task = make_task(normed, train=make_rows(33), has_batch_norm=True)
    assert len(_train(task, make_run(batch_size=16))) == 3


def test_the_users_code_runs_in_the_tasks_surroundings() -> None:
    inside = []

    @contextmanager
    def surroundings() -> Iterator[None]:
        inside.append(True)
        yield
        inside.pop()

    def watched_model() -> nn.Module:
        assert inside
        return make_net()

    def watched_loss(model: nn.Module, batch: Any) -> BatchLoss:
        assert inside
        return cross_entropy(model, batch)

    assert (
        len(_train(make_task(watched_model, batch_loss=watched_loss, surroundings=surroundings), make_run()))
        == 3
    )
    assert not inside


def test_it_trains_where_the_caller_has_switched_gradients_off() -> None:
    with torch.no_grad():
        first, *_, last = _train(make_task(), make_run())
    assert last.train_loss < first.train_loss


def test_evaluation_batches_are_the_same_whatever_the_recipes_batch_size() -> None:
    sizes: dict[int, list[int]] = {}

    def watched(model: nn.Module, batch: Any) -> BatchLoss:
        if not model.training:
            sizes[batch_size].append(len(batch[1]))
        return cross_entropy(model, batch)

    for batch_size in (4, 32):
        sizes[batch_size] = []
        _train(
            make_task(batch_loss=watched, valid=make_rows(100, seed=1)),
            make_run(epochs=1, batch_size=batch_size),
        )
    assert sizes == {4: [64, 36], 32: [64, 36]}
