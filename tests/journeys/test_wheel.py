"""The wheel holds all that the product needs, outside of the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the unpacked wheel, and an environment in which autoopt comes from there."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return {**os.environ, "PYTHONPATH": str(folder / "site"), "OMP_NUM_THREADS": "1"}


def run_autoopt(*arguments, cwd, env):
    line = [sys.executable, "-m", "autoopt", *arguments]
    return subprocess.run(line, cwd=cwd, env=env, capture_output=True, text=True, timeout=240, check=False)


def test_autoopt_comes_from_the_wheel(installed, tmp_path):
    code = "import autoopt; print(autoopt.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=installed, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(installed["PYTHONPATH"])


def test_a_newcomer_gets_from_the_template_to_a_recommendation(installed, tmp_path):
    for arguments in (
        ["init"],
        ["check", "task.py"],
        ["suggest", "task.py"],
        ["tune", "task.py", "--budget", "8"],
    ):
        done = run_autoopt(*arguments, cwd=tmp_path, env=installed)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    assert (tmp_path / "autoopt.db").exists()


def test_the_wheel_carries_types_and_licence(installed):
    site = Path(installed["PYTHONPATH"])
    assert (site / "autoopt" / "py.typed").exists()
    assert list(site.glob("autoopt-*.dist-info/licenses/LICENSE"))
