"""What is not trusted does no harm: names, notes and errors, documents, databases, URLs. See .github/SECURITY.md."""

from __future__ import annotations

import ast
import json
import re
import sqlite3
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from autoopt.cli.plain import hide, passwords_in, without_password
from autoopt.errors import UsageError
from autoopt.export import WRITERS
from autoopt.loops.kept import Kept
from autoopt.recipe import Own, Recipe
from autoopt.verdict.recommendation import Reason, Recommendation
from tests.bad_inputs.case import PLAIN, Case, in_folder, perform, type_command
from tests.bad_inputs.storages import database
from tests.unit.dashboard.conftest import make_recommendation

ROOT = Path(__file__).parents[1]

# Each would do something if whoever reads it took it for more than text.
HOSTILE = {
    "a colour of the terminal": "\x1b[31mred\x1b[2J\x07",
    "a title of the terminal": "\x1b]0;owned\x07",
    "an escape of eight bits": "\x9b31mred",
    "Rich's markup": "[bold red]no[/] [link=https://example.org]x[/link] [/nothing]",
    "a script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "an end of a string": "'); import os; os.system('true') #",
    "an end of a longer string": '""" + __import__("os").system("true") + """',
    "a new line of code": "x\nimport os; os.system('true')\r\nimport sys",
    "a line that only some programs see": "x\u2028import os\u0085import sys\x0cimport re",
    "a backslash at the end": "x\\",
    "a format string": "{0.__class__} %s %n ${HOME} $(true) `true`",
    "a way out of the folder": "../../../../etc/passwd",
    "an absolute path": "/etc/cron.d/x",
    "SQL": "x'; DROP TABLE autoopt_runs; --",
    "letters from right to left": "abc\u202ecod.exe",
    "a null byte": "x\x00y",
    "half a letter": "x\ud800y",
    "a formula": '=HYPERLINK("http://example.org";"x")',
}
hostile = pytest.mark.parametrize("name", HOSTILE.values(), ids=[key.replace(" ", "-") for key in HOSTILE])


def said_of(name: str) -> Recommendation:
    """Return a recommendation that says a hostile thing wherever anybody's words may stand."""
    found = make_recommendation(name, task=name, objective=name, notes=(name,))
    lost = replace(found.baseline, failures={9: name})
    return replace(found, baseline=lost, reasons=(Reason(name, name, "caution"),), versions={name: name})


# Exported code


@hostile
@pytest.mark.parametrize("format", [name for name in WRITERS if name not in ("json", "yaml")])
def test_exported_code_holds_what_somebody_wrote_as_text_alone(format, name):
    usual, odd = (ast.parse(WRITERS[format](said_of(each))) for each in ("digits", name))
    assert statements(odd) == statements(usual)


def statements(tree: ast.Module) -> list[str]:
    """Return the code without its texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return [ast.dump(node) for node in tree.body]


@hostile
def test_exported_documents_are_read_back_as_they_were(name):
    usual = said_of(name)
    assert json.loads(WRITERS["json"](usual)) == usual.to_dict()
    if "\ud800" not in name:  # YAML knows no halves of letters
        assert yaml.safe_load(WRITERS["yaml"](usual)) == usual.to_dict()


@pytest.mark.parametrize("target", ["os:system('true')", "a:b\nimport os", "a:b;c", "a b:c", "a:b #", "a:", ":b", "1a:b"])  # fmt: skip
def test_a_class_that_is_more_than_a_name_is_refused(target):
    with pytest.raises(UsageError, match="own of a recipe must have a target"):
        Own.from_dict({"target": target})


@pytest.mark.parametrize("value", ["__import__('os')", "1e-3); import os", "a b", "[1]", "x\ny"])
def test_a_setting_that_is_code_is_refused(value):
    document = said_of("digits").to_dict()
    document["recommendation"]["settings"]["lr"] = value
    with pytest.raises(UsageError, match="lr must be a number"):
        Recommendation.from_dict(document)


def test_reading_and_writing_a_recommendation_imports_nothing(tmp_path):
    trap = tmp_path / "trap_of_mine.py"
    trap.write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass Trap: ...\n")
    recipe = Recipe("trap_of_mine", {"lr": 0.1}, own=Own("trap_of_mine:Trap", str(trap)))
    document = make_recommendation("digits").to_dict()
    document["recommendation"] = recipe.to_dict()
    found = Recommendation.from_dict(json.loads(json.dumps(document)))
    assert "Trap" in found.export("pytorch")
    assert str(found)
    assert found.explain()
    assert found._repr_html_()
    assert "trap_of_mine" not in sys.modules
    assert not (tmp_path / "sprung").exists()


# The command line


@pytest.fixture(scope="module")
def hostile_database():
    """Return a function that gives a database in which everything that people write is hostile."""

    def make(path: Path, name: str) -> None:
        path.write_bytes(database())
        held = name.replace("\x00", r"\x00").encode(errors="backslashreplace").decode()
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE autoopt_studies SET name = ?, task = ?, source = ?", [held] * 3)
            connection.execute("UPDATE autoopt_runs SET note = ?", [held])
            ((document,),) = connection.execute("SELECT document FROM autoopt_verdicts")
            data = json.loads(document) | {"study": held, "task": held, "notes": [held]}
            data["reasons"] = [{"says": held, "source": held, "stance": "caution"}]
            connection.execute("UPDATE autoopt_verdicts SET document = ?", [json.dumps(data)])
        connection.close()

    return make


@hostile
def test_nothing_in_a_database_moves_the_cursor_or_colours_the_screen(hostile_database, tmp_path, name):
    hostile_database(tmp_path / "autoopt.db", name)
    held = name.replace("\x00", r"\x00").encode(errors="backslashreplace").decode()
    quoted = "'" + held.replace("'", "'\"'\"'") + "'"
    with in_folder(tmp_path, {"COLUMNS": "200", "AUTOOPT_STORAGE": None}):
        for command in ("studies", f"show -- {quoted}", f"show --run 0 -- {quoted}", f"audit -- {quoted}",
                        f"export -- {quoted}", "show nothing", "doctor"):  # fmt: skip
            outcome = type_command(command)
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", outcome.out + outcome.err), command
        assert held in [study["name"] for study in json.loads(type_command("studies --json").out)]
        assert json.loads(type_command(f"show --json -- {quoted}").out)["verdict"]["task"] == held


@hostile
def test_an_error_of_the_users_code_cannot_write_to_the_terminal(tmp_path, name):
    task = PLAIN + f"raise ValueError({name!r})\n"
    outcome = perform(Case("", (), files={"task.py": task.encode(errors="backslashreplace")}), tmp_path)
    assert outcome.status == 2
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", outcome.err)


# Passwords

URL = "postgresql+nodriver://ann:s3cr3t%40w0rd@db.example/x?sslpassword=0ther"


@pytest.mark.parametrize("command", [
    "studies --storage {}", "show digits --storage {}", "tune task.py --budget 2 --storage {}", "doctor --storage {}",
    "doctor --json --storage {}", "resume task.py --storage {}", "dashboard --storage {}", "export x --storage {}",
    "report x --storage {}", "audit x --storage {}", "suggest task.py --probe --keep x --storage {}",
])  # fmt: skip
@pytest.mark.parametrize("url", [
    URL, URL.replace("+nodriver", ""), URL.replace("db.example", "db:port"), URL.replace("postgresql+nodriver", "mysql"),
    URL.replace("postgresql+nodriver", "sqlite"), URL.replace("postgresql+nodriver", "postgres"),
])  # fmt: skip
def test_a_password_is_nowhere_in_what_is_printed(tmp_path, url, command):
    task = {"task.py": PLAIN + "epochs = 1\n"}
    for debug in ("", " --debug"):
        outcome = perform(Case("", (), command.format(f"'{url}'") + debug, task), tmp_path)
        assert outcome.status != 0
        assert not [word for word in ("s3cr3t", "w0rd", "0ther") if word in outcome.out + outcome.err]


def test_the_commands_to_type_next_hide_the_password(tmp_path):
    from autoopt.cli.steps import next_steps

    commands = [command for _, command in next_steps(make_recommendation("digits"), URL, 30)]
    assert all("s3cr3t" not in command and "0ther" not in command for command in commands)


def test_passwords_are_hidden_however_they_are_written():
    text = "tried postgresql://ann:a:b/c@d@db/x and said a:b/c@d"
    assert (
        hide(without_password(text), passwords_in([text.split()[1]]))
        == "tried postgresql://ann:***@db/x and said ***"
    )


# Files


UNPICKLING = re.compile(
    r"(pickle|joblib|dill|shelve|marshal|cloudpickle)\.|(torch|np|numpy)\.load$|yaml\.\w*load\w*$|eval$"
)


def test_only_one_place_unpickles_and_that_looks_at_what_it_wrote():
    calls = [
        (path.relative_to(ROOT / "autoopt").as_posix(), ast.unparse(call))
        for path in (ROOT / "autoopt").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and UNPICKLING.match(ast.unparse(call.func))
    ]
    assert ("training/parking.py", "torch.load(path, weights_only=True)") in calls
    harmless = ("weights_only=True", "yaml.safe_load", "pickle.dumps")
    assert {path for path, call in calls if not any(word in call for word in harmless)} == {"loops/kept.py"}


def test_a_waiting_run_is_not_brought_back_from_a_file_that_somebody_else_wrote(tmp_path):
    layer, path = torch.nn.Linear(1, 1), tmp_path / "run.pt"
    kept = Kept()
    kept.add(layer)
    kept.restore("cpu")
    kept.save(str(path), "cpu", None)
    torch.save({"states": [Trap(tmp_path / "sprung")], "random": None, "beside": None}, path)
    with pytest.raises(RuntimeError, match="is not what this process wrote to it"):
        Kept(path).restore("cpu")
    assert not (tmp_path / "sprung").exists()


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_files_of_waiting_runs_are_for_their_owner_alone(tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = Path(
        tempfile.mkdtemp(prefix="autoopt-")
    )  # as loops/seats.py and training/parking.py make theirs
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@hostile
def test_no_name_of_a_study_leads_checkpoints_out_of_their_folder(tmp_path, name):
    from autoopt.training.checkpoint_folder import CheckpointFolder

    folder = CheckpointFolder(tmp_path, name).path
    assert folder.parent == tmp_path
    assert re.fullmatch(r"[\w-]+", folder.name, re.ASCII)
