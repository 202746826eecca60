"""Many threads and processes on one database."""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import create_engine, text

from autoopt.errors import StorageError
from autoopt.records.engine import open_engine, secure_sqlite
from autoopt.records.store import Store

from .examples import in_a_fork, in_forks, make_report, make_run, make_study


def test_four_processes_save_at_once_and_nothing_is_lost(file_store, path):
    def save_fifty(number):
        with Store.open(path) as store:
            for run_id in range(100 * number, 100 * number + 50):
                store.save("digits", runs=[make_run(run_id)], reports=[make_report(run_id)])
                store.next_run_id("digits")

    assert in_forks([partial(save_fifty, number) for number in range(4)]) == ["None"] * 4
    assert list(file_store.reports("digits")) == [100 * n + k for n in range(4) for k in range(50)]


@pytest.mark.parametrize("place", ["memory", "file"])
def test_eight_threads_save_at_once_and_nothing_is_lost(place, path):
    with Store.open(path if place == "file" else ":memory:") as store:
        store.create_study(make_study())
        with ThreadPoolExecutor(8) as threads:
            saved = [threads.submit(store.save, "digits", runs=[make_run(i)]) for i in range(80)]
        assert [future.exception() for future in saved] == [None] * 80
        assert len(store.runs("digits")) == 80


def test_threads_that_open_a_new_file_at_once_agree(path):
    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(lambda _: Store.open(path), range(8)))
    stores[0].create_study(make_study())
    assert all(store.study("digits") == make_study() for store in stores)
    for store in stores:
        store.close()


def test_reading_goes_on_while_another_writes(file_store, path):
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with Store.open(path, readonly=True) as reader:
        assert reader.study("digits") == file_store.study("digits") == make_study()
    writer.close()


def test_a_reader_sees_what_is_saved_later(file_store, path):
    with Store.open(path, readonly=True) as reader:
        before = reader.next_run_id("digits")
        file_store.add_runs("digits", [make_run()])
        assert (before, reader.next_run_id("digits")) == (0, 1)


def test_a_store_goes_on_in_a_forked_child(file_store):
    file_store.add_runs("digits", [make_run(0)])
    assert in_a_fork(lambda: file_store.add_runs("digits", [make_run(1)])) == "None"
    file_store.add_runs("digits", [make_run(2)])
    assert len(file_store.runs("digits")) == 3


def test_a_forked_child_leaves_the_connections_of_its_parent_alone(file_store):
    inherited = in_a_fork(lambda: file_store.engine.pool.checkedin())
    assert (file_store.engine.pool.checkedin(), inherited) == (1, "0")


def test_a_killed_process_loses_only_what_it_had_not_saved(file_store):
    def save_and_die():
        file_store.add_runs("digits", [make_run(0)])
        with file_store.engine.begin() as connection:
            connection.execute(text("DELETE FROM autoopt_runs"))
            os.kill(os.getpid(), signal.SIGKILL)

    in_a_fork(save_and_die)
    file_store.add_runs("digits", [make_run(1)])
    assert [record.run.id for record in file_store.runs("digits")] == [0, 1]


def test_a_pickled_store_opens_the_same_file(file_store):
    with pickle.loads(pickle.dumps(file_store)) as copy:
        assert (copy.url, copy.readonly, copy.study("digits")) == (file_store.url, False, make_study())


def test_a_store_in_memory_refuses_to_be_pickled(store):
    with pytest.raises(
        StorageError, match="a store in memory cannot go to another process: open it on a file"
    ):
        pickle.dumps(store)


def test_an_engine_made_elsewhere_is_secured_whatever_it_did_before(path):
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE studies (x INTEGER)"))
    secure_sqlite(engine)
    secure_sqlite(engine)
    with engine.connect() as connection:
        names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        pragmas = [connection.scalar(text(f"PRAGMA {name}")) for name in names]
        other = sqlite3.connect(path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO studies VALUES (1)")  # the first statement above took the write lock
        other.close()
    engine.dispose()
    assert pragmas == ["wal", 1, 60_000, 1]


def test_securing_an_engine_in_memory_keeps_what_is_in_it():
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE studies (x INTEGER)"))
    secure_sqlite(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO studies VALUES (1)"))
        assert connection.scalar(text("SELECT count(*) FROM studies")) == 1
    engine.dispose()


def test_a_memory_engine_is_one_database_for_all_threads():
    engine = open_engine(":memory:")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER)"))

    def insert(number):
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO t VALUES (:x)"), {"x": number})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(insert, range(20)))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM t")) == 20
    engine.dispose()


def test_a_store_on_a_condition_shares_its_connections_and_leaves_nothing_open(file_store, path):
    other = file_store.on_condition(lambda _: None)
    other.add_runs("digits", [make_run()])
    assert other.engine is file_store.engine
    file_store.close()
    assert list(path.parent.iterdir()) == [path]
