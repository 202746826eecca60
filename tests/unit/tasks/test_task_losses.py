"""How a batch becomes a loss: tuples, dicts, steps, losses given and inferred."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional

from autoopt.errors import TaskError
from autoopt.tasks.make import make_task

ROWS = 40
X = torch.randn(ROWS, 6, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(ROWS) % 3


class Give(nn.Module):
    """A model whose output has a given shape for each row."""

    def __init__(self, *shape):
        super().__init__()
        self.shape = shape
        self.linear = nn.Linear(6, int(torch.tensor(shape).prod()) if shape else 1)

    def forward(self, x):
        return self.linear(x).reshape(len(x), *self.shape)


def task_of(model, target, **more):
    return make_task(model=lambda: model(), train_data=(X, target), val_data=(X, target), **more)


def loss_of(task):
    torch.manual_seed(0)
    found = task.batch_loss(task.make_model(), next(task.train.batches(ROWS)))
    return found, found.loss


def classes(*shape, count=3):
    return torch.arange(ROWS * int(torch.tensor(shape).prod())).reshape(ROWS, *shape) % count


INFERRED = [
    ("classes", Give(3), CLASSES, "cross_entropy", lambda o, t: functional.cross_entropy(o, t)),
    ("short integers", Give(3), CLASSES.to(torch.uint8), "cross_entropy", lambda o, t: functional.cross_entropy(o, t.long())),
    ("classes in a column", Give(3), CLASSES[:, None], "cross_entropy", lambda o, t: functional.cross_entropy(o, t[:, 0])),
    ("sequences", Give(5, 3), classes(5), "cross_entropy", lambda o, t: functional.cross_entropy(o.movedim(2, 1), t)),
    ("square sequences", Give(3, 3), classes(3), "cross_entropy", lambda o, t: functional.cross_entropy(o.movedim(2, 1), t)),
    ("torch's own order", Give(3, 5), classes(5), "cross_entropy", lambda o, t: functional.cross_entropy(o, t)),
    ("images", Give(3, 4, 5), classes(4, 5), "cross_entropy", lambda o, t: functional.cross_entropy(o, t)),
    ("images of bytes", Give(3, 4, 5), classes(4, 5).byte(), "cross_entropy", lambda o, t: functional.cross_entropy(o, t.long())),
    ("two classes, one output", Give(1), CLASSES % 2, "binary_cross_entropy_with_logits",
     lambda o, t: functional.binary_cross_entropy_with_logits(o[:, 0], t.float())),
    ("truth values", Give(), CLASSES % 2 == 1, "binary_cross_entropy_with_logits",
     lambda o, t: functional.binary_cross_entropy_with_logits(o, t.float())),
    ("several labels", Give(4), classes(4, count=2).float(), "binary_cross_entropy_with_logits",
     lambda o, t: functional.binary_cross_entropy_with_logits(o, t)),
    ("numbers", Give(1), X[:, 0], "mse_loss", lambda o, t: functional.mse_loss(o[:, 0], t)),
    ("numbers in a column", Give(), X[:, :1], "mse_loss", lambda o, t: functional.mse_loss(o, t[:, 0])),
    ("many numbers", Give(2, 3), X.reshape(ROWS, 2, 3), "mse_loss", lambda o, t: functional.mse_loss(o, t)),
    ("counts", Give(1), CLASSES, "mse_loss", lambda o, t: functional.mse_loss(o[:, 0], t.float())),
]  # fmt: skip


@pytest.mark.parametrize(("model", "target", "name", "expected"), [case[1:] for case in INFERRED],
                         ids=[case[0].replace(" ", "-") for case in INFERRED])  # fmt: skip
def test_the_loss_is_inferred_from_output_and_target(model, target, name, expected):
    task = task_of(lambda: Give(*model.shape), target)
    found, loss = loss_of(task)
    assert task.loss_name == name
    assert torch.allclose(loss, expected(found.output, found.target))
    assert (loss.ndim, found.rows) == (0, ROWS)
    assert any(note.startswith(f"loss inferred: {name}") for note in task.notes)


def test_zeros_and_ones_in_the_first_batch_do_not_mislead():
    target = torch.cat([torch.ones(20), torch.full((20,), 7.0)])
    assert task_of(lambda: Give(1), target, batch_size=10).loss_name == "mse_loss"


def test_shapes_that_were_adapted_are_told():
    task = task_of(lambda: Give(1), X[:, 0])
    assert any("targets (40,) take the shape of the output (40, 1)" in note for note in task.notes)


def test_a_model_that_ends_in_sigmoid_is_warned_of():
    task = task_of(lambda: nn.Sequential(nn.Linear(6, 1), nn.Sigmoid()), CLASSES % 2)
    assert any("leave the Sigmoid out" in note for note in task.notes)


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.CrossEntropyLoss, "cross_entropy", functional.cross_entropy],
                         ids=["module", "class", "name", "function"])  # fmt: skip
def test_cross_entropy_may_be_given_in_every_form(loss):
    found, value = loss_of(task_of(lambda: Give(5, 3), classes(5), loss=loss))
    assert torch.allclose(value, functional.cross_entropy(found.output.movedim(2, 1), found.target))


def test_a_given_square_loss_is_kept_from_broadcasting():
    task = task_of(lambda: Give(1), X[:, 0], loss=nn.MSELoss())
    found, value = loss_of(task)
    assert torch.allclose(value, functional.mse_loss(found.output[:, 0], found.target))
    assert any("compared row by row" in note for note in task.notes)


def test_a_function_gets_output_and_target_as_they_are():
    seen = []

    def loss(output, target):
        seen.append((output.shape, target.shape))
        return (output - target[:, None]).square().mean()

    task_of(lambda: Give(1), X[:, 0], loss=loss)
    assert set(seen) == {((40, 1), (40,))}


def test_ignored_labels_are_not_out_of_range():
    target = CLASSES.clone()
    target[::4] = -100
    assert task_of(lambda: Give(3), target, loss="cross_entropy").loss_name == "cross_entropy"
    target[::4] = 255
    ignoring = nn.CrossEntropyLoss(ignore_index=255)
    assert task_of(lambda: Give(3), target, loss=ignoring).loss_name == "CrossEntropyLoss"


def test_a_loss_with_parameters_is_told():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, output, target):
            return functional.cross_entropy(output * self.scale, target)

    assert any("not trained" in note for note in task_of(lambda: Give(3), CLASSES, loss=Scaled()).notes)


class HuggingFace(nn.Module):
    """Takes keywords and carries its loss in its output."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 3)

    def forward(self, inputs, labels=None):
        logits = self.linear(inputs)
        return SimpleNamespace(loss=functional.cross_entropy(logits, labels), logits=logits)


DICTS = [{"inputs": x, "labels": int(y)} for x, y in zip(X, CLASSES, strict=True)]


def test_dicts_are_keywords_and_the_output_carries_the_loss():
    task = make_task(model=HuggingFace, train_data=DICTS, metric="accuracy")
    found, loss = loss_of(task)
    assert task.loss_name == "the model's own loss"
    assert torch.equal(loss, functional.cross_entropy(found.output, found.target))
    assert task.metric.name == "accuracy"


def test_a_given_loss_wins_over_the_outputs_own():
    task = make_task(model=HuggingFace, train_data=DICTS, loss=nn.CrossEntropyLoss(label_smoothing=0.5))
    found, loss = loss_of(task)
    assert torch.allclose(loss, functional.cross_entropy(found.output, found.target, label_smoothing=0.5))


def test_an_output_that_is_a_dict_is_read_likewise():
    class Net(HuggingFace):
        def forward(self, inputs, labels=None):
            return vars(super().forward(inputs, labels))

    assert make_task(model=Net, train_data=DICTS).loss_name == "the model's own loss"


def test_dicts_for_a_model_that_takes_no_target_get_an_inferred_loss():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 3)

        def forward(self, inputs):
            return self.linear(inputs)

    task = make_task(model=Net, train_data=DICTS)
    assert task.loss_name == "cross_entropy"


def test_dicts_without_a_target_and_a_loss_are_refused():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 3)

        def forward(self, inputs, **more):
            return self.linear(inputs)

    with pytest.raises(TaskError, match=r"batches are dicts with inputs, but without a target"):
        make_task(model=Net, train_data=[{"inputs": x} for x in X])


def test_a_step_gets_the_whole_batch():
    def step(model, batch):
        first, second, third = batch
        return (model(first) - second).square().mean() + third.mean() * 0

    task = make_task(model=lambda: Give(6), train_data=(X, X, X), step=step)
    assert (task.loss_name, task.grad_in_evaluation) == ("step", False)


def test_a_step_may_give_output_and_target_for_a_metric():
    def step(model, batch):
        output = model(batch[0])
        return functional.cross_entropy(output, batch[1]), output, batch[1]

    task = make_task(model=lambda: Give(3), train_data=(X, CLASSES), step=step, metric="accuracy")
    assert task.metric.name == "accuracy"


def test_a_step_that_needs_gradients_in_evaluation_is_found_out():
    def step(model, batch):
        x = batch[0].clone().requires_grad_()
        output = model(x).sum()
        (slope,) = torch.autograd.grad(output, x, create_graph=True)
        return slope.square().sum(1).sub(1).square().mean() + output * 0

    task = make_task(
        model=lambda: nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1)),
        train_data=(X, CLASSES),
        step=step,
    )
    assert task.grad_in_evaluation


def test_a_step_may_take_batches_of_any_class():
    class Graphs:
        def __init__(self, rows):
            self.x = torch.stack([x for x, _ in rows])
            self.num_graphs = len(rows)

    from torch.utils.data import DataLoader

    rows = list(zip(X, CLASSES, strict=True))
    loader = DataLoader(rows, batch_size=8, shuffle=True, collate_fn=Graphs)
    task = make_task(
        model=lambda: Give(3), train_data=loader, step=lambda model, batch: model(batch.x).square().mean()
    )
    assert task.batch_loss(task.make_model(), next(task.valid.batches(8))).rows == 8


def test_a_loss_given_beside_a_step_is_told():
    task = make_task(
        model=lambda: Give(3),
        train_data=(X, CLASSES),
        loss="mse_loss",
        step=lambda m, b: m(b[0]).square().mean(),
    )
    assert any("loss is not used" in note for note in task.notes)
