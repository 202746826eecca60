"""Loss and metric on data that is not trained on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autoopt.errors import TaskError
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import BatchLoss, Metric
from autoopt.training.evaluation import Evaluation, evaluate

from .examples import cross_entropy, make_net, make_rows, make_task


class Accuracy:
    def __init__(self) -> None:
        self.right = self.seen = 0

    def update(self, output: Tensor, target: Tensor) -> None:
        assert not output.requires_grad
        self.right += int((output.argmax(1) == target).sum())
        self.seen += len(target)

    def compute(self) -> float:
        return self.right / self.seen


class Picky(Accuracy):
    def update(self, output: Tensor, target: Tensor) -> None:
        raise ValueError("no such outputs")


ACCURACY = Metric("accuracy", "maximize", Accuracy)
WITH_METRIC = make_task(metric=ACCURACY, objective="accuracy", direction="maximize")


def _evaluate(
    task: Any = WITH_METRIC, rows: TensorSamples | None = None, batch_size: int = 64, **more: Any
) -> Evaluation:
    torch.manual_seed(0)
    return evaluate(task, task.make_model(), rows or task.valid, "cpu", batch_size, **more)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 20, 64])
def test_the_loss_is_the_mean_over_rows_whatever_the_batches(batch_size: int) -> None:
    found = _evaluate(batch_size=batch_size)
    torch.manual_seed(0)
    X, target = WITH_METRIC.valid.tensors
    output = make_net()(X)
    assert found.loss == pytest.approx(nn.functional.cross_entropy(output, target).item(), rel=1e-6)
    assert found.metric == int((output.argmax(1) == target).sum()) / len(target)


def test_one_row_is_enough() -> None:
    assert math.isfinite(_evaluate(rows=make_rows(1)).loss)


def test_no_rows_are_refused() -> None:
    with pytest.raises(TaskError, match="gave no rows"):
        _evaluate(rows=make_rows(0))


class Fives(TensorSamples):
    """Rows that only come by fives."""

    @property
    def fixed_batch_size(self) -> int:
        return 5


def test_data_with_batches_of_their_own_keep_them() -> None:
    sizes = []

    def watched(model: nn.Module, batch: Any) -> BatchLoss:
        sizes.append(len(batch[1]))
        return cross_entropy(model, batch)

    _evaluate(make_task(batch_loss=watched), make_rows(20), batch_size=64)
    _evaluate(make_task(batch_loss=watched), Fives(make_rows(20).tensors), batch_size=64)
    assert sizes == [20, 5, 5, 5, 5]


def test_the_model_is_in_evaluation_mode_and_keeps_no_graph() -> None:
    seen = []

    def watched(model: nn.Module, batch: Any) -> BatchLoss:
        seen.append((model.training, torch.is_grad_enabled()))
        return cross_entropy(model, batch)

    _evaluate(make_task(batch_loss=watched))
    assert seen == [(False, False)]


def test_a_step_that_needs_gradients_gets_them() -> None:
    def penalised(model: nn.Module, batch: Any) -> BatchLoss:
        inputs = batch[0].requires_grad_()
        (slope,) = torch.autograd.grad(model(inputs).sum(), inputs, create_graph=True)
        return BatchLoss(slope.square().mean(), len(inputs))

    with torch.no_grad():
        found = _evaluate(make_task(batch_loss=penalised, grad_in_evaluation=True))
    assert found.loss > 0


def test_the_score_is_the_loss_or_the_metric() -> None:
    assert Evaluation(0.5, 0.9).score(make_task()) == 0.5
    assert Evaluation(0.5, 0.9).score(WITH_METRIC) == 0.9
    with pytest.raises(TaskError, match="no metric"):
        Evaluation(0.5).score(WITH_METRIC)


def test_the_metric_can_be_left_out() -> None:
    assert _evaluate(with_metric=False).metric is None


def test_a_metric_without_outputs_is_refused() -> None:
    def bare(model: nn.Module, batch: Any) -> BatchLoss:
        return BatchLoss(cross_entropy(model, batch).loss, len(batch[1]))

    with pytest.raises(TaskError, match="gives only a loss"):
        _evaluate(replace(WITH_METRIC, batch_loss=bare))


def test_a_metric_that_raises_raises() -> None:
    with pytest.raises(ValueError, match="no such outputs"):
        _evaluate(replace(WITH_METRIC, metric=Metric("picky", "maximize", Picky)))


def test_a_metric_that_raises_on_a_diverged_model_is_not_a_number() -> None:
    rows = make_rows(20)
    rows.tensors[0][3] = math.nan
    found = _evaluate(replace(WITH_METRIC, metric=Metric("picky", "maximize", Picky)), rows)
    assert math.isnan(found.metric)
    assert math.isnan(found.loss)
