import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from autoopt.recipe import Recipe
from autoopt.run import Purpose, Run
from autoopt.tasks.loaders import DatasetSamples
from autoopt.tasks.task import BatchLoss
from autoopt.training import plan as plan_module
from autoopt.training.plan import Plan, choose_plan
from autoopt.training.serial import SerialCohort
from autoopt.training.stack.memory import bytes_per_row
from autoopt.training.stack.stackable import refuse_recipe, refuse_run
from autoopt.training.stacked import StackedCohort
from tests.unit.training.examples import INPUTS, cross_entropy, make_net, make_rows, make_run, make_task


def clock(serial: float, *stacked: float) -> Callable[..., float]:
    """Return times of a step in the order in which they are asked for: a first look, then rounds of both ways."""
    told = iter([serial, *(t for each in stacked for t in (serial, each) * plan_module.ROUNDS)])
    widths = iter([1, *(w for width in plan_module.WIDTHS for w in (1, width) * plan_module.ROUNDS)])

    def seconds(act: Callable[[], object], device: str) -> float:
        act()
        return next(told) * 16 * next(widths)

    return seconds


def chosen(monkeypatch: pytest.MonkeyPatch, serial: float, *stacked: float) -> Plan:
    monkeypatch.setattr(plan_module, "seconds_of", clock(serial, *stacked))
    return choose_plan(make_task(train=make_rows(400)), "cpu")


def test_the_width_is_the_fastest_one(monkeypatch):
    plan = chosen(monkeypatch, 100e-6, 60e-6, 40e-6)
    assert plan.rows == 16
    assert plan.stacked_seconds == pytest.approx({4: 60e-6, 16: 40e-6})
    assert "2.5 times as fast" in plan.reason


def test_a_gain_below_a_fifth_is_not_worth_it(monkeypatch):
    plan = chosen(monkeypatch, 100e-6, 90e-6, 85e-6)
    assert (plan.rows, plan.is_stacked) == (1, False)
    assert "not 1.2 times" in plan.reason


def test_wider_stacks_are_not_tried_where_four_rows_lose(monkeypatch):
    plan = chosen(monkeypatch, 100e-6, 150e-6)
    assert plan.stacked_seconds is not None
    assert list(plan.stacked_seconds) == [4]
    assert not plan.is_stacked


def test_a_plan_comes_back_from_plain_data():
    plan = Plan(16, "fast", 1e-3, {4: 5e-4, 16: 2e-4})
    assert Plan.from_dict(plan.to_dict()) == plan


def test_a_plan_starts_the_cohort_that_it_says():
    assert isinstance(Plan(1, "").starter(make_task(), "cpu")([]), SerialCohort)
    cohort = Plan(8, "").starter(make_task(), "cpu")([make_run()])
    assert isinstance(cohort, StackedCohort)
    list(cohort.advance())
    assert cohort.stacked == [0]


class Lost(nn.Module):
    """Keeps count in a list, which rows share without anybody noticing."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.seen = make_net(), []

    def forward(self, X: Tensor) -> Tensor:
        self.seen.append(1)
        return self.inner(X) * (1 + len(self.seen) / 10)


class Unused(nn.Module):
    """Has a weight that gets no gradient, so that a run of its own never decays it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.spare = make_net(), nn.Linear(2, 2)

    def forward(self, X: Tensor) -> Tensor:
        return self.inner(X)


class Hooked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = make_net()
        self.inner.register_forward_hook(lambda module, inputs, output: None)

    def forward(self, X: Tensor) -> Tensor:
        return self.inner(X)


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = make_net()

    def forward(self, X: Tensor) -> Tensor:
        output: Tensor = self.inner(X)
        return output * 2 if output.mean() > 0 else output


class Drawing(Branching):
    def forward(self, X: Tensor) -> Tensor:
        output: Tensor = self.inner(X)
        return output * random.random()


class Reader(nn.Module):
    def __init__(self, layer: type[nn.RNNBase]) -> None:
        super().__init__()
        self.layer, self.head = layer(INPUTS, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, X: Tensor) -> Tensor:
        output: Tensor = self.head(self.layer(X[:, None].expand(-1, 3, -1))[0][:, -1])
        return output


def normed(**how: object) -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, 8), nn.BatchNorm1d(8, **how), nn.ReLU(), nn.Linear(8, 3))


def sampled(seed: int = 0) -> DatasetSamples:
    return DatasetSamples(torch.utils.data.TensorDataset(*make_rows(50, seed).tensors))


REFUSED = {
    "data that come through a loader": ({"train": sampled()}, "not held as tensors"),
    "sparse gradients": ({"sparse_gradients": True}, "sparse"),
    "gradients in an evaluation": ({"grad_in_evaluation": True}, "in an evaluation"),
    "an LSTM": ({"make_model": lambda: Reader(nn.LSTM)}, "LSTM"),
    "hooks": ({"make_model": Hooked}, "hooks"),
    "statistics that count": ({"make_model": lambda: normed(momentum=None)}, "momentum=None"),
    "Python's random numbers": ({"make_model": Drawing}, "Python"),
    "a branch on a number": ({"make_model": Branching}, "torch.func cannot train"),
    "state that rows would share": ({"make_model": Lost}, "differs by"),
    "a weight without gradient": ({"make_model": Unused}, "a weight differs by"),
    "a compiled model": ({"make_model": lambda: torch.jit.script(make_net())}, "compiled"),
    "code that raises": ({"batch_loss": lambda model, batch: 1 / 0}, "ZeroDivisionError"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "why"), REFUSED.values(), ids=REFUSED)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*")
def test_what_cannot_be_stacked_is_trained_run_after_run_and_the_plan_says_why(changes, why):
    plan = choose_plan(make_task(**changes), "cpu", timed=False)
    assert not plan.is_stacked
    assert why in plan.reason


STACKED = {"dropout": lambda: make_net(0.3), "batch norm": normed, "a GRU": lambda: Reader(nn.GRU)}


@pytest.mark.parametrize("make_model", STACKED.values(), ids=STACKED)
def test_what_computes_the_same_is_stacked(make_model):
    plan = choose_plan(make_task(make_model), "cpu", timed=False)
    assert plan.is_stacked, plan.reason


def test_rows_are_bounded_by_memory(monkeypatch):
    task = make_task()
    monkeypatch.setattr(plan_module, "free_bytes", lambda device: 14 * bytes_per_row(task, device))
    assert choose_plan(task, "cpu", timed=False).rows == 7
    monkeypatch.setattr(plan_module, "free_bytes", lambda device: 4 * bytes_per_row(task, device))
    assert "room for 2" in choose_plan(task, "cpu", timed=False).reason


def test_memory_grows_with_weights_and_with_what_a_batch_leaves():
    wide = make_task(lambda: nn.Sequential(nn.Linear(INPUTS, 3000), nn.ReLU(), nn.Linear(3000, 3)))
    assert bytes_per_row(wide, "cpu") > 10 * 4 * 3000 * INPUTS
    assert bytes_per_row(make_task(batch_size=48), "cpu") > bytes_per_row(make_task(), "cpu")


def test_recipes_that_are_no_rows():
    assert refuse_recipe(Recipe("adamw", {"lr": 0.1})) is None
    for name in ("lbfgs", "muon", "schedule_free_sgd", "lookahead_adam", "gd", "newton", "prodigy"):
        assert refuse_recipe(Recipe(name, {"lr": 0.1})) is not None
    assert refuse_recipe(Recipe("adamw", {"lr": 0.1}, batch_size="whole")) is not None
    assert refuse_recipe(Recipe("adamw", {"lr": 0.1}, extras={"layers": 2})) is not None


def test_what_confirms_is_trained_by_itself():
    for purpose in (Purpose.CONFIRM, Purpose.BASELINE):
        assert refuse_run(Run(0, Recipe("adamw", {"lr": 0.1}), 0, 3, purpose)) is not None
    cohort = Plan(8, "").starter(make_task(), "cpu")([make_run(purpose=Purpose.CONFIRM)])
    list(cohort.advance())
    assert isinstance(cohort, StackedCohort)
    assert cohort.stacked == []


def test_a_stack_that_runs_out_of_memory_is_halved(monkeypatch):
    from autoopt.training import stacked

    widths = []

    def narrow(bench, rows):
        widths.append(len(rows))
        if len(rows) > 2:
            raise torch.OutOfMemoryError("no room")
        return train_rows(bench, rows)

    train_rows = stacked.train_rows
    monkeypatch.setattr(stacked, "train_rows", narrow)
    cohort = stacked.stacked_cohort(make_task(), [make_run(k) for k in range(8)])
    reports = list(cohort.advance())
    assert widths == [8, 4, 2, 2, 2, 2]
    assert not any(report.over for report in reports)
    assert len(cohort.stacked) == 8


def test_a_users_own_step_is_stacked():
    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> BatchLoss:
        found = cross_entropy(model, batch)
        return BatchLoss(found.loss + 1e-3 * sum((p**2).sum() for p in model.parameters()), found.rows)

    assert choose_plan(make_task(batch_loss=step), "cpu", timed=False).is_stacked
