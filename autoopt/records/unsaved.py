"""Unsaved: what a database would not take is kept in a file of its own, and goes into the database at the next start.

Lines of JSON: a head that says of which study they are, with a checksum of the rest, then one row a line. The file
lies beside the database or, where nothing can be written there, in a folder of the user's. Only files of the same
user, or of the owner of the database, are taken; nothing in them is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean

from autoopt.errors import AutooptError, StorageError
from autoopt.recipe import Recipe
from autoopt.records.columns import Number, Whole, Words
from autoopt.records.location import database_path, shown_url
from autoopt.records.tables import EPOCHS, RUNS
from autoopt.run import Purpose, RunState

FORM = 1  # of these files
LARGEST = 2**28  # bytes that are read of one
_KINDS = ("run", "report", "record", "verdict")
_COLUMNS = {
    "run": [column for column in RUNS.columns if column.name != "study_id"],
    "record": [column for column in RUNS.columns if column.name != "study_id"],
    "report": [column for column in EPOCHS.columns if column.name != "study_id"],
}
_WORDS = {"state": set(map(str, RunState)), "purpose": set(map(str, Purpose))}

Identity = tuple[str, str, str]
"""What tells a study from another one of the same name: name, fingerprint and time of creation, as text."""


@dataclass(frozen=True)
class Unsaved:
    """Rows that a database would not take.

    Attributes:
        study: whose they are.
        runs, reports, records: rows by column, without ``study_id``.
        verdict: a verdict with its time, or ``None``.
    """

    study: Identity
    runs: Sequence[Mapping[str, Any]] = field(default=())
    reports: Sequence[Mapping[str, Any]] = field(default=())
    records: Sequence[Mapping[str, Any]] = field(default=())
    verdict: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        parts = {"run": len(self.runs), "epoch": len(self.reports), "outcome": len(self.records)}
        told = [f"{count} {name}{'s' * (count != 1)}" for name, count in parts.items() if count]
        return ", ".join(told + ["a verdict"] * (self.verdict is not None)) or "nothing"


def identity(name: str, fingerprint: str, created: datetime) -> Identity:
    """Return the identity of a study."""
    return name, fingerprint, created.isoformat()


def keep(url: str, unsaved: Unsaved) -> Path | None:
    """Write rows to a private file, as near to the database as possible; ``None`` if that can be done nowhere."""
    name, body = unsaved.study, "".join(f"{line}\n" for line in _lines(unsaved))
    head = {"autoopt_unsaved": FORM, "study": name, "sha256": hashlib.sha256(body.encode()).hexdigest()}
    text = f"{json.dumps(head)}\n{body}".encode()
    for folder, beginning in _places(url, create=True):
        with suppress(OSError):
            return _write(folder, f"{beginning}{secrets.token_hex(4)}.jsonl", text)
    return None


def find(url: str) -> list[Path]:
    """Return the files with unsaved rows of a database, the oldest first."""
    found: list[tuple[float, Path]] = []
    for folder, beginning in _places(url, create=False):
        with suppress(OSError):
            found += [
                (entry.stat(follow_symlinks=False).st_mtime, Path(entry.path))
                for entry in os.scandir(folder)
                if entry.name.startswith(beginning) and entry.name.endswith(".jsonl")
            ]
    return [path for _, path in sorted(found)]


def read(path: Path, url: str) -> Unsaved:
    """Read a file that ``keep`` wrote.

    Raises:
        StorageError: it belongs to somebody else, is damaged, or was made by something else.
        FileNotFoundError: another process has just taken it.
    """
    try:
        head, *lines = _read_own(path, url).splitlines()
        top = json.loads(head)
        if not isinstance(top, dict) or top.get("autoopt_unsaved") != FORM:
            raise StorageError("it was not written by this version of autoopt")
        body = "".join(f"{line}\n" for line in lines)
        if top.get("sha256") != hashlib.sha256(body.encode()).hexdigest():
            raise StorageError("it is not as it was written: its checksum differs")
        study = top.get("study")
        if not (isinstance(study, list) and len(study) == 3 and all(isinstance(part, str) for part in study)):
            raise StorageError("it does not say of which study it is")
        return _gather((study[0], study[1], study[2]), [json.loads(line) for line in lines])
    except FileNotFoundError:
        raise
    except (AutooptError, ValueError, TypeError, KeyError, RecursionError, OSError) as error:
        raise StorageError(f"{path} cannot be used: {error}") from error


def _lines(unsaved: Unsaved) -> Iterator[str]:
    for kind, found in (("run", unsaved.runs), ("report", unsaved.reports), ("record", unsaved.records)):
        for row in found:
            plain = {name: value for name, value in row.items() if name != "study_id"}
            yield json.dumps({kind: plain}, default=_plain)
    if unsaved.verdict is not None:
        yield json.dumps({"verdict": dict(unsaved.verdict)}, default=_plain)


def _plain(value: Any) -> Any:
    """Return a number of NumPy as one of Python."""
    return value.item()


def _gather(study: Identity, lines: Sequence[Any]) -> Unsaved:
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    for line in lines:
        if not (isinstance(line, dict) and len(line) == 1 and next(iter(line)) in _KINDS):
            raise StorageError(f"it has a line that is no row: {str(line)[:60]!r}")
        ((kind, row),) = line.items()
        if kind == "verdict":
            if not (isinstance(row, dict) and set(row) == {"created", "document"}):
                raise StorageError("its verdict is none")
            if datetime.fromisoformat(row["created"]).tzinfo is None or not isinstance(row["document"], dict):
                raise StorageError("its verdict is none")
        else:
            _check(kind, row)
        found[kind].append(row)
    if len(found["verdict"]) > 1:
        raise StorageError("it has more than one verdict")
    verdict = found["verdict"][0] if found["verdict"] else None
    return Unsaved(study, found["run"], found["report"], found["record"], verdict)


def _check(kind: str, row: Any) -> None:
    """Refuse a row with other columns than its table has, or with a value that is not of its column's type."""
    columns = _COLUMNS[kind]
    if not isinstance(row, dict) or not set(row) <= {column.name for column in columns}:
        raise StorageError(f"it has a {kind} with other columns than this version of autoopt knows")
    for column in columns:
        value = row.setdefault(column.name, None)
        if value is None:
            fits = bool(column.nullable)
        elif isinstance(column.type, Whole):
            fits = type(value) is int and abs(value) < 2**63
        elif isinstance(column.type, Number):
            fits = type(value) in (int, float)
        elif isinstance(column.type, Words):
            fits = isinstance(value, str) and value in _WORDS.get(column.name, (value,))
        elif isinstance(column.type, Boolean):
            fits = isinstance(value, bool)
        elif column.name == "rungs":
            fits = isinstance(value, list) and all(type(rung) is int for rung in value)
        else:
            fits = isinstance(value, dict)
        if not fits:
            raise StorageError(f"the {column.name} of a {kind} is {str(value)[:60]!r}")
    if kind != "report":
        Recipe.from_dict(row["recipe"])


def _places(url: str, *, create: bool) -> Iterator[tuple[Path, str]]:
    """Yield folders where such files may lie, best first, with what their names begin with."""
    path = database_path(url)
    if path is not None:
        yield path.parent, f"{path.name}-unsaved-"
    key = hashlib.sha256(shown_url(url).encode()).hexdigest()[:16]
    for folder in (_state_folder(), Path(tempfile.gettempdir()) / f"autoopt-{_user()}"):
        with suppress(OSError, RuntimeError):
            if create:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_private(folder):
                yield folder, f"{key}-unsaved-"


def _state_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "autoopt"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "autoopt"


def _user() -> str:
    return str(os.geteuid()) if hasattr(os, "geteuid") else "user"


def _is_private(folder: Path) -> bool:
    """Whether a folder is the user's own, and nobody else may put anything into it."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return False
    return os.name == "nt" or (found.st_uid == os.geteuid() and not found.st_mode & 0o022)


def _write(folder: Path, name: str, text: bytes) -> Path:
    """Write a file whole or not at all: nobody sees half of it, and nobody else may read it."""
    hidden, path = folder / f".{name}.part", folder / name
    try:
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(hidden, path)
    except BaseException:
        with suppress(OSError):
            hidden.unlink()
        raise
    return path


def _read_own(path: Path, url: str) -> str:
    """Return the text of a plain file of the user's own, or of the owner of the database."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise StorageError("it is no plain file")
        if os.name != "nt":
            database = database_path(url)
            owners = {os.geteuid()}
            if database is not None and database.exists():
                owners.add(database.stat().st_uid)
            if found.st_uid not in owners:
                raise StorageError("it belongs to another user")
        if found.st_size > LARGEST:
            raise StorageError(f"it is larger than {LARGEST // 2**20} MB")
        return file.read().decode()
