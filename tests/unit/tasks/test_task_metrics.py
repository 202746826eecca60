"""Metrics by name and by function, which way is better, and what is searched."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn import metrics as reference
from torch import nn
from torch.nn import functional

from autoopt.errors import TaskError
from autoopt.tasks.make import make_task

DRAW = torch.Generator().manual_seed(0)
X = torch.randn(80, 5, generator=DRAW)
THREE = torch.randint(0, 3, (80,), generator=DRAW)
TWO = THREE.clamp(max=1)
MANY = torch.randint(0, 2, (80, 4), generator=DRAW)


def task_of(width, target, metric, **more):
    return make_task(
        model=lambda: nn.Linear(5, width), train_data=(X, target), val_data=(X, target), metric=metric, **more
    )


def measure(task, batch_size=32):
    """The metric over the validation data in batches, with the outputs and targets that it saw."""
    torch.manual_seed(0)
    model, state = task.make_model().eval(), task.metric.start()
    outputs, targets = [], []
    with torch.no_grad():
        for batch in task.valid.batches(batch_size):
            found = task.batch_loss(model, batch)
            state.update(found.output, found.target)
            outputs.append(found.output)
            targets.append(found.target)
    return float(state.compute()), torch.cat(outputs), torch.cat(targets)


NAMED = {
    "accuracy of classes": (3, THREE, "accuracy", lambda o, t: reference.accuracy_score(t, o.argmax(1))),
    "accuracy of two classes": (1, TWO, "accuracy", lambda o, t: reference.accuracy_score(t, o[:, 0] > 0)),
    "f1 of classes": (3, THREE, "f1", lambda o, t: reference.f1_score(t, o.argmax(1), average="macro")),
    "f1 of labels": (4, MANY, "f1", lambda o, t: reference.f1_score(t, o > 0, average="macro")),
    "auc of two classes": (1, TWO, "auc", lambda o, t: reference.roc_auc_score(t, o[:, 0])),
    "auc of classes": (
        3,
        THREE,
        "auc",
        lambda o, t: reference.roc_auc_score(t, o.softmax(1), multi_class="ovr"),
    ),
    "mse": (2, X[:, :2], "mse", lambda o, t: reference.mean_squared_error(t, o)),
    "mae in a column": (1, X[:, 0], "mae", lambda o, t: reference.mean_absolute_error(t, o[:, 0])),
    "perplexity": (3, THREE, "perplexity", lambda o, t: math.exp(functional.cross_entropy(o, t))),
}


@pytest.mark.parametrize(
    ("width", "target", "name", "expected"), NAMED.values(), ids=[n.replace(" ", "-") for n in NAMED]
)
def test_a_metric_by_name_is_what_other_libraries_compute(width, target, name, expected):
    task = task_of(width, target, name)
    value, outputs, targets = measure(task)
    assert value == pytest.approx(float(expected(outputs, targets)), abs=1e-5)
    assert task.metric.name == name


def test_perplexity_of_sequences_leaves_ignored_tokens_out():
    target = (torch.arange(80 * 6) % 4).reshape(80, 6)
    target[:, 0] = -100

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(5, 24)

        def forward(self, x):
            return self.linear(x).reshape(-1, 6, 4)

    task = make_task(model=Net, train_data=(X, target), metric="perplexity")
    value, outputs, targets = measure(task)
    assert value == pytest.approx(
        math.exp(functional.cross_entropy(outputs.movedim(2, 1), targets)), rel=1e-4
    )


def test_auc_with_a_class_missing_in_the_validation_data_is_no_warning():
    task = make_task(
        model=lambda: nn.Linear(5, 3), train_data=(X, THREE), val_data=(X[:10], THREE[:10] % 2), metric="auc"
    )
    assert 0 <= measure(task)[0] <= 1


def test_probabilities_are_not_squashed_again():
    def model():
        return nn.Sequential(nn.Linear(5, 1), nn.Sigmoid())

    task = make_task(
        model=model,
        train_data=(X, TWO.float()),
        loss=nn.BCELoss(),
        metric="accuracy",
        val_data=(X, TWO.float()),
    )
    value, outputs, targets = measure(task)
    assert value == pytest.approx(float(((outputs[:, 0] > 0.5) == targets).float().mean()))


def test_a_function_is_evaluated_on_all_outputs_at_once():
    def median_error(output, target):
        return (output[:, 0] - target).abs().median()

    task = task_of(1, X[:, 0], median_error)
    value, outputs, targets = measure(task)
    assert value == pytest.approx(float(median_error(outputs, targets)))
    assert (task.metric.name, task.metric.direction) == ("median_error", "minimize")


def test_a_function_of_other_outputs_is_the_mean_by_rows():
    class Pair(nn.Linear):
        def forward(self, x):
            return super().forward(x), x

    def first_score(output, target):
        return float(len(target))

    task = make_task(model=lambda: Pair(5, 3), train_data=(X, THREE), val_data=(X, THREE), metric=first_score,
                     loss=lambda output, target: functional.cross_entropy(output[0], target))  # fmt: skip
    model, state = task.make_model(), task.metric.start()
    for batch in task.valid.batches(50):
        found = task.batch_loss(model, batch)
        state.update(found.output, found.target)
    assert state.compute() == pytest.approx((50 * 50 + 30 * 30) / 80)
    assert any("mean over the batches" in note for note in task.notes)


def test_outputs_of_unequal_length_are_the_mean_by_rows():
    rows = [(torch.randn(2 + i // 8, 5), torch.zeros(2 + i // 8).long()) for i in range(16)]
    task = make_task(model=lambda: nn.Linear(5, 3), train_data=rows, val_data=rows, batch_size=8,
                     metric=lambda output, target: float(target.shape[1]), metric_direction="minimize")  # fmt: skip
    model, state = task.make_model(), task.metric.start()
    for batch in task.valid.batches(8):
        found = task.batch_loss(model, batch)
        state.update(found.output, found.target)
    assert state.compute() == pytest.approx(2.5)


def test_a_torchmetrics_object_is_taken_with_its_direction():
    from torchmetrics.classification import MulticlassAccuracy

    given = MulticlassAccuracy(num_classes=3, average="micro")
    task = task_of(3, THREE, given, objective="metric")
    value, outputs, targets = measure(task)
    assert value == pytest.approx(reference.accuracy_score(targets, outputs.argmax(1)))
    assert (task.objective, task.direction) == ("MulticlassAccuracy", "maximize")
    assert int(given.update_count) == 0


def test_the_loss_is_searched_unless_a_metric_is_asked_for():
    task = task_of(3, THREE, "accuracy")
    assert (task.objective, task.direction, task.metric.name) == ("loss", "minimize", "accuracy")
    assert task_of(3, THREE, "accuracy", objective="loss").objective == "loss"


def top1_accuracy(output, target):
    return (output.argmax(1) == target).float().mean()


@pytest.mark.parametrize("wanted", ["metric", "top1_accuracy"])
def test_the_files_own_metric_is_searched_by_either_name(wanted):
    task = task_of(3, THREE, top1_accuracy, objective=wanted)
    assert (task.objective, task.direction, task.metric.name) == (
        "top1_accuracy",
        "maximize",
        "top1_accuracy",
    )


def test_another_metric_by_name_may_be_searched():
    task = task_of(3, THREE, top1_accuracy, objective="f1")
    assert (task.objective, task.metric.name) == ("f1", "f1")
    assert task_of(1, X[:, 0], None, objective="mae").direction == "minimize"


def test_the_direction_must_be_told_when_the_name_does_not():
    def closeness(output, target):
        return -(output[:, 0] - target).abs().mean()

    with pytest.raises(TaskError, match="metric_direction = 'maximize'"):
        task_of(1, X[:, 0], closeness, objective="metric")
    assert task_of(1, X[:, 0], closeness).metric.name == "closeness"
    assert (
        task_of(1, X[:, 0], closeness, objective="metric", metric_direction="maximize").direction
        == "maximize"
    )


def test_the_stated_direction_wins_over_the_name():
    task = task_of(3, THREE, top1_accuracy, objective="metric", metric_direction="minimize")
    assert task.direction == "minimize"


def test_an_unknown_objective_is_answered_with_the_nearest():
    with pytest.raises(TaskError, match="did you mean 'perplexity'"):
        task_of(3, THREE, None, objective="perplexty")
    with pytest.raises(TaskError, match="the file has no metric"):
        task_of(3, THREE, None, objective="metric")
