"""What the errors of a database mean for a person, and what to do about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, TimeoutError

from autoopt.errors import SpaceError, StorageError, StorageFault
from autoopt.records.location import database_path, shown_url

_LOCKED = "another program keeps it locked. End that program, or use another file"
_CLOSED = "it cannot be opened. Make the file and its folder readable and writable, or use another file"
_REMEDIES = {
    "SQLITE_CONSTRAINT": "it does not fit what is there; a report needs its run, saved before or with it",
    "SQLITE_FULL": "the disk is full. Free some space and start again; all that was saved before is kept",
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_READONLY": "it is write-protected. Make the file and its folder writable, or use another file",
    "SQLITE_CANTOPEN": _CLOSED,
    "SQLITE_PERM": _CLOSED,
    "SQLITE_NOTADB": "it is not a SQLite database. Use another file",
    "SQLITE_CORRUPT": "it is damaged. Restore it from a copy, or use another file",
    "SQLITE_IOERR": "it cannot be read or written where it lies. Use a file on a local disk",
    "SQLITE_PROTOCOL": "it cannot be locked where it lies. Use a file on a local disk",
}


@contextmanager
def explained(url: str, act: str) -> Iterator[None]:
    """Turn what the database raises into a StorageError that says what to do; a StorageFault if the call was right.

    Args:
        url: of the database; its password is not shown.
        act: what was to be done: ``"read"``, ``"write"`` …
    """
    try:
        yield
    except OverflowError as error:
        raise StorageError(
            f"cannot {act} {shown_url(url)}: a number in it is beyond 64 bits ({error})"
        ) from error
    except SQLAlchemyError as error:
        kind = StorageFault if _is_fault(error) else StorageError
        raise kind(f"cannot {act} {shown_url(url)}: {_remedy(error)}") from error
    except (ValueError, TypeError, RecursionError, SpaceError) as error:
        if act == "write":  # what the caller gave, and not what is there
            raise
        raise StorageError(
            f"cannot {act} {shown_url(url)}: a value in it is none that autoopt wrote ({error}). Restore it from a "
            "copy, or use another file"
        ) from error


def _is_fault(error: SQLAlchemyError) -> bool:
    """Whether the database is to blame, and not what it was asked."""
    if name := sqlite_fault(error):
        return name in _REMEDIES and name != "SQLITE_CONSTRAINT"
    return isinstance(error, OperationalError | InterfaceError | TimeoutError)


def sqlite_fault(error: BaseException | None) -> str:
    """Return the kind of a SQLite error, for example ``"SQLITE_BUSY"``; ``""`` for any other error."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return "_".join(getattr(cause, "sqlite_errorname", "").split("_")[:2])


def check_place(url: str, *, readonly: bool) -> None:
    """Refuse a SQLite file that cannot be opened, before anything is created or changed.

    Raises:
        StorageError: the folder or (for readers) the file is missing, or it is a folder.
    """
    path = database_path(url)
    if path is None:
        return
    try:
        is_folder = path.is_dir()
    except OSError as error:
        raise StorageError(
            f"the storage {path} cannot be reached ({error.strerror}): write another path"
        ) from error
    if is_folder:
        raise StorageError(
            f"the storage {path} is a folder: name a file in it, such as {path / 'autoopt.db'}"
        )
    if not path.parent.is_dir():
        raise StorageError(
            f"the folder {path.parent} of the storage does not exist: create it, or write another path"
        )
    if readonly and not path.exists():
        raise StorageError(
            f"there is no database {path}: nothing was saved there yet, which 'autoopt tune' does, or the path "
            "is another one"
        )


def _remedy(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    first_line = (str(cause).splitlines() or [type(cause).__name__])[0]
    remedy = _REMEDIES.get(sqlite_fault(error))
    return f"{remedy} ({first_line})" if remedy else first_line
