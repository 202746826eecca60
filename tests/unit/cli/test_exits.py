import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoopt.cli.exits import run
from autoopt.errors import (
    AutooptWarning,
    BudgetError,
    SpaceError,
    StorageError,
    StudyFailed,
    StudyMismatch,
    TaskError,
    UsageError,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture
def fail(command, tuning):
    """Run a command in which an error is raised."""

    def call(error, *arguments):
        tuning.error = error
        return command("tune", "task.py", "--quiet", *arguments)

    return call


@pytest.mark.parametrize(
    "kind", [UsageError, TaskError, SpaceError, BudgetError, StorageError, StudyMismatch]
)
def test_misuse_ends_with_status_2_and_its_message_alone(fail, kind):
    outcome = fail(kind("write [this] instead"))
    assert (outcome.status, outcome.out, outcome.err) == (2, "", "Error: write [this] instead\n")


def test_a_failed_study_ends_with_status_1(fail):
    outcome = fail(StudyFailed("every run failed"))
    assert (outcome.status, outcome.err) == (1, "Error: every run failed\n")


def test_the_unexpected_is_told_in_one_line_with_the_way_to_see_more(fail):
    outcome = fail(KeyError("colour"))
    assert outcome.status == 1
    assert outcome.err.splitlines()[0] == "Error: unexpected KeyError: 'colour'"
    assert "--debug" in outcome.err
    assert "Traceback" not in outcome.err


def test_debug_shows_the_traceback_wherever_it_stands(fail):
    assert "Traceback" in fail(TaskError("no model"), "--debug").err


def test_an_interruption_outside_a_study_ends_with_status_130(command, monkeypatch):
    def interrupt(data):
        raise KeyboardInterrupt

    monkeypatch.setattr("autoopt.cli.display.say_json", interrupt)
    assert command("optimizers", "--json").status == 130


def test_a_long_message_is_not_wrapped(fail):
    assert fail(UsageError("word " * 60)).err.count("\n") == 1


def test_a_message_cannot_colour_the_terminal(fail):
    assert "\x1b" not in fail(TaskError("\x1b[31mred")).err


def test_an_unknown_command_ends_with_status_2_and_offers_the_nearest(command):
    outcome = command("optimizrs")
    assert outcome.status == 2
    assert "'optimizers'" in outcome.err


def test_a_warning_of_ours_is_one_line_without_its_place_in_the_code(command, tuning, monkeypatch):
    import warnings

    def warn(*_, **__):
        warnings.warn("waiting runs stay in memory", AutooptWarning, stacklevel=1)
        return tuning.result

    monkeypatch.setattr(sys.modules["autoopt.tuning"], "tune", warn)
    assert command("tune", "task.py", "--quiet").err == "Note: waiting runs stay in memory\n"


def test_a_broken_pipe_is_quiet():
    code = "import sys; from autoopt.cli import main; main(['optimizers', '--json'])"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_good_command_ends_with_status_0():
    assert run(["--version"]) == 0


def test_what_is_no_exception_is_told_like_one(fail):
    assert fail(GeneratorExit("odd")).err.startswith("Error: unexpected GeneratorExit: odd\n")


def test_a_file_of_the_users_is_no_library(tmp_path):
    (tmp_path / "rich.py").write_text("raise SystemExit('taken')")
    done = subprocess.run([sys.executable, "-m", "autoopt", "optimizers"], cwd=tmp_path, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
