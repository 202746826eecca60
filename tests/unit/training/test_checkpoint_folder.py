"""Checkpoints come back whole, or not at all."""

from __future__ import annotations

import os
import stat
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from autoopt.errors import AutooptError, AutooptWarning
from autoopt.run import EpochReport
from autoopt.training.checkpoint_folder import CheckpointFolder

from .examples import make_run

RUN = make_run(3)


def _reports(epochs: int = 2, score: float = 0.5) -> list[EpochReport]:
    return [
        EpochReport(3, e, 1.0 / e, 0.4, score, learning_rate=1e-3, seconds=0.25, steps=7)
        for e in range(1, epochs + 1)
    ]


def _folder(tmp_path: Path, **changes: Any) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "a.db.checkpoints", "digits", **changes)


def _save(
    folder: CheckpointFolder, run_id: int = 3, epochs: int = 2, score: float = 0.5, size: int = 10
) -> None:
    reports = [replace(each, run_id=run_id) for each in _reports(epochs, score)]
    folder.save(make_run(run_id), reports, {"weights": torch.ones(size)})


def test_a_checkpoint_comes_back_with_its_reports(tmp_path: Path) -> None:
    state = {"weights": torch.arange(5.0), "epoch": 2, "losses": [0.5, float("nan")], "none": None}
    _folder(tmp_path).save(RUN, _reports(), state)
    found = _folder(tmp_path).load(RUN)
    assert found is not None
    assert found.reports == _reports()
    assert torch.equal(found.state["weights"], state["weights"])
    assert str(found.state["losses"]) == "[0.5, nan]"


def test_without_a_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert _folder(tmp_path).load(RUN) is None
    assert not list(tmp_path.iterdir())


def test_who_comes_late_takes_no_newer_one_away(tmp_path: Path) -> None:
    _save(_folder(tmp_path), epochs=2)
    _save(
        _folder(tmp_path), epochs=1
    )  # a process that was halted, and does not know yet that it lost its lease
    found = _folder(tmp_path).load(RUN)
    assert found is not None
    assert len(found.reports) == 2


def test_the_newest_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    _save(folder, epochs=1)
    _save(folder, epochs=3, score=-1e-7)
    assert [path.name for path in folder.path.iterdir()] == ["run-3.epoch-3.score--1e-07.pt"]
    assert len(folder.load(RUN).reports) == 3


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        _save(folder := _folder(tmp_path))
    finally:
        os.umask(before)
    (file,) = folder.path.iterdir()
    modes = [stat.S_IMODE(os.stat(path).st_mode) for path in (folder.path.parent, folder.path, file)]
    assert modes == [0o700, 0o700, 0o600]


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", ".", "x" * 300, "Ünï \x00\n'\"", "con", "\udcff"])
def test_any_name_of_a_study_makes_one_folder_of_its_own(tmp_path: Path, name: str) -> None:
    folder = CheckpointFolder(tmp_path / "all", name)
    folder.save(RUN, _reports(), {})
    assert folder.path.parent == tmp_path / "all"
    assert [path.name for path in tmp_path.iterdir()] == ["all"]
    assert CheckpointFolder(tmp_path / "all", name + "2").load(RUN) is None


@pytest.mark.parametrize("place", [0.1, 0.5, 0.8])
def test_a_flipped_byte_is_noticed(tmp_path: Path, place: float) -> None:
    _save(folder := _folder(tmp_path), size=1000)
    (file,) = folder.path.iterdir()
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 0xFF
    file.write_bytes(content)
    with pytest.warns(AutooptWarning, match="trained again from its start"):
        assert folder.load(RUN) is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no such thing" * 100])
def test_a_file_that_is_no_checkpoint_is_left_aside(tmp_path: Path, content: bytes) -> None:
    _save(folder := _folder(tmp_path))
    (file,) = folder.path.iterdir()
    file.write_bytes(content)
    with pytest.warns(AutooptWarning, match="is not used"):
        assert folder.load(RUN) is None


def test_a_file_cut_short_is_left_aside(tmp_path: Path) -> None:
    _save(folder := _folder(tmp_path))
    (file,) = folder.path.iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.warns(AutooptWarning, match="is not used"):
        assert folder.load(RUN) is None


class Hostile:
    """Would run a command if anybody unpickled it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    _save(folder := _folder(tmp_path))
    (file,) = folder.path.iterdir()
    torch.save({"format": 1, "owner": Hostile(tmp_path / "owned")}, file)
    with pytest.warns(AutooptWarning, match="is not used"):
        assert folder.load(RUN) is None
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "other",
    [
        make_run(3, seed=9),
        make_run(3, epochs=7),
        make_run(3, "sgd"),
        make_run(3, settings={"lr": 0.5}),
        make_run(3, rungs=(1,)),
    ],
)
def test_the_checkpoint_of_another_run_is_not_taken(tmp_path: Path, other: Any) -> None:
    _save(folder := _folder(tmp_path))
    with pytest.warns(AutooptWarning, match="another run or another task"):
        assert folder.load(other) is None


def test_the_checkpoint_of_another_task_is_not_taken(tmp_path: Path) -> None:
    _save(_folder(tmp_path, fingerprint="before"))
    with pytest.warns(AutooptWarning, match="another run or another task"):
        assert _folder(tmp_path, fingerprint="after").load(RUN) is None


def test_beyond_the_limit_the_least_promising_go_first(tmp_path: Path) -> None:
    folder = _folder(tmp_path, limit=30_000)  # each takes about 6 kB
    for run_id, epochs, score in [
        (0, 6, 0.9),
        (1, 2, 0.1),
        (2, 2, 0.8),
        (3, 2, 0.7),
        (4, 2, 0.2),
        (5, 6, 0.1),
    ]:
        _save(folder, run_id, epochs, score, size=1000)
        time.sleep(0)
    left = sorted(int(path.name.split(".")[0].split("-")[1]) for path in folder.path.iterdir())
    assert set(left) >= {0, 1, 5}
    assert 2 not in left
    assert sum(path.stat().st_size for path in folder.path.iterdir()) <= 30_000


def test_other_studies_of_the_database_count_as_well(tmp_path: Path) -> None:
    _save(one := CheckpointFolder(tmp_path / "all", "one", limit=10_000), size=1500)
    _save(CheckpointFolder(tmp_path / "all", "two", limit=10_000), size=1500)
    assert not list(one.path.iterdir())


def test_what_is_larger_than_the_limit_is_not_kept(tmp_path: Path) -> None:
    folder = _folder(tmp_path, limit=1000)
    with pytest.raises(AutooptError, match="all together may take 1000"):
        _save(folder, size=1000)
    assert not list(folder.path.iterdir())


def test_what_nobody_finished_is_cleared_away(tmp_path: Path) -> None:
    _save(folder := _folder(tmp_path))
    new, old = folder.path / ".new.tmp", folder.path / ".old.tmp"
    new.touch(), old.touch()
    os.utime(old, (0, 0))
    _save(_folder(tmp_path))
    assert (new.exists(), old.exists()) == (True, False)


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _save(folder := _folder(tmp_path), epochs=1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("torch.save", full)
        with pytest.raises(OSError, match="No space"):
            _save(folder, epochs=2)
    assert len(list(folder.path.iterdir())) == 1
    assert len(folder.load(RUN).reports) == 1


def test_a_study_that_is_done_leaves_nothing(tmp_path: Path) -> None:
    _save(folder := _folder(tmp_path))
    folder.drop(99)
    folder.clear()
    assert not list(tmp_path.iterdir())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folder.clear()
