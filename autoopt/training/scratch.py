"""Scratch: a private folder for as long as a process needs it; what killed processes left is swept up by later ones."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOCK = "in-use"
_NAME = re.compile(r"autoopt-\d+-[0-9a-f]{8}")


class Scratch:
    """A folder in the system's temporary folder, for its owner alone; it goes with this object.

    While the process lives it holds a lock on a file in it, which the system lets go of however the process ends. A
    number of a process would say less: it is given again, and is another one in each container that shares the folder.

    Attributes:
        path: of the folder.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self) -> None:
        made = Path(tempfile.mkdtemp(prefix="autoopt-new-"))  # nobody sweeps this before it is locked
        lock = os.open(made / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.path = made.rename(made.with_name(f"autoopt-{os.getpid()}-{secrets.token_hex(4)}"))
        # also called when the program ends, whatever ends it short of a kill
        self._end = weakref.finalize(self, _remove, self.path, lock, os.getpid())

    def close(self) -> None:
        """Delete the folder with all that is in it."""
        self._end()


def sweep() -> None:
    """Delete the folders that processes of this user left when they were killed; those in use stay."""
    if fcntl is None:
        return
    with suppress(OSError):
        found = [path for path in Path(tempfile.gettempdir()).iterdir() if _NAME.fullmatch(path.name)]
        for path in found:
            with suppress(OSError):
                if not path.is_symlink() and path.stat().st_uid == os.getuid():
                    _sweep_one(path)


def _sweep_one(path: Path) -> None:
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its process lives
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


def _remove(path: Path, lock: int, owner: int) -> None:
    if os.getpid() != owner:
        return  # a copy that the user's code has forked
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)
