"""Where a database is: paths and URLs, as people write them and as programs need them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from autoopt.errors import StorageError

MEMORY = "sqlite://"
_FORMS = "write a path such as autoopt.db, or postgresql+psycopg://user:password@host/database"


def storage_url(text: str | os.PathLike[str]) -> str:
    """Turn a path or URL into the URL of a database; a path becomes absolute.

    >>> storage_url(":memory:")
    'sqlite://'
    >>> storage_url("postgresql+psycopg://ann@db/studies")
    'postgresql+psycopg://ann@db/studies'

    Raises:
        StorageError: it is empty, cannot be read as a URL, or names another kind of database.
    """
    text = os.fspath(text)
    if not text.strip():
        raise StorageError(f"the storage is empty: {_FORMS}")
    if text == ":memory:":
        return MEMORY
    if re.match(r"(sqlite|postgres(ql)?)(\+\w+)?:(?!//)", text):
        raise StorageError(f"the storage {text.split(':')[0]}:… lacks its slashes: {_FORMS}")
    return _from_url(text) if "://" in text else _from_path(text)


def database_path(url: str) -> Path | None:
    """Return the file of a SQLite URL made by ``storage_url``; ``None`` in memory or on a server."""
    parts = make_url(url)
    return Path(parts.database) if is_sqlite(url) and parts.database else None


def checkpoints_beside(url: str) -> Path | None:
    """Return the folder of checkpoints beside a SQLite file; ``None`` where there is no file.

    >>> checkpoints_beside("sqlite:////data/autoopt.db").as_posix()
    '/data/autoopt.db.checkpoints'
    """
    path = database_path(url)
    return None if path is None else path.with_name(f"{path.name}.checkpoints")


def is_sqlite(url: str) -> bool:
    """Whether this URL, made by ``storage_url``, is SQLite's."""
    return make_url(url).get_backend_name() == "sqlite"


def shown_url(url: str) -> str:
    """Return a storage as a person may see it: the path of a SQLite file, else the URL without passwords.

    >>> shown_url("postgresql+psycopg://ann:secret@db/studies")
    'postgresql+psycopg://ann:***@db/studies'
    """
    if path := database_path(url):
        return str(path)
    return _without_passwords(make_url(url))


def _without_passwords(url: URL) -> str:
    secret = [key for key in url.query if "password" in key.lower()]
    return url.difference_update_query(secret).render_as_string(hide_password=True)


def _from_path(text: str) -> str:
    try:
        path = os.path.abspath(os.path.expanduser(text))
        return URL.create("sqlite", database=path).render_as_string(hide_password=False)
    except UnicodeEncodeError as error:
        raise StorageError(f"the path {text!a} of the storage is not valid UTF-8: rename it") from error


def _from_url(text: str) -> str:
    scheme = text.split("://")[0]
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise StorageError("the storage's URL is not valid UTF-8: write its characters as %xx") from error
    if scheme == "postgres":
        raise StorageError("a storage URL cannot begin with postgres://: write postgresql+psycopg://…")
    if scheme not in ("sqlite", "sqlite+pysqlite") and scheme.split("+")[0] != "postgresql":
        raise StorageError(f"a storage of the kind {scheme}:// is not supported: {_FORMS}")
    try:
        parts = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise StorageError(
            f"the storage {scheme}://… cannot be read as a URL: {_FORMS}; special characters of a password "
            "as %xx"
        ) from error
    if not scheme.startswith("sqlite"):
        return text
    shown = _without_passwords(parts)
    if parts.host or parts.username:
        raise StorageError(
            f"the storage {shown!r} lacks a slash: three before a relative path, four before an absolute one"
        )
    if "?" in text or (parts.database or "").startswith("file:"):
        raise StorageError(
            f"the storage {shown!r} has options or a '?', which a SQLite URL cannot have here: write the path "
            "of the file alone"
        )
    return MEMORY if parts.database in (None, "", ":memory:") else _from_path(parts.database or "")
