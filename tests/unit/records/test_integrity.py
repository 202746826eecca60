"""Damage is found before anything is written, and what is there stays as it is."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from autoopt.errors import StorageError
from autoopt.records import integrity
from autoopt.records.integrity import find_faults
from autoopt.records.store import Store
from autoopt.run import RunRecord

from .examples import make_report, make_run

PAGE = 4096


@pytest.fixture
def full(file_store, path):
    """A closed database of some hundred pages."""
    runs = [make_run(i) for i in range(60)]
    reports = [make_report(run.id, epoch) for run in runs for epoch in range(1, 21)]
    file_store.save(
        "digits", runs=runs, reports=reports, records=[RunRecord(run, epochs_done=20) for run in runs]
    )
    file_store.save_verdict("digits", {"schema": 1})
    file_store.close()
    return path


def faults(path):
    with Store.open(path, readonly=True) as store, store.reading() as connection:
        return find_faults(connection, store.url)


def overwrite(path, place, text):
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(text)


def garbage_pages(path):
    generator = random.Random(5)
    for page in range(8, path.stat().st_size // PAGE, 3):
        overwrite(path, page * PAGE, generator.randbytes(PAGE))


def zero_pages(path):
    overwrite(path, 10 * PAGE, bytes(20 * PAGE))


def cut_off(path):
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)


def cut_within_a_page(path):
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - 100)


def only_zeros(path):
    overwrite(path, 0, bytes(path.stat().st_size))


def mangle_the_tables(path):
    overwrite(path, 100, b"\x00" * 200)


@pytest.mark.parametrize(
    "damage", [garbage_pages, zero_pages, cut_off, cut_within_a_page, only_zeros, mangle_the_tables]
)
def test_a_damaged_file_is_refused_and_stays_as_it_is(damage, full, tmp_path):
    damage(full)
    before = full.read_bytes()
    with pytest.raises(StorageError, match=r"it is damaged|it is not a SQLite database"):
        Store.open(full)
    assert (full.read_bytes(), list(tmp_path.iterdir())) == (before, [full])


def test_of_a_large_file_the_small_tables_are_checked(full, monkeypatch):
    with sqlite3.connect(full) as connection:
        page = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'autoopt_verdicts'"
        ).fetchone()[0]
    connection.close()
    overwrite(full, (page - 1) * PAGE, b"\x0d\x00\x00\xff\xff")
    monkeypatch.setattr(integrity, "WHOLE_UP_TO", 0)
    with pytest.raises(StorageError, match="it is damaged"):
        Store.open(full)


def test_a_sound_file_of_any_size_is_taken(full, monkeypatch):
    for limit in (0, 2**40):
        monkeypatch.setattr(integrity, "WHOLE_UP_TO", limit)
        with Store.open(full) as store:
            assert len(store.runs("digits")) == 60


@pytest.mark.parametrize("state", ["gone", "empty"])
def test_a_database_of_which_only_the_last_writes_are_left_is_not_begun_anew(state, file_store, path):
    log = Path(f"{path}-wal")
    file_store.add_runs("digits", [make_run(0)])
    left = log.read_bytes()
    file_store.close()
    path.unlink() if state == "gone" else path.write_bytes(b"")
    log.write_bytes(left)
    with pytest.raises(
        StorageError, match=f"{path} is {state}, but its last writes are still in {log}: put the"
    ):
        Store.open(path)
    assert log.read_bytes() == left


def test_a_sound_database_has_no_faults(full):
    assert faults(full) == []


def test_damaged_pages_are_told_one_by_one(full):
    garbage_pages(full)
    try:
        found = faults(full)
    except StorageError as error:
        found = [str(error)]
    assert found
    assert all(found)


@pytest.mark.parametrize(("statement", "says"), [
    ("DELETE FROM autoopt_epochs WHERE run_id = 3 AND epoch = 7", ["run 3 of study 'digits' counts 20 epochs; 19 are recorded, the last one is 20"]),
    ("DELETE FROM autoopt_epochs WHERE run_id = 3", ["run 3 of study 'digits' counts 20 epochs; 0 are recorded, the last one is 0"]),
    ("UPDATE autoopt_runs SET epochs_done = 19 WHERE id = 5", ["run 5 of study 'digits' counts 19 epochs; 20 are recorded, the last one is 20"]),
    ("DELETE FROM autoopt_runs WHERE id = 3", ["20 rows of autoopt_epochs belong to nothing that exists"]),
])  # fmt: skip
def test_rows_that_do_not_fit_together_are_told(statement, says, full):
    with sqlite3.connect(full) as connection:
        connection.execute(statement)
    connection.close()
    assert faults(full) == says
