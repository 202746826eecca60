import numpy as np
import pytest
import torch
from torch import nn

import autoopt
from autoopt.records.store import Store
from autoopt.search import journal as journal_module
from autoopt.tasks.make import make_task
from autoopt.training import cost as cost_module

MUON = {"optimizers": ["adamw", "muon"], "budget": 12}


def wide_task():
    """A line with a hidden matrix, for Muon."""
    random = np.random.default_rng(0)
    X = random.normal(size=(48, 3)).astype(np.float32)
    return make_task(
        model=lambda: nn.Sequential(
            nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)
        ),
        train_data=(X, X.sum(1, keepdims=True)), val_data=(X[:16], X[:16].sum(1, keepdims=True)), epochs=3,
        batch_size=16, name="wide",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def every_report_is_saved_at_once(monkeypatch):
    monkeypatch.setattr(journal_module, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "autoopt.db")


@pytest.fixture
def timed(monkeypatch):
    """What was timed, by whom; every optimizer that is timed costs three."""
    asked = []

    def measure(task, recipes, baseline, device):
        asked.append((sorted(recipes), baseline.optimizer, baseline.batch_size))
        return dict.fromkeys(recipes, 3.0)

    monkeypatch.setattr(cost_module, "measure_costs", measure)
    return asked


def summary_of(url, name="wide"):
    with Store.open(url, readonly=True) as store:
        return next(each for each in store.studies() if each.study.name == name)


def test_a_study_of_ordinary_optimizers_times_nothing_and_keeps_nothing(timed, url):
    answer = autoopt.tune(wide_task(), 8, optimizers=["sgd", "adam"], storage=url)
    assert not timed
    assert "costs" not in summary_of(url).study.options
    assert answer.costs == {}


def test_what_optimizers_cost_is_timed_once_and_holds_for_all_sittings(timed, url):
    autoopt.tune(wide_task(), storage=url, **MUON)
    longer = autoopt.tune(wide_task(), storage=url, **{**MUON, "budget": 16})
    assert timed == [(["muon"], "adamw", 16)]
    assert summary_of(url).study.options["costs"] == {"muon": 3.0}
    assert longer.costs == {"muon": 3.0}


def test_a_study_from_before_costs_nothing_more(timed, url, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(cost_module, "measure_costs", lambda *_: {})
        first = autoopt.tune(wide_task(), storage=url, **MUON)
    again = autoopt.tune(wide_task(), storage=url, **MUON)
    assert not timed
    assert first.costs == again.costs == {}
    assert first.recipe == again.recipe


def test_trainings_of_a_dear_optimizer_spend_more_of_the_budget(timed, url):
    spent = autoopt.tune(wide_task(), storage=url, **MUON).spent
    summary = summary_of(url)
    assert spent.search_runs + spent.confirm_runs <= 12
    assert summary.spent_runs == pytest.approx(spent.search_runs + spent.confirm_runs)
    assert summary.spent_runs > summary.spent_epochs / 3


def test_a_leader_that_the_budget_cannot_confirm_is_named(monkeypatch):
    monkeypatch.setattr(cost_module, "measure_costs", lambda task, recipes, *_: {"muon": 12.0})
    answer = autoopt.tune(wide_task(), 40, optimizers=["gd", "muon"], fixed={"lr": 0.02}, seeds=3, trials=8)
    assert any(note.startswith("Muon led the search, but the budget had no room") for note in answer.notes)
    assert answer.spent.search_runs + answer.spent.confirm_runs <= 40


def test_an_answer_with_costs_comes_back_from_json(timed):
    answer = autoopt.tune(wide_task(), **MUON)
    assert autoopt.Recommendation.from_dict(answer.to_dict()) == answer
    old = {key: value for key, value in answer.to_dict().items() if key != "costs"}
    assert autoopt.Recommendation.from_dict(old).costs == {}


def test_a_loop_of_ones_own_is_charged_by_the_epoch_and_says_so():
    def train(trial):
        model = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 4), nn.Linear(4, 1))
        optimizer, scheduler = trial.optimizer(model, total_steps=trial.epochs)
        for _ in range(trial.epochs):
            optimizer.zero_grad()
            loss = model(torch.ones(4, 2)).square().mean()
            loss.backward()
            optimizer.step()
            scheduler.step()
            trial.report(float(loss))

    answer = autoopt.tune(train, 7, epochs=2, optimizers=["adamw", "muon"])
    assert answer.costs == {}
    assert any(note.startswith("Muon may take longer") for note in answer.notes)
