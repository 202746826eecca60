"""What is saved of a model and its optimizer beside what torch calls their state."""

from __future__ import annotations

import copy
import io
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from autoopt.errors import AutooptError
from autoopt.recipe import WHOLE
from autoopt.run import Run
from autoopt.training.pausing import Pausable
from autoopt.training.trainee import Trainee

from .examples import CLASSES, INPUTS, cross_entropy, make_net, make_run, make_task, numbers


def _through_a_file(trainee: Trainee) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(trainee.state(), file)
    file.seek(0)
    state: dict[str, Any] = torch.load(file, weights_only=True)
    return state


def _goes_on_the_same(make_model: Any, run: Run | None = None, **changes: Any) -> bool:
    task, run = make_task(make_model, **changes), run or make_run()
    alone, before, after = (Trainee(task, run, "cpu") for _ in range(3))
    expected = [numbers(alone.train_epoch()) for _ in range(run.epochs)]
    half = run.epochs // 2
    first = [numbers(before.train_epoch()) for _ in range(half)]
    after.resume(_through_a_file(before))
    found = [*first, *(numbers(after.train_epoch()) for _ in range(half, run.epochs))]
    tensors = [[*each.model.parameters(), *each.model.buffers()] for each in (after, alone)]
    return found == expected and all(torch.equal(a, b) for a, b in zip(*tensors, strict=True))


class Counting(nn.Module):
    """A model whose passes depend on attributes of its own: a number, a tensor, a list, a buffer that grows."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.seen, self.mean = 0, [0.0], torch.zeros(CLASSES)
        self.head = nn.Linear(INPUTS, CLASSES)
        self.register_buffer("history", torch.zeros(1), persistent=False)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.seen.append(float(X.mean()))
        found = self.head(X) + self.mean / self.calls + sum(self.seen) + self.history.sum()
        self.mean = 0.9 * self.mean + 0.1 * found.detach().mean(0)
        self.history = torch.cat([self.history, X[0, :1]])
        return found


class Teaching(nn.Module):
    """A frozen copy follows the trained layer, written to by ``.data`` as momentum encoders are."""

    def __init__(self) -> None:
        super().__init__()
        self.student = nn.Linear(INPUTS, CLASSES)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        if self.training:
            for slow, fast in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
                slow.data = 0.9 * slow.data + 0.1 * fast.data
        return self.student(X) + self.teacher(X)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net, self.head = nn.GRU(INPUTS, 4, batch_first=True), nn.Linear(4, CLASSES)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.head(self.net(X[:, None])[0][:, -1])


class Thrifty(nn.Module):
    """Activation checkpointing: the first layers are computed again in the backward pass, dropout included."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(INPUTS, 8), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(8, CLASSES)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.head(checkpoint(self.first, X, use_reentrant=False))


def _normed() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(INPUTS, 8)), nn.Linear(8, CLASSES))


def _tied() -> nn.Module:
    first, last = nn.Linear(INPUTS, INPUTS, bias=False), nn.Linear(INPUTS, INPUTS, bias=False)
    last.weight = first.weight
    return nn.Sequential(first, nn.Tanh(), last, nn.Linear(INPUTS, CLASSES))


def _compiled() -> nn.Module:
    """Compiled to the graph alone, which needs no compiler of the machine's."""
    return nn.Sequential(torch.compile(make_net(dropout=0.2), backend="eager"), nn.Linear(CLASSES, CLASSES))


MODELS = [_compiled, Counting, Teaching, Recurrent, Thrifty, _normed, _tied]


@pytest.mark.parametrize("make_model", MODELS)
def test_whatever_a_model_keeps_goes_on_in_another_process(make_model: Any) -> None:
    assert _goes_on_the_same(make_model)


def _steep(model: nn.Module, batch: Any) -> Any:
    """So large a loss that its gradients overflow in fp16 until the scale has come down."""
    found = cross_entropy(model, batch)
    return replace(found, loss=1e2 * found.loss)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_run_of_mixed_precision_goes_on_with_the_scale_of_its_losses(precision: str) -> None:
    assert _goes_on_the_same(make_net, precision=precision, batch_loss=_steep)


def test_a_step_an_epoch_looks_back_at_the_one_before() -> None:
    run = make_run(batch_size=WHOLE, epochs=4)
    assert _goes_on_the_same(make_net, run)
    task = make_task()
    trainee = Trainee(task, run, "cpu")
    turns = [trainee.train_epoch().gradient_turn for _ in range(2)]
    assert turns[1] is not None


def test_a_schedule_that_follows_the_validation_loss_remembers_it() -> None:
    run = make_run(0, "sgd", settings={"lr": 0.5}, schedule="plateau", epochs=16,
                   schedule_settings={"factor": 0.1, "patience": 4})  # fmt: skip
    trainee = Trainee(make_task(), run, "cpu")
    rates = [trainee.train_epoch().learning_rate for _ in range(run.epochs)]
    assert len(set(rates[run.epochs // 2 :])) == 2
    assert _goes_on_the_same(make_net, run)


def test_what_the_loss_draws_from_every_generator_goes_on() -> None:
    def noisy(model: nn.Module, batch: Any) -> Any:
        found = cross_entropy(model, batch)
        noise = random.random() + np.random.rand() + torch.rand(()) if model.training else 0.0
        return replace(found, loss=found.loss * (1 + 0.1 * noise))

    assert _goes_on_the_same(make_net, batch_loss=noisy)


def _pretrained() -> nn.Module:
    body = nn.Linear(INPUTS, 400)
    return nn.Sequential(body.requires_grad_(False), nn.ReLU(), nn.Linear(400, CLASSES))


def test_frozen_weights_are_saved_only_once_they_have_changed() -> None:
    trainee = Trainee(make_task(_pretrained), make_run(), "cpu")
    assert set(trainee.state()["weights"]) == {"2.weight", "2.bias"}
    trainee.model[0].weight.data.add_(1.0)
    assert set(trainee.state()["weights"]) == {"0.weight", "2.weight", "2.bias"}
    assert _goes_on_the_same(_pretrained)


class Gate:
    """An object of the user's own."""

    def __init__(self) -> None:
        self.opened = 0


class Gated(nn.Linear):
    def __init__(self) -> None:
        super().__init__(INPUTS, CLASSES)
        self.gate, self.name = Gate(), lambda: "gated"


def test_objects_that_have_not_changed_are_in_no_ones_way() -> None:
    assert _goes_on_the_same(Gated)


def test_an_object_that_has_changed_is_told_with_its_name() -> None:
    trainee = Trainee(make_task(Gated), make_run(), "cpu")
    trainee.model.gate.opened = 1
    with pytest.raises(AutooptError, match="the model keeps 'gate', of type Gate, which cannot be saved"):
        trainee.state()


class Drawing(nn.Linear):
    def __init__(self) -> None:
        super().__init__(INPUTS, CLASSES)
        self.draw = np.random.default_rng(0)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return super().forward(X) * self.draw.random()


def test_a_generator_of_the_models_own_is_told() -> None:
    trainee = Trainee(make_task(Drawing), make_run(), "cpu")
    trainee.train_epoch()
    with pytest.raises(AutooptError, match="'draw', of type Generator"):
        trainee.state()


class Pondering(torch.optim.SGD):
    """An optimizer that keeps what it needs everywhere but in its state."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, lr=lr)
        self.taken, self.pace = 0, {"slow": torch.ones(())}

    def step(self, closure: Any = None) -> None:
        self.taken += 1
        self.state["all"]["length"] = self.taken / 7
        self.pace["slow"] = self.pace["slow"] * 0.9
        for group in self.param_groups:
            group["lr"] *= float(self.pace["slow"]) / (1 + self.state["all"]["length"])
        super().step(closure)


def test_an_optimizer_goes_on_wherever_it_keeps_what_it_needs() -> None:
    def trained(model: nn.Module, optimizer: Pondering, steps: int) -> list[torch.Tensor]:
        for _ in range(steps):
            optimizer.zero_grad()
            model(torch.ones(2, INPUTS)).square().sum().backward()
            optimizer.step()
        return [p.detach().clone() for p in model.parameters()]

    def fresh() -> tuple[nn.Module, Pondering]:
        torch.manual_seed(0)
        model = nn.Linear(INPUTS, CLASSES)
        return model, Pondering(model.parameters())

    expected = trained(*fresh(), 4)
    model, optimizer = fresh()
    pausable = Pausable(model, optimizer)
    trained(model, optimizer, 2)
    other, its_optimizer = fresh()
    file = io.BytesIO()
    torch.save(pausable.state(), file)
    file.seek(0)
    Pausable(other, its_optimizer).restore(torch.load(file, weights_only=True))
    assert all(torch.equal(a, b) for a, b in zip(trained(other, its_optimizer, 2), expected, strict=True))


@pytest.mark.parametrize(
    ("other", "message"),
    [(lambda: nn.Linear(INPUTS, CLASSES), "other layers"), (lambda: nn.Sequential(nn.Linear(INPUTS, 9), nn.ReLU(), nn.Dropout(), nn.Linear(9, CLASSES)), "another shape")],
)  # fmt: skip
def test_the_state_of_another_model_is_refused(other: Any, message: str) -> None:
    state = Trainee(make_task(make_net), make_run(), "cpu").state()
    with pytest.raises(AutooptError, match=message):
        Trainee(make_task(other), make_run(), "cpu").resume(state)
