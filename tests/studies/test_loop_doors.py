"""The examples of the doors for training loops: each runs, and differs from what it was before by five lines."""

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOORS = ROOT / "studies" / "doors"
README = (DOORS / "README.md").read_text(encoding="utf-8")
COMMANDS = {
    "own_loop": [str(DOORS / "own_loop.py")],
    "script": ["-m", "autoopt", "tune", "--script", str(DOORS / "script.py"), "--budget", "7", "--quiet",
               "--storage", "study.db", "--", "--epochs", "2", "--hidden", "16"],
    "distributed": ["-m", "torch.distributed.run", "--nproc-per-node", "2", str(DOORS / "distributed.py")],
}  # fmt: skip


def new_lines(before, after):
    """Lines of a program that it did not have before; blank ones don't count."""
    written = [[line for line in text.splitlines() if line] for text in (before, after)]
    opcodes = difflib.SequenceMatcher(None, *written, autojunk=False).get_opcodes()
    return sum(end - start for tag, _, _, start, end in opcodes if tag != "equal")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_door_takes_at_most_five_new_lines(name):
    new = new_lines(*((folder / f"{name}.py").read_text() for folder in (DOORS / "before", DOORS)))
    told = re.search(rf"`{name}\.py` \|.*\| (\d+) \|", README)
    assert told is not None
    assert int(told[1]) == new <= 5


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_the_program_behind_a_door_runs(name, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, *COMMANDS[name]]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert re.search("better|beats|tie|close|baseline", done.stdout)
