import pytest
import torch

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.lookahead import around
from autoopt.catalogue.rate import reference_settings
from autoopt.recipe import Recipe
from autoopt.training import cost as cost_module
from autoopt.training.cost import FirstRows, charged, measure_costs
from tests.unit.training.examples import cross_entropy, make_rows, make_task


def reference(name, **changes):
    return Recipe(name, reference_settings(OPTIMIZERS[name]), **changes)


@pytest.fixture
def task_and_clock(monkeypatch):
    """A task that counts the rows which its loss has seen, and a clock that goes by them."""
    rows = 0

    def counted(model, batch):
        nonlocal rows
        rows += len(batch[1])
        return cross_entropy(model, batch)

    def seconds_of(act, device):
        before = rows
        act()
        return (rows - before) * 1e-6

    monkeypatch.setattr(cost_module, "seconds_of", seconds_of)
    return make_task(train=make_rows(400), batch_loss=counted)


def test_charges_are_coarse_and_what_is_nearly_one_is_one():
    assert [charged(ratio) for ratio in (0.1, 1.0, 1.25, 1.3, 1.6, 2.2, 2.6, 3.4, 3.6, 5.2, 9.4, 11.0)] == [
        1.0, 1.0, 1.0, 1.25, 1.5, 2.0, 3.0, 3.0, 4.0, 6.0, 8.0, 12.0,
    ]  # fmt: skip
    assert charged(float("nan")) == 1.0


def test_an_optimizer_that_looks_at_the_loss_ten_times_a_step_is_charged_for_it(task_and_clock):
    recipes = {"lbfgs": reference("lbfgs", batch_size="whole"), "muon": reference("muon")}
    costs = measure_costs(task_and_clock, recipes, reference("adamw"), "cpu")
    assert 6 <= costs["lbfgs"] <= 16
    assert costs["muon"] == 1.0  # by this clock


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_an_optimizer_that_fails_after_some_steps_costs_what_others_do(error, monkeypatch):
    times = iter([0.001] * 12)

    def seconds_of(act, device):
        if (found := next(times, None)) is None:
            raise error
        return found

    monkeypatch.setattr(cost_module, "seconds_of", seconds_of)
    recipes = {"sgd": reference("sgd"), "adam": reference("adam")}
    for count in range(13):
        times = iter([0.001] * count)
        assert measure_costs(make_task(train=make_rows(400)), recipes, reference("adamw"), "cpu") == {
            "sgd": 1.0, "adam": 1.0,
        }  # fmt: skip


def test_an_optimizer_that_cannot_take_a_step_costs_what_others_do(task_and_clock):
    broken = Recipe("muon", {**reference_settings(OPTIMIZERS["muon"]), "lr": -1.0})
    assert measure_costs(task_and_clock, {"muon": broken}, reference("adamw"), "cpu") == {"muon": 1.0}


def test_where_steps_take_long_one_of_each_is_looked_at(task_and_clock, monkeypatch):
    monkeypatch.setattr(cost_module, "SECONDS", 1e-9)
    monkeypatch.setattr(cost_module, "_times", None)
    recipes = {"lbfgs": reference("lbfgs", batch_size="whole")}
    assert measure_costs(task_and_clock, recipes, reference("adamw"), "cpu")["lbfgs"] >= 6


def test_what_is_timed_trains_a_copy_and_draws_nothing_of_the_global_random_numbers():
    task = make_task(train=make_rows(400))
    before = torch.get_rng_state()
    costs = measure_costs(task, {"muon": reference("muon")}, reference("adamw"), "cpu")
    assert costs["muon"] >= 1
    assert torch.equal(before, torch.get_rng_state())


def test_the_first_rows_make_as_many_batches_as_they_fill():
    first = FirstRows(make_rows(50), 20)
    assert [len(target) for _, target in first.batches(8, shuffle_seed=0)] == [8, 8, 8]
    assert (first.steps_per_epoch(8), first.steps_per_epoch(1), first.rows) == (3, 20, 20)
    assert FirstRows(make_rows(10), 20).steps_per_epoch(8) == 2


@pytest.mark.parametrize("name", ["adamw", "sgd", "lion", "prodigy", "lookahead_adamw", "gd"])
def test_ordinary_optimizers_are_not_timed(name):
    assert not OPTIMIZERS[name].may_cost_more


@pytest.mark.parametrize("name", ["muon", "soap", "lbfgs", "bfgs", "newton", "single_sgd"])
def test_optimizers_with_dear_epochs_are_timed(name):
    assert OPTIMIZERS[name].may_cost_more


def test_lookahead_costs_what_it_is_around():
    assert around(OPTIMIZERS["soap"]).may_cost_more
