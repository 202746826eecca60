"""Build wheel and sdist, look at what they hold, and take a newcomer's way with each, in fresh environments."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WANT_TORCH = ("torch", "torchmetrics")
# What needs no torch goes without it where PyPI has none that is small enough, as for a newer Python.
LIGHT = (["--version"], ["--help"], ["optimizers"], ["explain", "adamw"], ["--show-completion"])
WHOLE = (["init"], ["check", "task.py"], ["tune", "task.py", "--budget", "7"], ["show", "task"],
         ["export", "task", "-o", "recipe.py"])  # fmt: skip
DASHBOARD = (["report", "task", "-o", "report.html"],)


def main() -> None:
    """Read the command line, build, look, install, try."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters to try")
    parser.add_argument("--no-torch", action="store_true", help="install no torch, and try what needs none")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder)
        run(
            [sys.executable, "-m", "build", "--outdir", folder, str(ROOT)]
        )  # the wheel is built from the sdist
        (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
        look_into(wheel, sdist)
        for python in asked.python:
            for artefact in (wheel, sdist):
                print(
                    f"{python}, {artefact.name}: {try_out(python, artefact, torch=not asked.no_torch)}",
                    flush=True,
                )


def look_into(wheel: Path, sdist: Path) -> None:
    """Fail unless the wheel holds all of the package and nothing else, and the sdist all that is tracked."""
    in_wheel = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "autoopt").rglob("*")
               if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    assert in_wheel == package, in_wheel ^ package
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert package <= in_sdist, package - in_sdist
    assert {"LICENSE", "README.md", "CHANGELOG.md", "scripts/setup", "tests/conftest.py"} <= in_sdist


def try_out(python: str, artefact: Path, *, torch: bool) -> str:
    """Return what was tried; raises where something fails."""
    with tempfile.TemporaryDirectory() as folder:
        run([python, "-m", "venv", f"{folder}/venv"])
        fresh = f"{folder}/venv/bin/python"
        pip = [fresh, "-m", "pip", "install", "--quiet", "--no-compile"]
        held = ["--constraint", str(ROOT / "scripts" / "constraints.txt")]
        if torch:
            run([*pip, *held, str(artefact)])
        else:
            needed = [need for need in PROJECT["dependencies"] if not need.startswith(WANT_TORCH)]
            run([*pip, *held, *needed])
            run([*pip, "--no-deps", str(artefact)])
        run([fresh, "-W", "error", "-c", "import autoopt"], folder)
        commands = [*LIGHT, *(WHOLE if torch else ())]
        for command in commands:
            run([fresh, "-m", "autoopt", *command], folder)
        if torch:
            run([*pip, *held, "autoopt[dashboard]"])
            for command in DASHBOARD:
                run([fresh, "-m", "autoopt", *command], folder)
            commands += DASHBOARD
        version = run([fresh, "--version"]).strip()
        return f"{version}, {len(commands)} commands{'' if torch else ', without torch'}"


def run(line: list[str], folder: str | None = None) -> str:
    """Run a program away from the checkout, and return what it printed."""
    around = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    around |= {"OMP_NUM_THREADS": "1", "SHELL": "/bin/bash"}
    done = subprocess.run(line, cwd=folder, env=around, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(line)}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
