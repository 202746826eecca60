"""Each extra in a fresh environment: installed, and its tests run, with current and with the oldest versions."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ["pytest", "pytest-timeout", "hypothesis"]
INTEGRATIONS = "tests/unit/integrations"
TESTS = {
    "": f"{INTEGRATIONS}/test_sklearn.py",  # no extra: scikit-learn
    "skorch": f"{INTEGRATIONS}/test_skorch.py",
    "lightning": f"{INTEGRATIONS}/test_lightning.py",
    "transformers": f"{INTEGRATIONS}/test_transformers.py",
    "keras": f"{INTEGRATIONS}/test_keras.py tests/unit/tasks/test_keras_models.py",
    "optimizers": "tests/conformance/test_optimizers.py",
    "dashboard": "tests/unit/dashboard",
    "bench": "tests/studies/test_bench_search.py",
    "postgresql": "tests/unit/records/test_location.py",
    "mlflow": f"{INTEGRATIONS}/test_loggers.py",
    "tensorboard": f"{INTEGRATIONS}/test_loggers.py",
    "frames": "tests/unit/test_history.py",
}
# What the tests need beside the extra itself.
BESIDE = {"": ["pandas"]}
# Exported code for other backends: no extras, since autoopt itself never runs there.
EXPORTS = {
    "optax": ("", ["optax"], f"{INTEGRATIONS}/test_optax.py", {}),
    "keras-jax": ("keras", ["jax"], f"{INTEGRATIONS}/test_keras.py", {"KERAS_BACKEND": "jax"}),
    "keras-tensorflow": (
        "keras", ["tensorflow-cpu"], f"{INTEGRATIONS}/test_keras.py", {"KERAS_BACKEND": "tensorflow"}
    ),
}  # fmt: skip
OLDEST_OF_ALL = {"": ["scikit-learn"]}  # requirements that autoopt has anyway, tried at their oldest
# What is no fault of autoopt's: the checks of scikit-learn 1.6 are a generator, of which pytest 9 warns; pandas 2.2.0
# announces pyarrow.
FORGIVEN_OF_OLDEST = {
    "": ["ignore:Passing a non-Collection iterable"],
    "frames": ["ignore::DeprecationWarning"],
}


def requirements(extra):
    """The extra's requirements, those that autoopt has anyway among them where asked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [r for r in project["dependencies"] if re.split(r"[><=\[]", r)[0] in OLDEST_OF_ALL.get(extra, ())]
    return [*named, *project["optional-dependencies"].get(extra, [])]


def run(command, **more):
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, **more)


def install(python, packages, constraints):
    torch = re.search(r"^torch==.*$", (ROOT / "scripts/constraints.txt").read_text(), re.MULTILINE)[0]
    done = run([python, "-m", "pip", "install", "--quiet", "--no-compile", *constraints, *packages, torch])
    if done.returncode:
        sys.exit(f"pip could not install {' '.join(packages)}:\n{done.stderr[-3000:]}")


def versions(python, packages):
    names = [re.split(r"[><=\[]", package)[0] for package in packages]
    code = "import sys; from importlib.metadata import version as of; print(*map(of, sys.argv[1:]))"
    found = run([python, "-c", code, *names]).stdout.split()
    return ", ".join(f"{name} {version}" for name, version in zip(names, found, strict=True))


def test(python, tests, environment, forgiven):
    """Run the tests; return the last line of pytest, and whether they passed.

    Args:
        forgiven: filters of warnings that shall not fail them.
    """
    around = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", **environment}
    filters = [part for each in forgiven for part in ("-W", each)]
    done = run([python, "-m", "pytest", "-m", "not slow", *filters, *tests.split()], env=around)
    lines = done.stdout.strip().splitlines() or [done.stderr.strip()[-500:]]
    if done.returncode:
        print("\n".join(lines[-40:]))
    last = next(
        (line for line in reversed(lines) if re.search(r"\d+ (passed|failed|error)", line)), lines[-1]
    )
    return last.strip(" ="), done.returncode == 0


def check(name, folder, *, oldest):
    extra, beside, tests, environment = EXPORTS.get(name) or (name, BESIDE.get(name, []), TESTS[name], {})
    run([sys.executable, "-m", "venv", str(folder)])
    python = str(folder / "bin" / "python")
    package = f"{ROOT}[{extra}]" if extra else str(ROOT)
    install(python, [package, *TOOLS, *beside], ["--constraint", "scripts/constraints.txt"])
    told = requirements(extra) or []
    last, good = test(python, tests, environment, [])
    print(f"{name or 'no extra'}: {last}; {versions(python, [*told, *beside])}", flush=True)
    bounds = [re.sub(r"\[.*\]", "", r).replace(">=", "==") for r in told if ">=" in r]
    if oldest and bounds and name not in EXPORTS:
        install(python, [b if b.count(".") else f"{b}.0" for b in bounds], [])
        last, old = test(python, tests, environment, FORGIVEN_OF_OLDEST.get(name, []))
        print(f"{name or 'no extra'}, oldest: {last}; {versions(python, told)}", flush=True)
        good = good and old
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "extras", nargs="*", help=f"of {', '.join(n or '-' for n in [*TESTS, *EXPORTS])}; - for none"
    )
    parser.add_argument("--current-only", action="store_true", help="leave out the oldest versions")
    given = parser.parse_args()
    failed = []
    for name in [n.strip("-") for n in given.extras] or [*TESTS, *EXPORTS]:
        where = Path(tempfile.mkdtemp(prefix="autoopt-extra-"))
        try:
            if not check(name, where, oldest=not given.current_only):
                failed.append(name)
        finally:
            shutil.rmtree(where, ignore_errors=True)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
