"""What is noted of the steps of an epoch, on steps whose gradients and lengths are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from autoopt.tasks.samples import TensorSamples
from autoopt.training.observer import LOOK_EVERY, READ_EVERY, SAMPLE, StepObserver
from autoopt.training.trainee import Trainee

from .examples import CLASSES, make_rows, make_run, make_task


def observe(weights: torch.Tensor, gradients, rate: float = 0.1, steps: int = 1, norm=None) -> dict:
    """Take steps of plain gradient descent along these gradients, and return what was noted."""
    weights.requires_grad_()
    observer = StepObserver([weights])
    observer.begin_epoch(steps)
    for gradient in gradients:
        weights.grad = gradient
        observer.before_step(norm)
        with torch.no_grad():
            weights -= rate * (gradient.to_dense() if gradient.is_sparse else gradient)
        observer.after_step()
    return observer.numbers()


def test_gradients_that_turn_about_at_every_step_have_a_turn_of_minus_one():
    g = torch.tensor([3.0, 4.0])
    assert observe(torch.ones(2), [g, -g, g, -g])["gradient_turn"] == pytest.approx(-1)
    assert observe(torch.ones(2), [g, g, 2 * g])["gradient_turn"] == pytest.approx(1)
    assert observe(torch.ones(2), [g, torch.tensor([-4.0, 3.0])])["gradient_turn"] == pytest.approx(
        0, abs=1e-6
    )


def test_within_an_epoch_a_look_compares_the_step_with_the_one_before_it():
    g = torch.tensor([1.0, 0.0])
    gradients = [g] * LOOK_EVERY
    gradients[LOOK_EVERY // 2 - 1] = -g  # where it looks, steps counted from 1
    assert observe(torch.ones(2), gradients, steps=LOOK_EVERY)["gradient_turn"] == pytest.approx(-1)


def test_the_update_ratio_is_the_length_of_a_step_in_lengths_of_the_weights():
    found = observe(torch.tensor([6.0, 8.0]), [torch.tensor([3.0, 4.0])], rate=0.2)
    assert found["update_ratio"] == pytest.approx(0.1)
    assert found["gradient_median"] == found["gradient_peak"] == pytest.approx(5)


def test_weights_too_coarse_for_a_step_count_as_lost_updates():
    weights = torch.ones(4, dtype=torch.bfloat16)
    gradient = torch.tensor([1.0, 1e-4, 1e-4, 0.0], dtype=torch.bfloat16)  # the last one asks for nothing
    assert observe(weights, [gradient])["lost_updates"] == pytest.approx(2 / 3)


def test_no_gradient_is_missed_and_clipping_gives_the_norm_where_it_has_it():
    gradients = [torch.tensor([3.0, 4.0])] * (2 * READ_EVERY) + [torch.tensor([0.0, 70.0])]
    found = observe(torch.ones(2), gradients, steps=10**6)
    assert (found["gradient_median"], found["gradient_peak"]) == (pytest.approx(5), 70)
    clipped = observe(torch.ones(2), gradients, steps=10**6, norm=torch.tensor(7.0))
    assert (clipped["gradient_median"], clipped["gradient_peak"]) == (7, 7)


def test_an_infinite_or_undefined_norm_is_an_infinite_peak():
    for bad in (math.inf, math.nan):
        assert observe(torch.ones(1), [torch.tensor([bad])])["gradient_peak"] == math.inf


def test_without_gradients_nothing_is_noted():
    observer = StepObserver([torch.ones(2, requires_grad=True)])
    observer.before_step(None)
    observer.after_step()
    assert set(observer.numbers().values()) == {None}


def test_of_a_sparse_table_the_rows_that_move_are_compared():
    table = torch.ones(1000, 2)
    gradient = torch.sparse_coo_tensor([[7, 7]], [[1.0, 1.0], [1.0, 1.0]], (1000, 2), check_invariants=True)
    found = observe(table, [gradient, gradient], rate=0.05)
    assert found["update_ratio"] == pytest.approx((0.1 + 0.1 / 0.9) / 2)
    assert found["gradient_turn"] is None


def test_of_large_weights_a_part_is_compared_wherever_it_lies_in_memory():
    weights = torch.ones(64, SAMPLE // 16).t()
    found = observe(weights, [torch.ones_like(weights)], rate=0.1)
    assert found["update_ratio"] == pytest.approx(0.1, rel=1e-4)
    assert found["gradient_peak"] == pytest.approx(math.sqrt(weights.numel()))


def test_looking_changes_nothing_of_the_training(monkeypatch):
    seen = Trainee(make_task(), make_run(), "cpu").train_epoch()
    for act in ("before_step", "after_step"):
        monkeypatch.setattr(StepObserver, act, lambda *_: None)
    unseen = Trainee(make_task(), make_run(), "cpu").train_epoch()
    assert (seen.train_loss, seen.valid_loss) == (unseen.train_loss, unseen.valid_loss)


def test_the_report_holds_what_the_steps_showed():
    report = Trainee(make_task(train=make_rows(160)), make_run(batch_size=4), "cpu").train_epoch()
    assert report.steps == 40
    assert report.start_loss > report.end_loss
    assert report.worst_loss >= report.start_loss
    assert report.gradient_median <= report.gradient_peak
    assert -1 <= report.gradient_turn <= 1
    assert 0 < report.update_ratio < 0.1
    assert report.lost_updates < 0.1


def test_a_task_with_sparse_gradients_reports_what_it_can():
    X, y = make_rows(50).tensors
    rows = TensorSamples(((X * 10).long().remainder(30), y))

    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(30, CLASSES, sparse=True)

        def forward(self, numbers: torch.Tensor) -> torch.Tensor:
            return self.table(numbers).sum(1)

    run = make_run(0, "adagrad", settings={"lr": 0.1, "weight_decay": 0.0})
    report = Trainee(make_task(Bag, train=rows, valid=rows, sparse_gradients=True), run, "cpu").train_epoch()
    assert report.update_ratio > 0
    assert report.gradient_turn is None
