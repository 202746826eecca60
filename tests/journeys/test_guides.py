"""Every command and every block of Python in the README and the guides runs, in the order in which it stands there."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
import typer.main
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from autoopt.cli.app import app
from autoopt.cli.exits import run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCUMENTS = [README, *sorted((ROOT / "studies" / "guides").glob("*.md"))]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
# Parsed to their last option, but not run here: why.
NOT_RUN = {
    "autoopt dashboard": "serves until it is ended; test_dashboard.py opens it in a browser",
    "autoopt tune task.py --device cuda:1": "needs a second card",
    "autoopt tune task.py --budget 100 --workers auto": "needs a PostgreSQL server",
    "autoopt tune task.py --workers auto": "test_together.py starts as many",
    "autoopt tune task.py --optimizers all --schedules all --budget 60 --study everything": "takes minutes",
    "autoopt tune --script studies/doors/script.py --budget 7 -- --hidden 16": "tests/studies/test_loop_doors.py does",
}
FIRST = "scripts/autoopt tune studies/digits_mlp.py"


def blocks_of(document):
    """Language and text of every fenced block, and the line where it begins."""
    text = document.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield found[1], found[2], text[: found.start()].count("\n") + 2


def lines_of(block):
    """Words of every command of a block of shell."""
    for line in block.splitlines():
        for command in line.split(" && "):
            if words := shlex.split(command, comments=True):
                yield words


@pytest.fixture
def at_hand(tmp_path, monkeypatch):
    """A folder with the README's task, and what the blocks take to be the reader's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("AUTOOPT_STORAGE", raising=False)
    task = next(block for language, block, _ in blocks_of(README) if language == "python")
    assert task.startswith("# task.py\n")
    Path("task.py").write_text(task, encoding="utf-8")
    before = set(sys.modules)
    scope = {"__name__": "reader"}
    exec(task, scope)
    X, y = (torch.as_tensor(part, dtype=torch.float32) for part in scope["train_data"]())
    loss_function = nn.MSELoss()

    def validate(model):
        with torch.no_grad():
            return loss_function(model(X[800:]), y[800:])

    yield {
        "__name__": "reader", "make_model": scope["model"], "X": X[:800].numpy(), "y": y[:800].numpy(),
        "X_new": X[800:].numpy(), "loader": DataLoader(TensorDataset(X[:800], y[:800]), 64, shuffle=True),
        "loss_function": loss_function, "validate": validate,
    }  # fmt: skip
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_what_a_document_shows_runs(document, at_hand, capsys):
    for number, (language, block, line) in enumerate(blocks_of(document)):
        where = f"{document.name}, line {line}"
        assert language in {"python", "sh", "text"}, where
        if language == "sh":
            for words in lines_of(block):
                obey(words, where, capsys)
        elif language == "python" and (name := re.match(r"# (\w+\.py)\n", block)):
            Path(name[1]).write_text(block, encoding="utf-8")
        elif language == "python":
            source = Path(f"block_{number}.py")  # in a file, since autoopt reads the code of loops
            source.write_text(block, encoding="utf-8")
            exec(compile(block, source.resolve(), "exec"), at_hand)


def obey(words, where, capsys):
    """Run a command, or see to it that it would run."""
    match words:
        case ["autoopt", *rest]:
            if " ".join(words) in NOT_RUN:
                parse(rest)
            else:
                status = run(rest)
                printed = capsys.readouterr()
                assert status == 0, f"{where}: {shlex.join(words)}\n{printed.err}"
        case ["scripts/autoopt", *rest]:
            parse(rest)
        case [script, *rest] if script.startswith("scripts/"):
            knows_its_options(ROOT / script, rest)
        case ["python" | "torchrun", *rest]:
            assert [word for word in rest if word.endswith(".py") and (ROOT / word).is_file()], where
        case ["pip", "install", what]:
            extra = re.fullmatch(r"(?:\.|autoopt)(?:\[(\w+)\])?", what)
            assert extra, where
            assert extra[1] is None or extra[1] in EXTRAS, where
        case ["git", "clone", *_] | ["cd", _] | ["export", _]:
            pass
        case _:
            pytest.fail(f"{where}: nobody checks {shlex.join(words)}")


def parse(rest):
    """Let autoopt read a command line with all its options, and do nothing."""
    name, *arguments = rest
    command = typer.main.get_command(app).commands[name]
    if "--" in arguments:
        arguments = arguments[: arguments.index("--")]
    assert command.make_context(name, list(arguments)).params


def knows_its_options(script, rest):
    """Fail unless the script is there and what follows its name is mentioned in it or its program."""
    assert script.is_file()
    programs = [script, script.with_suffix(".py"), *(ROOT / "studies" / script.name).glob("*.py")]
    known = "".join(path.read_text(encoding="utf-8") for path in programs if path.is_file())
    assert all(word in known for word in rest if word.startswith("--")), shlex.join(rest)


def test_what_is_not_run_here_stands_somewhere():
    shown = {
        " ".join(words)
        for document in DOCUMENTS
        for language, block, _ in blocks_of(document)
        if language == "sh"
        for words in lines_of(block)
    }
    assert set(NOT_RUN) <= shown


def test_the_first_command_prints_what_the_readme_shows(tmp_path):
    blocks = list(blocks_of(README))
    assert FIRST in blocks[0][1]
    shown = next(block for language, block, _ in blocks if language == "text")
    line = [sys.executable, "-m", "autoopt", "tune", str(ROOT / FIRST.split()[-1])]
    printed = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    # Not number by number: in other processors' last digits another finalist may be ahead.
    assert outline(printed)[: len(outline(shown))] == outline(shown)
    low, high = (float(number) for number in re.search(r"loss .*?\[(.*?), (.*?)\]", shown).groups())
    loss = float(re.search(r"^  loss +([\d.]+)", printed, re.MULTILINE)[1])
    assert low - (high - low) < loss < high + (high - low)


def outline(text):
    """The lines without what a run decides: names of recipes, their settings, and numbers."""
    verdict, *rest = text.strip().splitlines()
    names = [line.rstrip() for line in rest if not re.match(r"  (\w+ {2,}[\d.]+$|optimizer|schedule)", line)]
    lines = [re.sub(r"\w[\w ]*(?= with these| \()|(?<=\()\w+(?=\))|[\d.]+", "·", verdict), *names]
    return [re.sub(r"[\d.]+", "0", re.sub(r"  (?:mean|\w+ · ).*|[\dms]+$", "", line)) for line in lines]
