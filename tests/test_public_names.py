"""The names that users import: exact, and cheap to import."""

import subprocess
import sys
from pathlib import Path

import pytest

import autoopt


def test_the_public_names_are_exactly_these():
    names = [
        "AutoOptClassifier",
        "AutoOptRegressor",
        "AutooptError",
        "ProgressBar",
        "Recipe",
        "Recommendation",
        "Sampler",
        "Script",
        "Stop",
        "Study",
        "Trial",
        "__version__",
        "current_trial",
        "load_study",
        "load_task",
        "make_task",
        "optimizer_entry",
        "resume",
        "suggest",
        "tune",
        "write",
    ]
    assert autoopt.__all__ == names


def test_every_public_name_can_be_had():
    for name in autoopt.__all__:
        assert getattr(autoopt, name) is not None


def test_importing_autoopt_loads_no_heavy_library():
    code = ("import sys, autoopt; "
            "print([m for m in ('torch', 'optuna', 'sqlalchemy', 'numpy', 'scipy', 'rich') if m in sys.modules])")  # fmt: skip
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(("door", "extra"), autoopt._LEAVES.items())
def test_a_door_without_its_library_says_what_to_install(door, extra):
    code = f"""
import sys
sys.modules["{extra}"] = None  # as if it were not there
import autoopt
try:
    autoopt.{door}
except autoopt.AutooptError as error:
    print(error)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip().endswith(f"not installed: pip install 'autoopt[{extra}]'")


def test_no_extra_is_missing_a_door():
    toml = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert all(f"\n{extra} = [" in toml for extra in autoopt._LEAVES.values())
