"""A study that is killed is carried on by the same command, to the same verdict."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "kill_resume.py"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_killed_at_any_instant_it_ends_the_same_and_repeats_no_whole_training(tmp_path):
    file = tmp_path / "kills.json"
    command = [sys.executable, str(SCRIPT), "--kills", "3", "--seed", "5", "--json", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(file.read_text())
    assert (found["other_verdicts"], found["faults"]) == (0, [])
    assert len(found["repeated_epochs"]["sorted"]) == 3
    assert (
        found["repeated_epochs"]["max"] < 18
    )  # of a training; mostly under a rung: studies/2026-11-22-resume
