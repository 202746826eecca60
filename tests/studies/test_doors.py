"""The examples of the doors: each runs, and differs from what it was before by few lines."""

import difflib
import re
import runpy
import warnings
from pathlib import Path

import pytest

DOORS = Path(__file__).parents[2] / "studies" / "doors"
NEEDS = {
    "keras_diabetes": "keras",
    "lightning_digits": "lightning",
    "scikit_learn": "sklearn",
    "skorch_wine": "skorch",
    "transformers_counting": "transformers",
}
OF_OTHERS = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:.*pin_memory"
)
README = (DOORS / "README.md").read_text(encoding="utf-8")


def changed_lines(before, after):
    """Lines of a program that another one has otherwise, or more, or fewer."""
    opcodes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return sum(max(b - a, d - c) for tag, a, b, c, d in opcodes if tag != "equal")


def test_every_door_is_known_here_and_in_the_readme():
    files = {path.stem for path in DOORS.glob("*.py")}
    assert files >= set(NEEDS)
    assert all(f"`{name}.py`" in README for name in files)


@pytest.mark.parametrize("name", NEEDS)
def test_a_door_takes_at_most_five_changed_lines(name):
    before, after = ((folder / f"{name}.py").read_text().splitlines() for folder in (DOORS / "before", DOORS))
    changed = changed_lines(before, after)
    assert changed <= 5
    told = re.search(rf"`{name}\.py` \|.*\| (\d+) \|", README)
    assert told is not None
    assert int(told[1]) == changed


@OF_OTHERS
@pytest.mark.parametrize("name", NEEDS)
def test_the_program_behind_a_door_runs(name, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with warnings.catch_warnings():  # of what libraries import
        warnings.simplefilter("ignore")
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(DOORS / f"{name}.py"), run_name="__main__")
    assert re.search("better|tie", capsys.readouterr().out)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
