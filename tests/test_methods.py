"""What studies/methods.md says is so: every entry is there, every command is taken, every test runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer.main

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.cli.app import app
from autoopt.cli.exits import run
from autoopt.guidance.load import load_rules
from autoopt.recipe import Recipe
from autoopt.space import build_space, parse_recipe

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "studies" / "methods.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| ")
    and not line.startswith(("| ---", "| method |", "| what |", "| rule |", "| symptom and"))
]
COMMANDS = typer.main.get_command(app).commands
# The methods of the documents, as the guidance that autoopt follows names them.
NAMED = (
    "batch gradient descent", "stochastic gradient descent", "mini-batch", "momentum, heavy ball",
    "momentum, averaged form", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam", "AdamW", "AdaBound", "RAdam",
    "Lookahead", "Newton", "BFGS", "L-BFGS", "learning to optimise", "step decay", "exponential decay",
    "cosine annealing", "warm restarts", "gradient clipping by norm", "batch normalisation", "weight decay",
    "early stopping",
)  # fmt: skip
RULES = (
    "adam-by-default", "attention-adamw", "residual-sgd-momentum", "vision-sgd-momentum", "recurrent-rmsprop",
    "large-simple-sgd-momentum", "small-data-adam", "fine-tuning-sgd", "sparse-data-adaptive",
    "sparser-adam-over-rmsprop", "rmsprop-adadelta-adam-alike", "try-several", "learning-rate-first",
    "batch-size-range", "batch-norm-helps", "divergence", "slow-convergence", "overfitting", "oscillation",
    "rate-too-low", "rate-too-high", "adagrad-rate-dies", "exploding-gradients",
)  # fmt: skip
each_row = pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])


@pytest.fixture(scope="module")
def collected():
    """The ids of all tests in the files that the table names."""
    files = sorted({row[4].strip("`").partition("::")[0] for row in ROWS})
    line = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", *files]
    told = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    return [line for line in told.stdout.splitlines() if "::" in line]


def test_no_method_of_the_documents_is_missing():
    told = [row[0] for row in ROWS] + re.findall(r"^- \*([^*]+)\*", TEXT, re.MULTILINE)
    for name in NAMED:
        assert any(re.search(rf"\b{re.escape(name)}\b", each) for each in told), name


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_and_symptom_of_the_documents_has_a_row(rule):
    assert f"rule `{rule}`" in {row[2] for row in ROWS}


@each_row
def test_the_entry_of_a_row_is_there(row, capsys):
    entry = row[2].strip("`")
    if entry in OPTIMIZERS or entry in SCHEDULES:
        assert run(["explain", entry]) == 0
        assert capsys.readouterr().out
    elif entry.startswith("rule "):
        assert entry.removeprefix("rule ").strip("`") in {rule.id for rule in load_rules()}
    elif entry.startswith("studies/"):
        assert (ROOT / entry).is_file()
    elif entry.startswith("--"):
        assert entry in {option for parameter in COMMANDS["tune"].params for option in parameter.opts}
    else:
        assert row[2][0] != "`" or entry in Recipe.__dataclass_fields__


@each_row
def test_the_command_of_a_row_is_taken(row, monkeypatch, tmp_path):
    _, name, *rest = shlex.split(row[3].strip("`"))
    if name != "tune":
        options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options
        return
    called = {}

    def tune(*_, **arguments):
        called.update(arguments)
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "autoopt.tuning", SimpleNamespace(tune=tune))
    run([name, *rest, "--quiet"])
    entry = row[2].strip("`")
    space = build_space(
        optimizers=called["optimizers"], schedules=called["schedules"], fixed=called["fixed"],
        sparse_gradients=False, tune_clip=called["tune_clip"],
    )  # fmt: skip
    if entry in OPTIMIZERS or entry in SCHEDULES:
        assert entry in (*space.optimizers, *space.schedules)
    if called["baseline"]:
        parse_recipe(called["baseline"])


@each_row
def test_the_test_of_a_row_is_among_those_that_run(row, collected):
    test = row[4].strip("`")
    function, _, case = test.removesuffix("]").partition("[")
    ids = [each for each in collected if each.partition("[")[0] == function]
    assert any(each.endswith((f"[{case}]", f"-{case}]")) for each in ids) if case else ids
