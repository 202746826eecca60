"""What makes SQLite safe: its transactions and pragmas, readers of their own, a clean start after a fork."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from sqlalchemy import URL, Connection, Engine, Pool, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError

from autoopt.errors import StorageError
from autoopt.records.location import database_path
from autoopt.records.trouble import explained, sqlite_fault

READING = "autoopt_reading"  # execution option: this connection only reads, so it takes no write lock
WAIT_SECONDS = 60

_ENGINES: WeakSet[Engine] = WeakSet()
_ABANDONED: list[Pool] = []


def secure_sqlite(engine: Engine) -> None:
    """Make an engine on SQLite safe for many processes; calling it again changes nothing.

    Connections opened before are closed, save in memory, where that would lose the data. Whoever makes an
    engine anew after unpickling, as Optuna does, calls this again. Engines on other databases get only what
    all get: after a fork the child opens its own connections.
    """
    in_memory = engine.url.database in (None, "", ":memory:")
    if not in_memory:
        _ENGINES.add(engine)
    if engine.dialect.name != "sqlite" or event.contains(engine, "begin", _begin):
        return
    if in_memory:
        with engine.connect() as connection:
            _prepare_writer(connection.connection.dbapi_connection, None)
    else:
        engine.dispose()
    event.listen(engine, "connect", _prepare_writer)
    event.listen(engine, "begin", _begin)


def open_reader(url: str) -> Engine:
    """Open a file without writing to it.

    A reader of a WAL file needs the two small files beside it, and creates them when they are missing. On
    read-only media it cannot; there nobody writes, so it is safe to read without them. In the folder of
    somebody else who may begin to write again, open the file anew for every look.
    """
    path = database_path(url)
    # mode=rw never creates the file, reads one that is write-protected, and cleans up at the end
    engine = _reader_engine(url, "mode", "rw")
    with explained(url, "read"):
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
            return engine
        except DatabaseError as error:
            engine.dispose()
            protected = sqlite_fault(error) in ("SQLITE_CANTOPEN", "SQLITE_READONLY")
            if not protected or not os.access(str(path), os.R_OK):
                raise
            log = f"{path}-wal"
            if os.path.exists(log) and os.path.getsize(log):
                raise StorageError(
                    f"cannot read {path}: its last writes are still in {log}, and the folder is "
                    "write-protected. Copy both files to a folder of yours"
                ) from error
        return _reader_engine(url, "immutable", "1")


def _reader_engine(url: str, key: str, value: str) -> Engine:
    place = URL.create(
        "sqlite", database=f"file:{quote(make_url(url).database or '')}", query={"uri": "true", key: value}
    )
    engine = create_engine(place, connect_args={"timeout": WAIT_SECONDS}, execution_options={READING: True})
    event.listen(engine, "connect", _prepare_reader)
    event.listen(engine, "begin", _begin)
    _ENGINES.add(engine)
    return engine


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get(READING)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _prepare_reader(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # Python begins no transactions of its own; _begin does
    connection.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}")
    connection.execute("PRAGMA query_only = ON")


def _prepare_writer(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}")
    _switch_to_wal(connection)
    # with WAL a kill loses nothing all the same; a power cut may take the last transactions, whole
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Keep asking for WAL mode: SQLite refuses the switch at once while others are busy, without waiting."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if sqlite_fault(error) != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _forget_connections() -> None:
    """Let a forked child open its own connections: those of its parent it must not even close."""
    for engine in list(_ENGINES):
        _ABANDONED.append(engine.pool)
        engine.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_connections)
