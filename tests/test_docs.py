"""What the documentation says is so: commands and options exist, fields are documented, examples run."""

import doctest
import importlib
import inspect
import pkgutil
import re
import shlex
from pathlib import Path

import pytest
import typer.main

import autoopt
from autoopt.cli.app import app
from autoopt.recipe import Recipe
from autoopt.run import Direction
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.recommendation import Recommendation
from autoopt.verdict.statistics import Interval

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "studies" / "guides").glob("*.md"))]
GUIDES = {path.name: path.read_text(encoding="utf-8") for path in DOCUMENTS[1:]}
COMMANDS = typer.main.get_command(app).commands
MODULES = sorted(
    m.name for m in pkgutil.walk_packages(autoopt.__path__, "autoopt.") if m.name != "autoopt.__main__"
)


def command_lines():
    """Every line with an autoopt command in the README, the guides and studies/README.md."""
    text = README + "".join(GUIDES.values()) + (ROOT / "studies" / "README.md").read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"^```(?:sh)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    fenced = re.findall(r"^(?:scripts/)?autoopt ([^\n#]+)", blocks, re.MULTILINE)
    inline = re.findall(r"`autoopt ([^`…]+)`", text)
    return sorted({line.strip() for line in fenced + inline})


@pytest.mark.parametrize("line", command_lines())
def test_a_command_of_the_readme_exists_with_its_options(line):
    name, *rest = shlex.split(line)
    assert name in COMMANDS or name.startswith("--")
    known = (
        {option for parameter in COMMANDS[name].params for option in parameter.opts}
        if name in COMMANDS
        else {name}
    )
    assert {word for word in rest if word.startswith("--")} <= known


def test_every_field_of_the_json_result_is_documented():
    direction: Direction = "minimize"
    confirmed = Confirmation(Recipe("sgd"), {1: 1.0})
    document = Recommendation(
        "s", "t", "loss", direction, confirmed, confirmed, Interval(0, 0, 0), None, 1.0, "tie"
    )
    _, _, table = GUIDES["export.md"].partition("## The JSON result")
    documented = set(re.findall(r"`(\w+)`", table))
    assert set(document.to_dict()) - {"search_score", "failures", "interval"} <= documented


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_no_file_that_is_not_there(document):
    text = document.read_text(encoding="utf-8")
    for named in re.findall(r"`((?:studies|scripts|tests)/[\w./-]+)`", text):
        assert (ROOT / named).exists(), named
    for linked in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", text):
        assert (document.parent / linked).exists(), linked


def test_the_readme_is_short_and_every_guide_is_linked():
    assert 150 <= len(README.splitlines()) <= 200
    linked = set(re.findall(r"\]\(studies/guides/([\w-]+\.md)\)", README))
    assert linked == set(GUIDES) - {"README.md"}
    assert all(f"]({name})" in GUIDES["README.md"] for name in linked)


@pytest.mark.parametrize("name", [name for name in autoopt.__all__ if not name.startswith("__")])
def test_a_public_name_says_what_it_takes_and_has_an_example_that_runs(name):
    thing = getattr(autoopt, name)
    says = thing.__doc__
    shown = "".join(re.findall(r"^```python\n(.*?)^```", "".join(GUIDES.values()), re.MULTILINE | re.DOTALL))
    assert ">>> " in says or re.search(rf"\b{name}\b", shown, re.IGNORECASE)
    if not inspect.isclass(thing) and inspect.signature(thing).parameters:
        assert "Args:" in says


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
