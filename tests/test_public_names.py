"""The names that users import: exact, and cheap to import."""

import subprocess
import sys

import autoopt


def test_the_public_names_are_exactly_these():
    names = [
        "AutoOptClassifier",
        "AutoOptRegressor",
        "AutooptError",
        "Recipe",
        "Recommendation",
        "Sampler",
        "Stop",
        "Trial",
        "__version__",
        "load_task",
        "optimizer_entry",
        "tune",
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
