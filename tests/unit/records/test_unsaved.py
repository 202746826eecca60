"""What a database would not take: kept in a file, put into the database at the next start, and never trusted."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from autoopt.errors import AutooptWarning, StorageError, StorageFault
from autoopt.records import unsaved
from autoopt.records.integrity import find_faults
from autoopt.records.store import Store
from autoopt.run import RunRecord, RunState

from .examples import in_forks, make_report, make_run

ROWS = {
    "runs": [make_run(1)],
    "reports": [
        make_report(0, 2, score=math.nan, metrics={"f1": 0.5}),
        make_report(1, 1, gradient_norm=math.inf),
    ],
    "records": [RunRecord(make_run(0), RunState.DIVERGED, 0.5, 2, 1.0, "the loss diverged")],
}


class Busy:
    """A store whose database is locked until it is closed."""

    def __init__(self, store, unlock):
        self.save, self.save_verdict, self.url = store.save, store.save_verdict, store.url
        self._store, self._unlock = store, unlock

    def close(self):
        """Close it, and let others write."""
        self._store.close()
        self._unlock()


@pytest.fixture
def busy(file_store, path):
    """A study with one run of one epoch, in a database that another program keeps locked."""
    first = RunRecord(make_run(0), RunState.RUNNING, 1.2, 1, 0.5)
    file_store.save("digits", runs=[make_run(0)], reports=[make_report(0, 1)], records=[first])
    with file_store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield Busy(file_store, other.close)
    other.close()


def side_files(folder):
    return sorted(folder.glob("*-unsaved-*"))


@pytest.fixture
def side_file(busy, tmp_path):
    """The file with what could not be saved; the database is free again."""
    with pytest.raises(StorageFault):
        busy.save("digits", **ROWS)
    busy.close()
    (found,) = side_files(tmp_path)
    return found


def contents(store):
    return store.runs("digits"), repr(store.reports("digits")), store.verdict("digits")


def test_a_fault_says_where_what_could_not_be_saved_is_kept(busy, tmp_path):
    with pytest.raises(
        StorageFault, match=r"keeps it locked.*\nWhat .* \(1 run, 2 epochs, 1 outcome\) is kept in /"
    ):
        busy.save("digits", **ROWS)
    (found,) = side_files(tmp_path)
    assert stat.S_IMODE(found.stat().st_mode) == 0o600


def test_the_next_start_puts_it_into_the_database_and_removes_the_file(side_file, path, tmp_path):
    with Store.open(path) as store:
        assert [record.run for record in store.runs("digits")] == [make_run(0), make_run(1)]
        assert store.runs("digits")[0] == ROWS["records"][0]
        assert repr(store.reports("digits")) == repr(
            {0: [make_report(0, 1), ROWS["reports"][0]], 1: [ROWS["reports"][1]]}
        )
    assert side_files(tmp_path) == []


def test_a_reader_leaves_it_where_it_is(side_file, path):
    Store.open(path, readonly=True).close()
    assert side_file.exists()


def test_putting_it_in_twice_changes_nothing(side_file, path):
    copy = side_file.read_bytes()
    with Store.open(path) as store:
        once = contents(store)
    side_file.write_bytes(copy)
    with Store.open(path) as store:
        assert contents(store) == once
    assert not side_file.exists()


def test_what_was_saved_since_is_not_overwritten(side_file, path):
    copy = side_file.read_bytes()
    side_file.unlink()
    with Store.open(path) as store:
        further = RunRecord(make_run(0), RunState.FINISHED, 0.1, 20, 9.0)
        reports = [make_report(0, epoch, score=0.1) for epoch in range(2, 21)]
        store.save("digits", reports=reports, records=[further])
        side_file.write_bytes(copy)
    with Store.open(path) as store:
        assert store.runs("digits")[0] == further
        assert store.reports("digits", [0])[0] == [make_report(0, 1), *reports]


def test_epochs_after_a_gap_wait_for_nothing(side_file, path):
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM autoopt_epochs")  # an older copy was put back
        connection.execute("UPDATE autoopt_runs SET epochs_done = 0")
    connection.close()
    with Store.open(path) as store:
        assert list(store.reports("digits")) == [1]
        assert store.runs("digits")[0].state is RunState.RUNNING


def test_a_verdict_is_kept_as_well(busy, path):
    with pytest.raises(StorageFault, match=r"\(a verdict\) is kept in"):
        busy.save_verdict("digits", {"gain": math.inf})
    busy.close()
    with Store.open(path) as store:
        assert store.verdict("digits") == {"gain": math.inf}


def test_numbers_of_numpy_are_kept_as_numbers(busy, path):
    import numpy as np

    with pytest.raises(StorageFault, match="is kept in"):
        busy.save("digits", reports=[make_report(0, 2, score=np.float32(0.5), steps=np.int64(7))])
    busy.close()
    with Store.open(path) as store:
        assert (store.reports("digits")[0][1].score, store.reports("digits")[0][1].steps) == (0.5, 7)


def test_what_is_wrong_with_the_call_is_not_kept(file_store, tmp_path):
    file_store.update_study("digits")
    with pytest.raises(StorageError, match="a report needs its run"):
        file_store.save("digits", reports=[make_report(99)])
    assert side_files(tmp_path) == []


def test_of_a_study_in_another_database_nothing_is_taken(side_file, path, tmp_path):
    for file in tmp_path.glob("autoopt.db*"):
        if file != side_file:
            file.unlink()
    with pytest.warns(AutooptWarning, match="its study 'digits' of 2026-01-02T03:04 is not in this database"):
        Store.open(path).close()
    assert side_file.exists()


def change(side_file, alter):
    """Let somebody write a file of their own, with a checksum that fits."""
    head, *lines = side_file.read_text().splitlines()
    top, rows = json.loads(head), [json.loads(line) for line in lines]
    alter(top, rows)
    body = "".join(json.dumps(row) + "\n" for row in rows)
    top["sha256"] = hashlib.sha256(body.encode()).hexdigest()
    side_file.write_text(json.dumps(top) + "\n" + body)


HOSTILE = {
    "another form": (lambda top, rows: top.update(autoopt_unsaved=99), "not written by this version"),
    "no study": (lambda top, rows: top.update(study={"name": "digits"}), "does not say of which study"),
    "another kind of row": (lambda top, rows: rows.append({"sql": "DROP TABLE autoopt_runs"}), "a line that is no row"),
    "no row": (lambda top, rows: rows.append([1]), "a line that is no row"),
    "another column": (lambda top, rows: rows[0]["run"].update({"id); --": 1}), "with other columns"),
    "text for a number": (lambda top, rows: rows[1]["report"].update(score="1); DROP TABLE"), "the score of a report is"),
    "a number beyond 64 bits": (lambda top, rows: rows[1]["report"].update(epoch=2**70), "the epoch of a report is"),
    "a state that is none": (lambda top, rows: rows[3]["record"].update(state="won"), "the state of a record is 'won'"),
    "a missing value": (lambda top, rows: rows[1]["report"].update(score=None), "the score of a report is 'None'"),
    "a recipe that is none": (lambda top, rows: rows[0]["run"].update(recipe={"run": "me"}), "cannot be used"),
    "another recipe of a run": (
        lambda top, rows: rows.append({"run": rows[3]["record"] | {"seed": 9}}), "another recipe or seed by now",
    ),
    "two verdicts": (
        lambda top, rows: rows.extend([{"verdict": {"created": "2026-01-01T00:00:00+00:00", "document": {}}}] * 2),
        "more than one verdict",
    ),
    "a verdict without a time": (
        lambda top, rows: rows.append({"verdict": {"created": "now", "document": {}}}), "cannot be used",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("alter", "says"), HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_somebody_has_made_up_is_refused_and_left_alone(alter, says, side_file, path):
    change(side_file, alter)
    text = side_file.read_bytes()
    with pytest.warns(AutooptWarning, match=says):
        store = Store.open(path)
    with store:
        assert [record.run.id for record in store.runs("digits")] == [0]
        assert [len(reports) for reports in store.reports("digits").values()] == [1]
    assert side_file.read_bytes() == text


DAMAGED = {
    "cut off": lambda text: text[: len(text) // 2],
    "a changed figure": lambda text: text.replace(b'"epoch": 2', b'"epoch": 3'),
    "empty": lambda text: b"",
    "zeros": lambda text: bytes(len(text)),
    "nested": lambda text: b"[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_and_left_alone(damage, side_file, path):
    side_file.write_bytes(text := damage(side_file.read_bytes()))
    with pytest.warns(AutooptWarning, match="cannot be used.*\nIt may hold what could not be written"):
        Store.open(path).close()
    assert side_file.read_bytes() == text


def test_a_link_is_not_followed(side_file, path, tmp_path):
    side_file.rename(tmp_path / "elsewhere")
    side_file.symlink_to(tmp_path / "elsewhere")
    with pytest.warns(AutooptWarning, match="cannot be used"):
        Store.open(path).close()


def test_a_pipe_is_not_waited_for(side_file, path):
    side_file.unlink()
    os.mkfifo(side_file)
    with pytest.warns(AutooptWarning, match="it is no plain file"):
        Store.open(path).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only a superuser can give a file away")
def test_a_file_of_another_user_is_refused(side_file, path):
    os.chown(side_file, 65534, 65534)
    with pytest.warns(AutooptWarning, match="it belongs to another user"):
        Store.open(path).close()


SMALL_DISK = """
import sys
from pathlib import Path
from autoopt.errors import StorageFault
from autoopt.records.store import Store
from tests.unit.records.examples import make_report, make_run, make_study

disk = Path(sys.argv[1])
store = Store.open(disk / "autoopt.db")
store.create_study(make_study())
store.save("digits", runs=[make_run(0)], reports=[make_report(0, 1)])
with open(disk / "ballast", "wb", buffering=0) as ballast:
    try:
        while ballast.write(bytes(4096)):
            pass
    except OSError:
        pass
reports = [make_report(0, epoch) for epoch in range(2, 2001)]
try:
    store.save("digits", reports=reports)
except StorageFault as fault:
    print(fault)
print(len(store.reports("digits")[0]))
(disk / "ballast").unlink()
with Store.open(disk / "autoopt.db") as store:
    print(len(store.reports("digits")[0]), store.engine.connect().exec_driver_sql("PRAGMA integrity_check").scalar())
"""


def on_a_small_disk(folder, script):
    """Run a script that gets a disk of 1 MB as its argument: a file system in memory that only it can see."""
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*own, "true"], capture_output=True, check=False).returncode
    ):
        # a setting of the kernel that no test may change; where CI runs it is allowed
        pytest.skip("this system lets nobody mount a file system of their own")
    folder.mkdir()
    mount = f'mount -t tmpfs -o size=1m none {folder} && exec {sys.executable} -c "$0" {folder}'
    root = str(Path(__file__).parents[3])
    return subprocess.run([*own, "sh", "-c", mount, script], capture_output=True, text=True, check=True, cwd=root,
                          env={**os.environ, "PYTHONPATH": root}).stdout  # fmt: skip


def test_on_a_full_disk_it_is_kept_with_the_user_and_put_in_when_there_is_space(tmp_path, state_folder):
    said = on_a_small_disk(tmp_path / "disk", SMALL_DISK).splitlines()
    assert "the disk is full. Free some space and start again" in said[0]
    assert f"(1999 epochs) is kept in {state_folder / 'autoopt'}" in said[1]
    assert said[2:] == ["1", "2000 ok"]
    assert side_files(state_folder / "autoopt") == []
    assert stat.S_IMODE((state_folder / "autoopt").stat().st_mode) == 0o700


def test_where_it_can_be_kept_nowhere_that_is_told(busy, monkeypatch):
    monkeypatch.setattr(unsaved, "_write", fail)
    with pytest.raises(
        StorageFault, match=r"Nowhere else could it be kept either, so this is trained again: 1 epoch"
    ):
        busy.save("digits", reports=[make_report(0, 2)])


def fail(*_):
    raise OSError("no space left")


def test_a_folder_that_others_may_write_to_is_not_used(busy, tmp_path, monkeypatch, state_folder):
    open_to_all = tmp_path / "temporary" / f"autoopt-{os.geteuid()}"
    open_to_all.mkdir(parents=True)
    open_to_all.chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    assert open_to_all not in [folder for folder, _ in unsaved._places(busy.url, create=True)]


def test_processes_that_start_at_once_put_it_in_once(side_file, path):
    def count():
        with Store.open(path) as store:
            return sum(map(len, store.reports("digits").values()))

    assert in_forks([count] * 4) == ["3"] * 4
    with Store.open(path) as store, store.reading() as connection:
        assert find_faults(connection, store.url) == [
            "run 1 of study 'digits' counts 0 epochs; 1 are recorded, the last one is 1"
        ]
