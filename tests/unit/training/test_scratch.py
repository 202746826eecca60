"""Folders for waiting runs go with their process, or with the next start after it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autoopt.training.scratch import Scratch, sweep

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="folders are not swept here")
KILLED = """
import os, signal
from autoopt.training.scratch import Scratch
place = Scratch()
(place.path / "run-0.pt").write_bytes(b"x")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_is_swept_up(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED], env={**os.environ, "TMPDIR": str(folder)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert len(list(folder.glob("autoopt-*/run-0.pt"))) == 1
    sweep()
    assert not list(folder.iterdir())


def test_what_is_in_use_stays_and_goes_when_it_is_closed(folder: Path) -> None:
    place = Scratch()
    sweep()
    assert place.path.stat().st_mode & 0o777 == 0o700
    place.close()
    assert not list(folder.iterdir())


def test_what_is_not_such_a_folder_is_left_alone(folder: Path) -> None:
    (folder / "autoopt-12-0123abcd").mkdir()  # without a lock: nobody knows whose it is
    (folder / "autoopt-notes").mkdir()
    target = folder / "target"
    target.mkdir()
    (target / "in-use").touch()
    (folder / "autoopt-13-0123abcd").symlink_to(target)
    sweep()
    assert len(list(folder.iterdir())) == 4
    assert (target / "in-use").exists()
