"""Guard: writes go to the very file that was opened, or nowhere.

The system lets a program write on into a file that was deleted or replaced: for nothing, or into both halves of what
was one database (sqlite.org, How To Corrupt An SQLite Database File, sections 2 and 4).
"""

from __future__ import annotations

import os

from sqlalchemy import Engine, Pool

from autoopt.errors import StorageFault
from autoopt.records.location import database_path

Identity = tuple[int, int]


class Guard:
    """Knows which file was opened; on a server or in memory it has nothing to guard.

    Args:
        url: from ``storage_url``.
        engine: on it; while its connections are open, SQLite's log beside the file stays as well.
    """

    def __init__(self, url: str, engine: Engine) -> None:
        self._path, self._engine = database_path(url), engine
        self._file = None if self._path is None else _identity(str(self._path))
        self._log: tuple[Pool, Identity] | None = None

    def check(self) -> None:
        """Refuse to go on when the file is gone, or another one lies in its place.

        Raises:
            StorageFault: so it is.
        """
        if self._path is None:
            return
        found = _identity(str(self._path))
        if found is None:
            raise StorageFault(
                f"the database {self._path} was moved or deleted while it was in use: put it back, and start again "
                "to carry on from what it holds"
            )
        if found != self._file:
            raise StorageFault(
                f"the database {self._path} was replaced by another file while it was in use: start again to carry on "
                "from what that one holds, or put the first one back before"
            )
        if (
            self._log is not None
            and self._log[0] is self._engine.pool
            and _identity(self._log_path) != self._log[1]
        ):
            raise StorageFault(
                f"{self._log_path} was moved or deleted while it was in use: it is part of the database. Put it back, "
                "and start again"
            )

    def remember_log(self) -> None:
        """Take note of SQLite's log after a write: it stays until the last connection of all processes is closed."""
        if self._path is not None and (self._log is None or self._log[0] is not self._engine.pool):
            log = _identity(self._log_path)
            self._log = None if log is None else (self._engine.pool, log)

    @property
    def _log_path(self) -> str:
        return f"{self._path}-wal"


def _identity(path: str) -> Identity | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageFault(
            f"the database {path} cannot be reached any more ({error.strerror}): is its disk still there?"
        ) from error
    return found.st_dev, found.st_ino
