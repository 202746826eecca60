"""Optimizer classes of the user's: where they live, and how they are imported from there."""

from __future__ import annotations

import importlib
import inspect
import sys
import textwrap
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from torch.optim import Optimizer

from autoopt.errors import SpaceError, TaskError
from autoopt.recipe import Own
from autoopt.tasks.explain import describe_error, is_library
from autoopt.tasks.fingerprint import fingerprint_code
from autoopt.tasks.load import run_file
from autoopt.tasks.location import locate
from autoopt.tasks.randomness import OwnRandomness

EXAMPLE = "write package.module:Class or path/to/file.py:Class"


def find_class(source: str) -> tuple[Own, Any]:
    """Return where the class of ``package.module:Class`` or ``path/to/file.py:Class`` is, and the class.

    Raises:
        SpaceError: it is not there, cannot be imported, or is no torch optimizer.
    """
    place, colon, path = source.rpartition(":")
    if not (place and colon and all(part.isidentifier() for part in path.split("."))):
        raise SpaceError(f"{source!r} names no optimizer class: {EXAMPLE}")
    own = Own(f"{place}:{path}")
    if not _is_installed(place):
        try:
            location = locate(place)
        except TaskError as error:
            raise SpaceError(f"{source}: {error}") from error
        file = str(location.file)
        own = Own(f"{location.module}:{path}", file if location.lasting == file else None)
    cls = load_class(own)
    return replace(own, code=code_of(cls, own)), cls


def locate_class(cls: Any) -> Own:
    """Return where a class lives that a program has in its hands, so that other processes find it too.

    Raises:
        SpaceError: it is no torch optimizer, or cannot be found by its name.
    """
    if not isinstance(cls, type) or not issubclass(cls, Optimizer):
        raise SpaceError(f"{cls!r} is no torch optimizer: give a subclass of torch.optim.Optimizer")
    if "<" in cls.__qualname__:
        raise SpaceError(
            f"{cls.__qualname__} is defined inside a function, where nobody else can import it: move it to the "
            "top of a module"
        )
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    alone = cls.__module__ == "__main__" or file is None or is_library(file)
    own = Own(f"{cls.__module__}:{cls.__qualname__}", None if alone else str(Path(str(file)).resolve()))
    if load_class(own) is not cls:
        raise SpaceError(f"{own.target} is another class than the one given: give that under its own name")
    return replace(own, code=code_of(cls, own))


def load_class(own: Own) -> Any:
    """Return the class, importing its module unless this process has it already.

    Raises:
        SpaceError: it cannot be imported, is not there, or is no torch optimizer.
    """
    name, _, path = own.target.partition(":")
    found: Any = _module(name, own.file)
    module = found
    for part in path.split("."):
        if not hasattr(found, part):
            raise SpaceError(f"{own.file or name} has no {path!r}{_classes_of(module)}")
        found = getattr(found, part)
    if not (isinstance(found, type) and issubclass(found, Optimizer)):
        raise SpaceError(
            f"{own.target} is no torch optimizer: it must be a subclass of torch.optim.Optimizer"
        )
    return found


def code_of(cls: Any, own: Own) -> str:
    """Return the fingerprint of its file, or of the class where only the module is known; empty if unreadable."""
    with suppress(OSError, TypeError, SyntaxError):
        if own.file is not None:
            return fingerprint_code(Path(own.file).read_bytes())
        return fingerprint_code(textwrap.dedent(inspect.getsource(cls)).encode())
    return ""


def _module(name: str, file: str | None) -> ModuleType:
    module = sys.modules.get(name)
    if file is None:
        return module or _import(name)
    here = getattr(module, "__file__", None)
    if module is not None and here is not None and Path(here).resolve() == Path(file):
        return module
    try:
        return _run(file, Path(file).read_bytes())
    except OSError as error:
        raise SpaceError(f"the file of an optimizer cannot be read: {file}: {error.strerror}") from error


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise SpaceError(f"{name} cannot be imported: {describe_error(error)}") from error


@lru_cache(maxsize=16)
def _run(file: str, code: bytes) -> ModuleType:  # noqa: ARG001  # other code is another module
    location = locate(Path(file))
    surroundings = location.surroundings()
    try:
        with surroundings(), OwnRandomness(0):
            return run_file(location, surroundings)
    except TaskError as error:
        raise SpaceError(str(error)) from error


def _is_installed(module: str) -> bool:
    """Return whether a dotted name is that of an installed library, and not of the user's own files."""
    if not all(part.isidentifier() for part in module.split(".")):
        return False
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return False
    if spec is None or spec.origin is None:
        return False
    return module.partition(".")[0] in sys.stdlib_module_names or is_library(spec.origin)


def _classes_of(module: ModuleType) -> str:
    here = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, Optimizer)]
    return f"; its optimizer classes: {', '.join(here)}" if here else ", nor any other optimizer class"
