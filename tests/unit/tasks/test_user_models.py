"""Every form in which a model may come, and that its weights are fresh."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from autoopt.errors import TaskError
from autoopt.tasks.make import make_task

X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(60) % 3


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, width), nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, 3))

    def forward(self, x):
        return self.layers(x)


def task_of(model, **more):
    return make_task(model=model, train_data=more.pop("train_data", (X, Y)), **more)


def weights(task, seed):
    torch.manual_seed(seed)
    return torch.cat([p.detach().flatten() for p in task.make_model().parameters()])


@pytest.mark.parametrize(
    "model",
    [Net, lambda: Net(5), Net(), lambda width=4: Net(width)],
    ids=["class", "lambda", "instance", "default"],
)
def test_weights_follow_the_seed(model):
    task = task_of(model)
    assert torch.equal(weights(task, 1), weights(task, 1))
    assert not torch.equal(weights(task, 1), weights(task, 2))


def test_an_instance_is_copied_and_initialised_anew_with_a_note():
    net = Net()
    before = copy.deepcopy(net.state_dict())
    task = task_of(net)
    assert task.make_model() is not net
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())
    assert any("initialised anew" in note for note in task.notes)


def test_an_instance_with_attention_is_initialised_anew():
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.attend = nn.MultiheadAttention(4, 2, batch_first=True)
            self.head = nn.Linear(4, 3)

        def forward(self, x):
            return self.head(self.attend(x[:, None], x[:, None], x[:, None])[0][:, 0])

    task = task_of(Attending())
    assert not torch.equal(weights(task, 1), weights(task, 2))


def test_an_instance_with_parameters_of_its_own_keeps_its_weights():
    net = Net()
    net.scale = nn.Parameter(torch.tensor(2.0))
    task = task_of(net)
    assert torch.equal(weights(task, 1), weights(task, 2))
    assert any("weights are kept" in note for note in task.notes)


def test_an_instance_that_was_trained_keeps_its_weights():
    net = nn.Sequential(nn.Linear(4, 100), nn.Linear(100, 3))
    with torch.no_grad():
        net[1].weight *= 3
    task = task_of(net)
    assert torch.equal(weights(task, 1), torch.cat([p.detach().flatten() for p in net.parameters()]))


def test_an_instance_with_frozen_layers_keeps_its_weights():
    net = Net()
    net.layers[0].requires_grad_(False)
    assert any("weights are kept" in note for note in task_of(net).notes)


def test_a_factory_that_always_returns_the_same_object_gives_copies():
    net = Net()
    task = task_of(lambda: net)
    first, second = task.make_model(), task.make_model()
    assert first is not second
    assert first is not net
    assert any("same object" in note for note in task.notes)


def test_pre_trained_weights_from_a_function_are_kept_with_a_note():
    state = Net().state_dict()

    def model():
        net = Net()
        net.load_state_dict(state)
        return net

    task = task_of(model)
    assert torch.equal(weights(task, 1), weights(task, 2))
    assert any("same weights every time" in note for note in task.notes)


def test_lazy_layers_get_their_shapes_from_the_first_batch():
    task = task_of(lambda: nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.Linear(8, 3)))
    assert task.make_model()[0].weight.shape == (8, 4)
    assert not torch.equal(weights(task, 1), weights(task, 2))
    assert float(task.make_model()[1].running_mean.abs().sum()) == 0


def test_lazy_layers_work_with_a_step():
    task = task_of(lambda: nn.LazyLinear(3),
                   step=lambda model, batch: nn.functional.cross_entropy(model(batch[0]), batch[1]))  # fmt: skip
    assert task.make_model().weight.shape == (3, 4)


def test_a_model_fails_later_with_the_line_of_the_users_file(write_task):
    from autoopt.tasks.load import load_task

    task = load_task(
        write_task(
            "made = []\ndef model():\n    made.append(1)\n    assert len(made) < 7, 'worn out'\n    return nn.Linear(4, 3)"
        )
    )
    with pytest.raises(TaskError, match=r"AssertionError: worn out \(task\.py, line 15\)"):
        [task.make_model() for _ in range(9)]


def test_sparse_gradients_and_batch_norm_are_measured():
    class Sparse(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(10, 3, sparse=True)

        def forward(self, x):
            return self.table(x)

    sparse = task_of(Sparse, train_data=(torch.arange(60) % 10, Y))
    assert (sparse.sparse_gradients, sparse.dense_gradients, sparse.has_batch_norm) == (True, False, False)
    normed = task_of(lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)))
    assert (normed.sparse_gradients, normed.dense_gradients, normed.has_batch_norm) == (False, True, True)


def test_parameters_without_gradient_are_told():
    class Idle(Net):
        def __init__(self):
            super().__init__()
            self.unused = nn.Linear(2, 2)

    assert any("2 parameters get no gradient, such as unused.weight" in note for note in task_of(Idle).notes)


class Huge(nn.Module):
    """Four million gigabytes, where it is asked for them."""

    def __init__(self, when_made=False):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.room = torch.empty(2**52) if when_made else None

    def forward(self, x):
        return self.layer(x) + torch.empty(2**52).sum()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            lambda: Huge(when_made=True),
            r"^model\(\): .*; the memory is too small for the model: make it smaller",
        ),
        (
            Huge,
            r"^the model on inputs .*; the memory is too small for a batch: take half the batch size and --accumulate 2",
        ),
    ],
    ids=["made", "called"],
)
def test_a_model_that_finds_no_memory_is_told_what_needs_less(model, message):
    with pytest.raises(TaskError, match=message) as caught:
        task_of(model)
    assert str(caught.value).count("the memory is too small") == 1
