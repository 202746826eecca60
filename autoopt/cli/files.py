"""Files that a command will write, looked at before the work begins."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile

from autoopt.errors import UsageError


def check_writable(path: Path) -> None:
    """Refuse a result file that cannot be written before hours are spent on its content."""
    if path.is_dir():
        raise UsageError(f"--json {path} is a folder: name a file in it, such as {path / 'out.json'}")
    try:
        if path.exists() and not path.is_file():  # a pipe or a device
            path.open("a").close()
        else:
            with TemporaryFile(dir=path.resolve().parent):
                pass
    except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself
        raise UsageError(
            f"--json {path} cannot be written ({error}): name a file in a folder that exists and is writable"
        ) from error
