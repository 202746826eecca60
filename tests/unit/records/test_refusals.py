"""Databases that cannot be used: one clear message each, and nothing is changed."""

from __future__ import annotations

import importlib.util
import sqlite3
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from autoopt.errors import StorageError
from autoopt.records import schema
from autoopt.records.engine import open_engine
from autoopt.records.store import Store
from autoopt.records.tables import SCHEMA

from .examples import in_a_fork, make_report, make_run, make_study


def foreign_database(path, *tables):
    connection = sqlite3.connect(path)
    for table in tables:
        connection.execute(f"CREATE TABLE {table} (x INTEGER)")
    connection.close()
    return path.read_bytes()


def set_version(store, version):
    with store.engine.begin() as connection:
        connection.execute(update(SCHEMA).values(version=version))


@pytest.mark.parametrize("readonly", [False, True])
def test_a_folder_that_does_not_exist_is_told(tmp_path, readonly):
    with pytest.raises(StorageError, match=f"folder {tmp_path / 'no'} of the storage does not exist: create"):
        Store.open(tmp_path / "no" / "x.db", readonly=readonly)


def test_a_folder_in_place_of_a_file_is_told(tmp_path):
    with pytest.raises(StorageError, match=rf"{tmp_path} is a folder: name a file in it, .*autoopt\.db"):
        Store.open(tmp_path)


def test_a_name_that_is_too_long_is_told(tmp_path):
    with pytest.raises(StorageError, match="cannot be reached"):
        Store.open(tmp_path / ("x" * 300))


def test_reading_a_file_that_does_not_exist_creates_none(tmp_path, path):
    with pytest.raises(StorageError, match=f"there is no database {path}: nothing was saved there yet"):
        Store.open(path, readonly=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("readonly", [False, True])
def test_a_file_that_is_not_sqlite_is_left_alone(path, readonly):
    path.write_text("lr = 1e-3\n" * 200)
    with pytest.raises(
        StorageError, match=rf"cannot .* {path}: it is not a SQLite database\. Use another file"
    ):
        Store.open(path, readonly=readonly)
    assert path.read_text() == "lr = 1e-3\n" * 200


@pytest.mark.parametrize("readonly", [False, True])
def test_a_database_of_another_program_is_left_alone(tmp_path, path, readonly):
    before = foreign_database(path, "customers", "orders")
    with pytest.raises(StorageError, match=f"{path} was not made by autoopt, it has a table 'customers'"):
        Store.open(path, readonly=readonly)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])


def test_a_damaged_database_is_told(file_store, path):
    file_store.save("digits", runs=[make_run(i) for i in range(200)])
    file_store.close()
    good = path.read_bytes()
    path.write_bytes(good[:4096] + b"\xff" * (len(good) - 4096))
    with pytest.raises(StorageError, match=r"it is damaged\. Restore it from a copy"):
        Store.open(path)


def test_an_empty_file_is_taken(path):
    path.touch()
    with Store.open(path) as store:
        assert store.studies() == []


def test_reading_an_empty_file_is_refused(path):
    path.touch()
    with pytest.raises(StorageError, match=f"{path} holds no studies of autoopt: nothing was saved"):
        Store.open(path, readonly=True)


def test_a_file_without_its_version_is_refused(file_store, path):
    with file_store.engine.begin() as connection:
        connection.execute(text(f"DELETE FROM {SCHEMA.name}"))
    with pytest.raises(StorageError, match="is damaged, its autoopt_schema is empty"):
        Store.open(path)


@pytest.mark.parametrize("readonly", [False, True])
def test_a_file_of_a_newer_autoopt_is_refused(file_store, path, readonly):
    set_version(file_store, 99)
    with pytest.raises(
        StorageError, match=r"newer autoopt \(its .* version 99, this one knows 5\): pip install"
    ):
        Store.open(path, readonly=readonly)


def add_a_column(connection):
    connection.execute(text("ALTER TABLE autoopt_studies ADD COLUMN mood TEXT"))


def test_a_file_of_an_older_autoopt_is_brought_up_to_date_once(file_store, path, monkeypatch):
    file_store.close()
    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, add_a_column])
    Store.open(path).close()
    with Store.open(path) as store, store.engine.connect() as connection:
        assert connection.scalar(select(SCHEMA.c.version)) == schema.schema_version() == 6
        assert connection.scalar(text("SELECT count(mood) FROM autoopt_studies")) == 0
        assert store.study("digits") == make_study()


def test_a_migration_that_fails_leaves_the_file_as_it_was(file_store, path, monkeypatch):
    def fail(connection):
        add_a_column(connection)
        connection.execute(text("SELECT nonsense"))

    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, fail])
    with pytest.raises(StorageError, match="no such column: nonsense"):
        Store.open(path)
    with file_store.engine.connect() as connection:
        columns = [row[1] for row in connection.execute(text("PRAGMA table_info(autoopt_studies)"))]
        assert (connection.scalar(select(SCHEMA.c.version)), "mood" in columns) == (5, False)


def test_reading_a_file_that_is_too_old_asks_to_open_it_for_writing(file_store, path, monkeypatch):
    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, add_a_column])
    monkeypatch.setattr(schema, "OLDEST_READABLE", 6)
    with pytest.raises(StorageError, match=r"older autoopt .* open it once for writing, with autoopt tune"):
        Store.open(path, readonly=True)


def test_what_was_opened_for_reading_is_not_written_to(file_store, path):
    with Store.open(path, readonly=True) as reader:
        for act in (lambda: reader.save("digits"), lambda: reader.create_study(make_study("x"))):
            with pytest.raises(StorageError, match=f"{path} was opened for reading only"):
                act()


def test_the_engine_of_a_reader_cannot_write_either(file_store, path):
    with Store.open(path, readonly=True) as reader, pytest.raises(Exception, match="readonly database"):
        set_version(reader, 5)


def test_reading_leaves_no_files_behind(file_store, tmp_path, path):
    file_store.close()
    with Store.open(path, readonly=True) as reader:
        reader.studies()
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_and_nothing_is_lost(file_store):
    file_store.add_runs("digits", [make_run()])
    with file_store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 20")
    reports = [make_report(0, epoch, failure="x" * 1000) for epoch in range(1, 500)]
    with pytest.raises(StorageError, match=r"the disk is full\. Free some space") as caught:
        file_store.save("digits", reports=reports)
    assert caught.value.__cause__ is not None
    assert (len(file_store.runs("digits")), file_store.reports("digits")) == (1, {})


def test_a_lock_that_is_never_freed_is_told(file_store, path):
    with file_store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match=f"cannot write {path}: another program keeps it locked"):
        file_store.add_runs("digits", [make_run()])
    other.execute("ROLLBACK")
    other.close()
    file_store.add_runs("digits", [make_run()])


def test_a_missing_driver_is_told_without_the_password():
    assert importlib.util.find_spec("pg8000") is None
    with pytest.raises(StorageError, match=r"ann:\*\*\*@db/x is not installed .*pip install 'psycopg\["):
        open_engine("postgresql+pg8000://ann:secret@db/x")


@pytest.fixture
def protected():
    """A folder that anybody may read and nobody may write to, with a database in it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Store.open(folder / "autoopt.db") as store:
            store.create_study(make_study())
        (folder / "autoopt.db").chmod(0o444)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_write_protected_database_can_be_read(protected):
    def read():
        with Store.open(protected / "autoopt.db", readonly=True) as store:
            return [s.study.name for s in store.studies()]

    assert in_a_fork(read, as_nobody=True) == "['digits']"


def test_writing_to_a_write_protected_database_is_told(protected):
    answer = in_a_fork(lambda: Store.open(protected / "autoopt.db"), as_nobody=True)
    assert "StorageFault: cannot open" in answer
    assert "Make the file and its folder" in answer


def test_a_file_in_a_write_protected_folder_is_told(protected):
    answer = in_a_fork(lambda: Store.open(protected / "new.db"), as_nobody=True)
    assert "StorageFault: cannot open" in answer
    assert "Make the file and its folder" in answer


def test_last_writes_that_cannot_be_read_are_told(protected):
    protected.chmod(0o755)
    (protected / "autoopt.db-wal").write_bytes(b"unfinished")
    (protected / "autoopt.db-wal").chmod(0o444)
    protected.chmod(0o555)
    answer = in_a_fork(lambda: Store.open(protected / "autoopt.db", readonly=True), as_nobody=True)
    assert "its last writes are still in" in answer
    assert "Copy both files" in answer


def test_an_unreadable_database_is_told(protected):
    (protected / "autoopt.db").chmod(0o000)
    answer = in_a_fork(lambda: Store.open(protected / "autoopt.db", readonly=True), as_nobody=True)
    assert "StorageFault: cannot read" in answer
    assert "Make the file and its folder readable" in answer
