"""Where the user's code is: the file behind a path or a dotted module name, and the package it belongs to."""

from __future__ import annotations

import difflib
import os
import re
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from autoopt.errors import TaskError
from autoopt.tasks.surroundings import PROTECTED, Surroundings


@dataclass(frozen=True)
class Location:
    """A Python file as a module.

    Attributes:
        module: dotted name under which it is imported.
        root: folder from which that name is found.
        aliases: names that the file must not be imported by, as an installed package has them.
    """

    file: Path
    module: str
    root: Path
    aliases: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What to call the task: the file's name, or its folder's for a package."""
        return self.file.parent.name if self.file.stem == "__init__" else self.file.stem

    @property
    def lasting(self) -> str:
        """What finds the file again from any working directory: its path, or the module if only that does."""
        return str(self.file) if _locate_file(self.file).module == self.module else self.module

    def surroundings(self) -> Surroundings:
        """Return the context in which the file's code runs."""
        return Surroundings(self.file.parent, self.root, self.module, self.aliases)


def locate(source: str | Path) -> Location:
    """Find the file behind ``FILE.py`` or ``package.module``, without running anything.

    Raises:
        TaskError: there is none.
    """
    text = str(source)
    if not text.strip():
        raise TaskError("the task has no name: give a Python file such as task.py, or package.module")
    path = Path(source).expanduser()
    try:
        path.exists()
    except OSError as error:
        raise TaskError(f"{text[:80]!r} cannot be reached ({error.strerror}): give another path") from error
    if isinstance(source, Path) or text.endswith(".py") or os.sep in text or "/" in text or path.exists():
        if path.suffix == ".py" and path.is_file():
            return _locate_file(path.resolve())
        if not path.is_dir() or text.endswith(".py") or not re.fullmatch(r"\w+(\.\w+)*", text):
            raise TaskError(_say_missing(path))
    return _locate_module(text)


def _locate_file(file: Path) -> Location:
    """Place a file in the package it lies in, or by itself."""
    names, root = [] if file.stem == "__init__" else [file.stem], file.parent
    while (root / "__init__.py").is_file() and root.name.isidentifier() and root.name not in PROTECTED:
        names.insert(0, root.name)
        root = root.parent
    if root != file.parent and all(name.isidentifier() for name in names):
        return Location(file, ".".join(names), root)
    if file.stem in PROTECTED or _is_installed(file.stem, file.parent):
        return Location(file, f"{file.stem}_task", file.parent, frozenset({file.stem}))
    return Location(file, re.sub(r"\W", "_", file.stem), file.parent)


def _locate_module(name: str) -> Location:
    """Follow a dotted name through its packages, the current folder first."""
    parts = name.split(".")
    search: list[str] | None = [str(Path.cwd()), *sys.path]
    spec = None
    for part in parts:
        spec = PathFinder.find_spec(part, search) if search and part.isidentifier() else None
        if spec is None:
            raise TaskError(f"no such file or module: {name!r}{_near_file(Path(name))}")
        search = list(spec.submodule_search_locations or [])
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise TaskError(
            f"{name!r} is a folder, not a Python file or module: give the file in it that has the task"
        )
    file = Path(spec.origin).resolve()
    steps = len(parts) if file.name == "__init__.py" else len(parts) - 1
    if parts[0] in PROTECTED:
        return _locate_file(file)
    return Location(file, name, file.parents[steps])


def _is_installed(name: str, folder: Path) -> bool:
    elsewhere = [place for place in sys.path if Path(place).resolve() != folder]
    return name.isidentifier() and PathFinder.find_spec(name, elsewhere) is not None


def _say_missing(path: Path) -> str:
    if path.is_dir():
        return f"{str(path)!r} is a folder: give the Python file in it that has the task"
    if path.exists() and path.suffix == ".py":
        return f"{str(path)!r} is a pipe or a device: give a Python file"
    if path.exists():
        return f"{str(path)!r} is not a Python file: its name must end in .py"
    return f"no such file: {str(path)!r}{_near_file(path)}"


def _near_file(path: Path) -> str:
    folder = path.parent
    files = (entry for entry in folder.glob("*.py") if entry.is_file()) if folder.is_dir() else ()
    known = sorted(entry.name for entry in files)
    near = difflib.get_close_matches(path.name, known, n=1, cutoff=0.6)
    return f"; did you mean {str(folder / near[0])!r}?" if near else ""
