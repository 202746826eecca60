"""A command line under test: what it prints, how it ends, and a ``tune`` that takes no time."""

import json
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from autoopt.cli.exits import run
from autoopt.progress import Progress
from autoopt.recipe import Recipe
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.recommendation import Reason, Recommendation, Spent
from autoopt.verdict.statistics import Interval


@dataclass
class Outcome:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    """Run a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("AUTOOPT_STORAGE", raising=False)

    def call(*arguments):
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        return Outcome(status, *capsys.readouterr())

    return call


@pytest.fixture
def recommendation():
    """SGD ahead of the baseline by a tenth."""
    return Recommendation(
        study="digits [bold]", task="digits", objective="loss", direction="minimize",
        chosen=Confirmation(
            Recipe("sgd", {"lr": 0.1, "momentum": 0.9, "nesterov": True}, "cosine", {"warmup": 0.05}, 64, 1),
            {1: 0.08, 2: 0.09, 3: 0.1}, {1: 0.11, 2: 0.12, 3: 0.13},
        ),
        baseline=Confirmation(Recipe("adamw", {"lr": 1e-3}), {1: 0.1, 2: 0.1, 3: 0.1}),
        gain=Interval(0.005, 0.01, 0.015), relative_gain=Interval(0.05, 0.1, 0.15), chance_best=0.9,
        verdict="better", runners_up=(Confirmation(Recipe("adam", {"lr": 1e-3}), {1: 0.2}),),
        reasons=(Reason("SGD suits it", "D2", "agrees"), Reason("Adam does", "D3", "disagrees"),
                 Reason("the rate is at its edge", "", "caution")),
        spent=Spent(14.2, 6.0, 80.0), epochs=5, versions={"torch": "2.13.0"}, notes=("A note.",),
    )  # fmt: skip


@pytest.fixture
def make_progress():
    """Return a function that makes progress of a study, half-way through its search unless told otherwise."""

    def make(**changes):
        values = {
            "study": "digits", "phase": "search", "objective": "loss", "direction": "minimize",
            "spent_runs": 10.0, "budget_runs": 20.0, "seconds": 30.0, "seconds_left": 31.0,
            "best": {"sgd": 0.2, "adamw": 0.1}, "finished": 3, "stopped": 4, "diverged": 1, "running": 2,
        }  # fmt: skip
        return Progress(**{**values, **changes})

    return make


@pytest.fixture
def tuning(monkeypatch, recommendation, make_progress):
    """Stand in for ``autoopt.tuning``: remembers how it was called, reports progress, recommends at once."""
    called = SimpleNamespace(arguments=None, result=recommendation, error=None, says="")

    def tune(*positional, watch, **arguments):
        called.arguments = (*positional, arguments)
        sys.stdout.write(called.says)
        for spent, phase in (
            (0.0, "search"),
            (10.0, "search"),
            (10.1, "search"),
            (18.0, "confirm"),
            (20.0, "done"),
        ):
            watch(make_progress(spent_runs=spent, phase=phase, seconds_left=None))
        if called.error is not None:
            raise called.error
        return called.result

    monkeypatch.setitem(sys.modules, "autoopt.tuning", SimpleNamespace(tune=tune, resume=tune))
    return called
