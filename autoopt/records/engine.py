"""One engine for everybody: SQLite made safe for many processes, PostgreSQL as it is.

SQLite's defaults let two processes read the same state and both act on it; one of them then fails or
overwrites the other. Here every transaction that may write takes the write lock when it begins (BEGIN
IMMEDIATE) and waits up to a minute for it, while readers go on undisturbed beside it (WAL).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Engine, QueuePool, create_engine
from sqlalchemy.exc import DatabaseError, IntegrityError, NoSuchModuleError

from autoopt.errors import StorageError
from autoopt.records.location import MEMORY, is_sqlite, shown_url, storage_url
from autoopt.records.sqlite import READING, WAIT_SECONDS, open_reader
from autoopt.records.sqlite import secure_sqlite as secure_sqlite
from autoopt.records.trouble import check_place, explained


class HasEngine(Protocol):
    """A storage built on SQLAlchemy."""

    engine: Engine


_Storage = TypeVar("_Storage", bound=HasEngine)


def open_engine(url: str, *, readonly: bool = False) -> Engine:
    """Return an engine for a database, safe for many processes and threads.

    Args:
        url: a URL or path; see ``storage_url``. In memory there is one connection, and threads take turns.
        readonly: write nothing and create nothing; works on read-only media too.

    Raises:
        StorageError: the place does not exist or cannot be opened, or a driver is missing.
    """
    url = storage_url(url)
    check_place(url, readonly=readonly)
    if readonly and is_sqlite(url) and url != MEMORY:
        return open_reader(url)
    kind = {READING: True, "postgresql_readonly": True} if readonly else {}
    try:
        engine = create_engine(url, execution_options=kind, **_engine_options(url))
    except ImportError as error:
        raise StorageError(
            f"the driver for {shown_url(url)} is not installed ({error}): pip install 'psycopg[binary]' and "
            "let the URL begin with postgresql+psycopg://"
        ) from error
    except NoSuchModuleError as error:
        raise StorageError(
            f"there is no driver for {shown_url(url)}: let the URL begin with postgresql+psycopg://"
        ) from error
    secure_sqlite(engine)
    return engine


def secured_storage(make: Callable[..., _Storage], url: str) -> _Storage:
    """Make another library's storage on our database, and secure its engine.

    It creates tables of its own, and may find that another process just did so; then it is made again.
    Not for a database in memory, which has a single connection, ours.

    Args:
        make: ``optuna.storages.RDBStorage``, or what takes ``(url, engine_kwargs=…)`` and has an ``engine``.
        url: from ``storage_url``.

    Raises:
        StorageError: the database cannot be written.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    with explained(url, "open"):
        while True:
            try:
                storage = make(url, engine_kwargs=_engine_options(url))
                break
            except DatabaseError as error:
                if not _made_meanwhile(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
    secure_sqlite(storage.engine)
    return storage


def _engine_options(url: str) -> dict[str, Any]:
    if not is_sqlite(url):
        return {"pool_pre_ping": True}
    if url != MEMORY:
        return {"connect_args": {"timeout": WAIT_SECONDS}}
    turns = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": WAIT_SECONDS}
    return {"connect_args": {"check_same_thread": False}, **turns}


def _made_meanwhile(error: Exception) -> bool:
    """Whether a table, or the only row of one, was made by another process after we looked for it."""
    return isinstance(error, IntegrityError) or "already exists" in str(error)
