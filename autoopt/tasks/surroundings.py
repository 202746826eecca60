"""Surroundings: the folder and the import path in which the user's code runs, set up and taken back."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

# Names that a file beside the user's must never stand for: autoopt and torch import these while they work.
PROTECTED = frozenset(sys.stdlib_module_names) | frozenset(
    [
        "autoopt",
        "torch",
        "torchgen",
        "functorch",
        "numpy",
        "scipy",
        "sklearn",
        "joblib",
        "threadpoolctl",
        "torchmetrics",
        "lightning_utilities",
        "optuna",
        "sqlalchemy",
        "yaml",
        "typer",
        "rich",
        "typing_extensions",
        "sympy",
        "mpmath",
        "networkx",
        "jinja2",
        "fsspec",
        "filelock",
        "triton",
    ]
)


class Surroundings:
    """A context, entered as often as wanted, in which the user's code finds its folder and its neighbours.

    Inside, the working directory is the file's folder, this folder is first on the import path, and modules
    that lie there win over others of their name that were imported before. On leaving, all is as it was; the
    user's modules are put aside for the next time.

    Args:
        folder: where the user's file lies.
        root: where its top-level package lies; the same as ``folder`` for a file outside of packages.
        own_name: name of the user's module.
        protected: names that are never looked for among the user's files, beside those of ``PROTECTED``.
    """

    def __init__(
        self, folder: Path, root: Path, own_name: str, protected: frozenset[str] = frozenset()
    ) -> None:
        self.folder = folder
        self.own_name = own_name
        self._homes = [root, folder] if root != folder else [folder]
        self._protected = PROTECTED | protected
        self._finder = _ProtectingFinder(self._protected, self._homes)
        self._modules: dict[str, ModuleType] = {}
        self._path: list[str] = []
        self._inside = False
        # Looking through all modules takes milliseconds and is done for every epoch: so only when some were imported.
        self._names_outside: frozenset[str] = frozenset()
        self._names_inside: frozenset[str] = frozenset()
        self._hiding: list[str] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        if self._inside:
            yield
            return
        path, cwd = list(sys.path), _current_folder()
        if sys.modules.keys() != self._names_outside:
            self._names_outside, self._hiding = frozenset(sys.modules), self._find_hiding()
            self._names_inside = self._names_outside - {*self._hiding} | self._modules.keys()
        before = {name: sys.modules.pop(name) for name in self._hiding}
        sys.modules.update(self._modules)
        sys.path[:] = self._path or [*map(str, self._homes), *path]
        sys.meta_path.insert(0, self._finder)
        os.chdir(self.folder)
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
            self._path = list(sys.path)  # what the user's code added to it holds the next time too
            sys.path[:] = path
            sys.meta_path.remove(self._finder)
            self._take_back(before)
            if cwd is not None:
                os.chdir(cwd)

    def protected_neighbours(self) -> list[str]:
        """Return the names of the user's files that hide behind a protected module of the same name."""
        return sorted(self._neighbours[0] & self._protected)

    def _find_hiding(self) -> list[str]:
        """Return the modules that would hide the user's: of the same name, imported from elsewhere."""
        modules, folders = self._neighbours
        foreign = {n for n in (modules | folders) - self._protected if n in sys.modules}
        foreign = {n for n in foreign if not self._is_ours(sys.modules[n])}
        # a folder without __init__.py gives way to any installed module, as in Python itself
        hiding = {n for n in foreign if n in modules or getattr(sys.modules[n], "__file__", None) is None}
        return [
            name
            for name in sys.modules
            if name.partition(".")[0] in hiding or name == self.own_name or name in self._modules
        ]

    def _take_back(self, before: dict[str, ModuleType]) -> None:
        """Keep the user's modules for the next time, and put back what was taken out.

        Packages of the user's that were imported before, by the surrounding program, stay where they are.
        """
        names = list(self._modules)
        if sys.modules.keys() != self._names_inside:
            new = sys.modules.keys() - (self._names_inside - self._modules.keys())
            tops = {name for name in new if "." not in name}
            ours = {name for name in tops - self._protected if self._is_ours(sys.modules[name])}
            names = [n for n in sys.modules if n == self.own_name or n.partition(".")[0] in ours]
            self._names_outside = frozenset()  # so that the next time looks again
        self._modules = {name: sys.modules.pop(name) for name in names}
        sys.modules.update(before)

    @cached_property
    def _neighbours(self) -> tuple[set[str], set[str]]:
        """What lies beside the user's file and its package: modules and packages, and mere folders."""
        modules: set[str] = set()
        folders: set[str] = set()
        for home in self._homes:
            for entry in os.scandir(home):
                if entry.name.endswith(".py"):
                    modules.add(entry.name.removesuffix(".py"))
                elif entry.name.isidentifier() and entry.is_dir():
                    package = os.path.exists(os.path.join(entry.path, "__init__.py"))
                    (modules if package else folders).add(entry.name)
        return modules, folders

    def _is_ours(self, module: ModuleType) -> bool:
        """Return whether a top-level module lies in one of the homes; installed packages never do."""
        file = getattr(module, "__file__", None)
        if file is None:
            parents = [Path(place).parent for place in getattr(module, "__path__", [])]
        else:
            path = Path(file)
            parents = [path.parent.parent if path.name == "__init__.py" else path.parent]
        return any(parent.resolve() in self._homes for parent in parents)


class _ProtectingFinder:
    """Finds protected modules anywhere but among the user's files."""

    def __init__(self, protected: frozenset[str], homes: Sequence[Path]) -> None:
        self._protected = protected
        self._homes = homes

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or name not in self._protected:
            return None
        return PathFinder.find_spec(
            name, [p for p in sys.path if Path(p).resolve() not in self._homes], target
        )


def _current_folder() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:  # deleted under our feet
        return None
