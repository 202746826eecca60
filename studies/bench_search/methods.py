"""The list of methods, and how a search of one's own joins it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from autoopt.errors import UsageError, unknown_name
from studies.bench_search import defaults, optuna_peers, own
from studies.bench_search.bench import Bench, Search

LONG, MEDIUM = (5, 10, 12, 20, 40, 100), (5, 10, 12, 20, 40)


@dataclass(frozen=True)
class Method:
    """A way of finding a recipe.

    Attributes:
        name: as in tables and on the command line.
        title: as people read it.
        search: does it.
        budgets: complete trainings that it is asked about where nobody names others.
        anytime: one search with the largest budget answers for the smaller ones, as it does not know its budget.
        package: what must be installed, by the name of its distribution and of its module.
        version: stands for the code; results of another version are not reused.
    """

    name: str
    title: str
    search: Search
    budgets: tuple[int, ...] = MEDIUM
    anytime: bool = True
    package: tuple[str, str] | None = None
    version: Callable[[], str] = lambda: "1"

    @property
    def installed(self) -> bool:
        """Whether what it needs is there."""
        return self.package is None or find_spec(self.package[1]) is not None


def _version_of(distribution: str) -> Callable[[], str]:
    def read() -> str:
        try:
            return version(distribution)
        except PackageNotFoundError:
            return "none"

    return read


def _later(module: str) -> Search:
    """Return a method of a module that is imported when it runs, since it may not be installed."""

    def search(bench: Bench) -> None:
        import_module(f"studies.bench_search.{module}").search(bench)

    return search


_OPTUNA = _version_of("optuna")
METHODS = {
    method.name: method
    for method in (
        Method("adamw", "AdamW defaults", defaults.adamw_default),
        Method("defaults", "best of all defaults", defaults.best_default),
        Method("random", "random search", optuna_peers.random, LONG, version=_OPTUNA),
        Method("tpe", "Optuna TPE", optuna_peers.tpe, LONG, version=_OPTUNA),
        Method("tpe-wide", "Optuna TPE, wide rates", optuna_peers.tpe_wide, LONG, version=_OPTUNA),
        Method("tpe-median", "Optuna TPE + median", optuna_peers.tpe_median, version=_OPTUNA),
        Method("tpe-hyperband", "Optuna TPE + Hyperband", optuna_peers.tpe_hyperband, version=_OPTUNA),
        Method("cma-es", "CMA-ES (Optuna)", optuna_peers.cma_es, package=("cmaes", "cmaes"),
               version=_version_of("cmaes")),
        Method("smac-hyperband", "SMAC3 Hyperband", _later("smac_peer"), package=("smac", "smac"),
               version=_version_of("smac")),
        Method("autoopt", "autoopt", own.tune, (5, 10, 12, 20, 40), anytime=False, version=own.source_digest),
    )
}  # fmt: skip


def find_method(name: str) -> Method:
    """Return a method by its name, or a search of one's own as ``module:function``.

    A search of one's own is taken to know its budget, unless it has an attribute ``anytime`` that is true.

    Raises:
        UsageError: there is no such method, module or function.
    """
    if ":" not in name:
        if name not in METHODS:
            raise UsageError(unknown_name("method", name, METHODS) + "; one of your own is module:function")
        return METHODS[name]
    return _own_method(name)


def import_function(name: str) -> Any:
    """Return the function that ``module:function`` names.

    Raises:
        UsageError: there is none.
    """
    module, _, function = name.partition(":")
    try:
        return getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"method {name!r}: {error}; write module:function, importable from here") from error


@cache
def _own_method(name: str) -> Method:
    search = import_function(name)
    anytime = bool(getattr(search, "anytime", False))
    return Method(
        name, name.partition(":")[2].replace("_", " "), search, MEDIUM, anytime, version=own.source_digest
    )
