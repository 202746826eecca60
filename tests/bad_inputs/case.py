"""A bad input: what is wrong, the command that meets it, and what autoopt must say."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autoopt.cli.exits import run

ROOT = Path(__file__).parents[2]
Prepare = Callable[[Path], object]

PLAIN = """
import torch
from torch import nn

X = torch.randn(60, 4)
y = torch.arange(60) % 3
train_data = (X, y)


def model():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
"""
"""A task that works; most cases spoil it in one place."""


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        wrong: what is wrong, in a few words.
        says: phrases that the message must have.
        command: as typed behind ``autoopt``; or with ``shell`` a line of sh in which ``autoopt`` is that command.
        files: by name, what lies in the folder where it is typed.
        prepare: does to that folder what files cannot say.
        status: how the command must end.
        environment: variables; those that are None are taken away.
        shell: whether it takes a process of its own.
        slow: whether that process imports torch, which takes it seconds.
    """

    wrong: str
    says: tuple[str, ...]
    command: str = "check task.py"
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    prepare: Prepare | None = None
    status: int = 2
    environment: Mapping[str, str | None] = field(default_factory=dict)
    shell: bool = False
    slow: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


def perform(case: Case, folder: Path) -> Outcome:
    """Put the files of a case into an empty folder and run its command there."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with in_folder(folder, {"COLUMNS": "100", "AUTOOPT_STORAGE": None, **case.environment}):
        if case.prepare is not None:
            case.prepare(folder)
        outcome = _in_shell(case.command) if case.shell else type_command(case.command)
    # neither the folder's name nor the addresses of objects are the same twice
    out, err = (
        re.sub(r"0x[0-9a-f]{6,}", "0x…", text.replace(str(folder), "/folder"))
        for text in (outcome.out, outcome.err)
    )
    return Outcome(outcome.status, out, err)


def type_command(command: str) -> Outcome:
    """Run a command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("default")
        with open(os.devnull) as nobody, contextlib.ExitStack() as after:
            after.callback(setattr, sys, "stdin", sys.stdin)
            sys.stdin = nobody
            status = run(shlex.split(command))
    return Outcome(status, out.getvalue(), err.getvalue())


def _in_shell(line: str) -> Outcome:
    program = (
        f'autoopt_python() {{ "{sys.executable}" "$@"; }}\nautoopt() {{ autoopt_python -m autoopt "$@"; }}\n'
    )
    done = subprocess.run(["sh", "-c", program + line], capture_output=True, text=True, check=False, errors="replace",
                          timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    return Outcome(done.returncode, done.stdout, done.stderr)


@contextlib.contextmanager
def in_folder(folder, environment):
    """Work in a folder with other environment variables."""
    before, variables = os.getcwd(), dict(os.environ)
    os.chdir(folder)
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(variables)
