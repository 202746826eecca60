"""Studies for the dashboard to show: a judged one, a running one, an empty one, and one with hostile names."""

from dataclasses import replace

import pytest
import streamlit as st

from autoopt.recipe import Recipe
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.run import EpochReport, Purpose, Run, RunRecord, RunState
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.recommendation import Reason, Recommendation, Spent
from autoopt.verdict.statistics import Interval

HOSTILE = """<script>alert(1)</script> [x](javascript:x) :red[y] *z* $q$ "'"""
SGD = Recipe("sgd", {"lr": 0.1, "momentum": 0.9}, "cosine", {"warmup": 0.05}, 64)
ADAM, BASELINE = Recipe("adam", {"lr": 3e-3}), Recipe("adamw", {"lr": 1e-3})


def make_recommendation(study, **changes):
    """Return a verdict: SGD ahead of the baseline by a tenth."""
    values = {
        "study": study, "task": "digits", "objective": "loss", "direction": "minimize",
        "chosen": Confirmation(SGD, {1: 0.08, 2: 0.09, 3: 0.1}),
        "baseline": Confirmation(BASELINE, {1: 0.1, 2: 0.11, 3: 0.12}),
        "gain": Interval(0.005, 0.01, 0.015), "relative_gain": Interval(0.05, 0.1, 0.15), "chance_best": 0.9,
        "verdict": "better", "runners_up": (Confirmation(ADAM, {1: 0.2}, failures={2: HOSTILE}),),
        "reasons": (Reason("SGD suits it", "D2", "agrees"), Reason(HOSTILE, "this study", "caution")),
        "spent": Spent(14.2, 6.0, 80.0), "epochs": 9, "versions": {"torch": "2.13.0"}, "notes": ("A note.",),
    }  # fmt: skip
    return Recommendation(**{**values, **changes})


def add_study(store, name, *, trials=30, state="done", **changes):
    """Write a study down whose trials ended in every way."""
    record = StudyRecord(
        name, "digits", "task.py", "f", "loss", "minimize", 9, {"seed": 0}, state=state, **changes
    )
    store.create_study(record)
    runs, reports, records = [], [], []
    for n in range(trials):
        recipe = Recipe(("sgd", "adam", "rmsprop")[n % 3], {"lr": 10 ** (-4 + (n * 7 % 30) / 10)}, "linear")
        run = Run(n, recipe, 0, 9, Purpose.SEARCH, n, n // 9, (1, 3))
        last = 9 if n % 4 == 0 else 3 if n % 4 == 1 else 1
        scores = [1 / (epoch + 1) + abs(n % 30 - 12) / 50 for epoch in range(1, last + 1)]
        reports += [
            EpochReport(n, e + 1, s, s, s, None, recipe.settings["lr"], 1.0, 0.1)
            for e, s in enumerate(scores)
        ]
        ended = {
            "n": RunRecord(run, RunState.FINISHED if last == 9 else RunState.STOPPED, scores[-1], last, 0.9)
        }["n"]
        if n % 10 == 7:
            ended = RunRecord(run, RunState.DIVERGED, scores[-1], last, 0.5, "the loss diverged")
        if n % 30 == 29:
            ended = RunRecord(run, RunState.FAILED, None, 0, 0.0, HOSTILE)
        runs.append(run)
        records.append(ended)
    for k, recipe in enumerate((BASELINE, SGD) if trials else ()):
        purpose = Purpose.CONFIRM if k else Purpose.BASELINE
        run = Run(trials + k, recipe, 1, 9, purpose)
        runs.append(run)
        records.append(RunRecord(run, RunState.FINISHED, 0.1 - k / 50, 9, 1.0))
        reports += [EpochReport(run.id, e, 0.2, 0.2, 0.2, None, 1e-3, 1.0, 0.1) for e in range(1, 10)]
    if runs:
        store.save(name, runs=runs, reports=reports, records=records)


@pytest.fixture
def database(tmp_path, monkeypatch):
    """A database with studies of every kind; the dashboard looks at it."""
    path = tmp_path / "autoopt.db"
    monkeypatch.setenv("AUTOOPT_STORAGE", str(path))
    st.cache_resource.clear()
    with Store.open(path) as store:
        for name, options in {
            "judged": {}, HOSTILE: {}, "running": {"state": "running"}, "single": {"trials": 1}, "empty": {"trials": 0},
            "spoiled": {"state": "failed"},
        }.items():  # fmt: skip
            add_study(store, name, **options)
        store.save_verdict("judged", make_recommendation("judged").to_dict())
        own = Confirmation(replace(SGD, extras={"width": 4, HOSTILE: HOSTILE}), {1: 0.08, 2: 0.09, 3: 0.1})
        store.save_verdict(HOSTILE, make_recommendation(HOSTILE, chosen=own).to_dict())
        store.save_verdict("spoiled", {"schema": 1, "study": "spoiled"})
        yield store
    st.cache_resource.clear()


@pytest.fixture
def empty_database(tmp_path, monkeypatch):
    """A database without a study."""
    path = tmp_path / "empty.db"
    monkeypatch.setenv("AUTOOPT_STORAGE", str(path))
    st.cache_resource.clear()
    Store.open(path).close()
    yield path
    st.cache_resource.clear()
