"""The whole training set as a batch, and a single row."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from autoopt.errors import TaskError
from autoopt.tasks.loaders import DatasetSamples, LoaderSamples
from autoopt.tasks.task import BatchLoss, Task
from autoopt.training.trainee import Trainee
from autoopt.training.whole import PART_BATCHES, WholeSet

from .examples import cross_entropy, make_net, make_rows, make_run, make_task

ROWS = make_rows(150, dtype=torch.float64)


def _task(**changes: Any) -> Task:
    return make_task(
        lambda: make_net().double(), **{"train": ROWS, "valid": ROWS, "batch_size": 10, **changes}
    )


def _parts(task: Task) -> list[int]:
    return [len(batch[1]) for batch in WholeSet(task, task.make_model(), "cpu").parts(3)]


def _weights_by_hand(task: Task, epochs: int, lr: float) -> torch.Tensor:
    torch.manual_seed(5)
    model = task.make_model()
    for _ in range(epochs):
        model.zero_grad()
        nn.functional.cross_entropy(model(ROWS.tensors[0]), ROWS.tensors[1]).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= lr * parameter.grad
    return nn.utils.parameters_to_vector(model.parameters())


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_step_follows_the_exact_gradient_of_all_rows(in_memory: bool) -> None:
    train = ROWS if in_memory else DatasetSamples(TensorDataset(*ROWS.tensors), drop_last=True)
    run = make_run(0, "gd", batch_size="whole", settings={"lr": 0.5, "weight_decay": 0.0})
    trainee = Trainee(_task(train=train), run, "cpu")
    reports = [trainee.train_epoch() for _ in range(run.epochs)]
    found = nn.utils.parameters_to_vector(trainee.model.parameters())
    torch.testing.assert_close(found, _weights_by_hand(_task(), run.epochs, 0.5), rtol=1e-12, atol=1e-14)
    assert reports[1].train_loss == pytest.approx(reports[0].valid_loss, rel=1e-12)
    assert reports[0].train_loss > reports[-1].train_loss


def test_memory_is_that_of_a_few_batches() -> None:
    assert _parts(_task()) == [PART_BATCHES * 10] * 3 + [30]


def test_rows_that_see_each_other_are_one_part() -> None:
    def contrast(model: nn.Module, batch: Any) -> BatchLoss:
        output = model(batch[0])
        return BatchLoss(
            nn.functional.cross_entropy(output @ output.T, torch.arange(len(output))), len(output)
        )

    def summed(model: nn.Module, batch: Any) -> BatchLoss:
        return BatchLoss(cross_entropy(model, batch).loss * len(batch[1]), len(batch[1]))

    assert _parts(_task(batch_loss=contrast)) == [150]
    assert _parts(_task(batch_loss=summed)) == [150]
    assert _parts(_task(has_batch_norm=True)) == [150]


def test_the_schedule_counts_one_step_an_epoch() -> None:
    run = make_run(0, "gd", batch_size="whole", schedule="linear", settings={"lr": 1.0, "weight_decay": 0.0})
    trainee = Trainee(_task(), run, "cpu")
    assert [trainee.train_epoch().learning_rate for _ in range(3)] == pytest.approx([1, 2 / 3, 1 / 3])


def test_the_whole_gradient_is_clipped_after_it_is_added_up() -> None:
    settings = {"lr": 1.0, "weight_decay": 0.0}
    plain = Trainee(_task(), make_run(0, "gd", batch_size="whole", settings=settings), "cpu")
    clipped = Trainee(
        _task(), make_run(0, "gd", batch_size="whole", settings=settings, clip_norm=1e-3), "cpu"
    )
    before = nn.utils.parameters_to_vector(clipped.model.parameters()).clone()
    norms = plain.train_epoch().gradient_norm, clipped.train_epoch().gradient_norm
    moved = nn.utils.parameters_to_vector(clipped.model.parameters()) - before
    assert norms[0] == pytest.approx(norms[1])
    assert moved.norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_a_single_row_a_step_takes_as_many_steps_as_there_are_rows() -> None:
    seen = []

    def watched(model: nn.Module, batch: Any) -> BatchLoss:
        seen.extend([len(batch[1])] if model.training else [])
        return cross_entropy(model, batch)

    first, *_, last = [
        trainee.train_epoch()
        for trainee in [Trainee(_task(batch_loss=watched), make_run(0, "single_sgd", batch_size=1), "cpu")]
        for _ in range(3)
    ]
    assert seen == [1] * 450
    assert last.valid_loss < first.valid_loss


def test_data_with_batches_of_their_own_have_no_whole() -> None:
    sampler = WeightedRandomSampler([1.0] * 150, 150)
    loader = DataLoader(TensorDataset(*ROWS.tensors), batch_size=10, sampler=sampler)
    with pytest.raises(TaskError, match="needs a Dataset or arrays: these data come in batches of their own"):
        Trainee(_task(train=LoaderSamples(loader, 10)), make_run(0, "gd", batch_size="whole"), "cpu")


def test_rprop_descends_on_the_whole_set() -> None:
    trainee = Trainee(_task(), make_run(0, "rprop", epochs=15, batch_size="whole"), "cpu")
    losses = [trainee.train_epoch().valid_loss for _ in range(15)]
    assert losses[-1] < 0.7 * losses[0]
