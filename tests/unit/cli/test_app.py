import subprocess
import sys
import time

import pytest
from typer.main import get_command

import autoopt
from autoopt.cli.app import app

COMMANDS = {name: command for name, command in get_command(app).commands.items() if not command.hidden}
LISTINGS = ("studies", "show", "optimizers", "schedules", "doctor", "check", "suggest", "export", "audit")
HEAVY = ("torch", "optuna", "sqlalchemy", "scipy", "sklearn", "torchmetrics", "yaml", "numpy")


def test_the_commands_are_exactly_these():
    assert sorted(COMMANDS) == sorted(
        [
            "init",
            "check",
            "tune",
            "resume",
            "studies",
            "show",
            "audit",
            "export",
            "dashboard",
            "report",
            "suggest",
            "optimizers",
            "schedules",
            "explain",
            "doctor",
        ]
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples_and_says_what_every_option_does(command, name):
    outcome = command(name, "--help")
    assert outcome.status == 0
    assert f"autoopt {name}" in outcome.out.split("Example")[1]
    assert all(parameter.help for parameter in COMMANDS[name].params)


@pytest.mark.parametrize("name", LISTINGS)
def test_every_listing_command_can_print_json(name):
    assert any("--json" in parameter.opts for parameter in COMMANDS[name].params)


def test_help_answers_at_once_and_imports_nothing_heavy():
    code = (
        "import sys\n"
        "try:\n    from autoopt.cli import main; main(['--help'])\n"
        f"except SystemExit: print('loaded:', [m for m in {HEAVY} if m in sys.modules])"
    )
    started = time.perf_counter()
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.endswith("loaded: []\n")
    assert "Pick the training optimizer" in out
    assert (
        time.perf_counter() - started < 5
    )  # a fifth of a second on an idle machine; torch would cost seconds


def test_the_version_is_printed(command):
    assert command("--version").out == f"{autoopt.__version__}\n"


def test_openmp_threads_are_told_to_wait_quietly_before_torch_is_there():
    code = (
        "import os\n"
        "try:\n    from autoopt.cli import main; main(['--version'])\n"
        "except SystemExit: print(os.environ['OMP_WAIT_POLICY'])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "PASSIVE"
