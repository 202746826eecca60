"""Studies with optimizers of the user's own: joined, remembered, resumed, shown and exported."""

import json
import sys

import pytest
import torch
from torch import nn

import autoopt
from autoopt.cli.exits import run
from autoopt.errors import SpaceError, StudyMismatch
from autoopt.export import write
from autoopt.records.store import Store
from autoopt.space import build_space
from autoopt.tasks.make import make_task
from autoopt.tuning import resume
from tests.unit.training.own_optimizers import Signs

OPTIMIZER = """
from torch.optim import SGD

class Lion(SGD):
    def __init__(self, params, lr=0.05, betas=(0.9, 0.99), momentum=0.5):
        super().__init__(params, lr=lr, momentum=momentum)
"""

TASK = """
import torch
from torch import nn

def model():
    return nn.Linear(3, 1)

def train_data():
    X = torch.randn(40, 3)
    return X, X.sum(1, keepdim=True)

epochs = 2
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A task and an optimizer in a folder of their own, and the process in it."""
    (tmp_path / "task.py").write_text(TASK)
    (tmp_path / "lions.py").write_text(OPTIMIZER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tune(*own, **arguments):
    usual = {"budget": 7, "trials": 1, "optimizers": [], "storage": "autoopt.db"}
    return autoopt.tune("task.py", **{**usual, "optimizers_from": own, **arguments})


MINE = "lions.py:Lion name=mylion lr=1e-3..1 beta1=0.8..0.95"


def test_ones_own_joins_the_default_search_or_those_that_are_named(folder):
    tune(MINE, optimizers=["sgd"], trials=2, budget=9)
    recipes = {record.run.recipe.optimizer for record in Store.open("autoopt.db").runs("task")}
    assert recipes >= {"sgd", "mylion"}
    assert {"adamw", "mylion"} < set(build_space(own=[autoopt.optimizer_entry(MINE)]).optimizers)


def test_the_study_remembers_what_was_given_and_the_same_command_carries_on(folder):
    first = tune(MINE)
    (remembered,) = Store.open("autoopt.db").study("task").options["optimizers_from"]
    ranges = {h["name"]: (h["low"], h["high"]) for h in remembered["hyperparameters"]}
    assert remembered["own"]["file"] == str(folder / "lions.py")
    assert (ranges["lr"], ranges["beta1"]) == ((1e-3, 1.0), (0.8, 0.95))
    runs = len(Store.open("autoopt.db").runs("task"))
    assert tune(MINE).recipe == first.recipe
    assert len(Store.open("autoopt.db").runs("task")) == runs


def test_a_study_is_resumed_by_its_name_from_anywhere(folder, monkeypatch):
    recipe = tune(MINE).recipe
    monkeypatch.chdir("/")
    assert resume("task", 7, storage=str(folder / "autoopt.db"), trials=1).recipe == recipe


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: None, "made with optimizers of your own: mylion; now they are: none"),
        (lambda f: MINE.replace("..1 ", "..2 "), "mylion has other ranges than this study was made with"),
        (
            lambda f: (f / "lions.py").write_text(OPTIMIZER + "\nx = 1") and MINE,
            "the code of mylion has changed",
        ),
    ],
)
def test_another_optimizer_of_that_name_is_another_study(folder, change, message):
    tune(MINE)
    changed = change(folder)
    with pytest.raises(StudyMismatch, match=message):
        tune(*([changed] if changed else []), optimizers=[] if changed else None)


def test_reading_a_study_imports_nothing_of_the_users(folder, capsys):
    recommendation = tune(MINE, baseline="mylion lr=1e-4")
    (folder / "lions.py").write_text("raise SystemExit('imported')")
    sys.modules.pop("lions", None)
    assert run(["show", "task"]) == 0
    assert "Lion" in capsys.readouterr().out
    assert run(["export", "task"]) == 0
    assert "from lions import Lion\n" in capsys.readouterr().out
    again = autoopt.Recommendation.from_dict(json.loads(write(recommendation, "json")))
    assert again.recipe == recommendation.recipe
    assert "lions" not in sys.modules


def test_exported_code_builds_what_the_study_trained(folder, monkeypatch):
    recommendation = tune(MINE, baseline="mylion lr=1e-4")
    monkeypatch.syspath_prepend(str(folder))
    names = {}
    exec(write(recommendation, "pytorch"), names)
    model = nn.Linear(3, 1)
    pasted, made = names["make_optimizer"](model), recommendation.make_optimizer(model)
    assert type(pasted).__name__ == "Lion"
    assert pasted.defaults == made.defaults
    sys.modules.pop("lions", None)


def test_a_class_and_an_entry_may_stand_among_the_names():
    X = torch.randn(40, 3)
    task = make_task(model=lambda: nn.Linear(3, 1), train_data=(X, X.sum(1, keepdim=True)), epochs=2)
    mine = autoopt.optimizer_entry(Signs, {"lr": (1e-3, 1e-1), "beta1": 0.5}, name="mine")
    recommendation = autoopt.tune(task, 7, trials=2, optimizers=[Signs, mine])
    assert recommendation.recipe.own.target.endswith(":Signs")
    assert type(recommendation.make_optimizer(nn.Linear(3, 1))) is Signs


def test_ones_own_that_cannot_use_sparse_gradients_is_refused_where_there_are_some():
    rows = torch.arange(40) % 5
    task = make_task(
        model=lambda: nn.Sequential(nn.Embedding(5, 2, sparse=True), nn.Flatten(0)),
        train_data=(rows, torch.randn(40)), loss=lambda output, y: output.sum() * y.sum(), epochs=1,
    )  # fmt: skip
    with pytest.raises(SpaceError, match="sparse gradients, which your optimizer mine cannot use"):
        autoopt.tune(task, 7, optimizers_from="torch.optim:AdamW name=mine")
