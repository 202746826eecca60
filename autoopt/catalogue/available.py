"""Which optimizers can be used here: some live in libraries that come with an extra of autoopt."""

from __future__ import annotations

from importlib.util import find_spec

from autoopt.catalogue.entry import OptimizerEntry
from autoopt.errors import SpaceError


def is_available(entry: OptimizerEntry) -> bool:
    """Return whether the library of an optimizer is installed; it is not imported."""
    return entry.extra is None or find_spec(_library(entry)) is not None


def check_available(entry: OptimizerEntry) -> None:
    """Make sure that the library of an optimizer is installed.

    Raises:
        SpaceError: it is not; the extra that brings it is named.
    """
    if not is_available(entry):
        raise SpaceError(
            f"{entry.title} lives in {_library(entry)}, which is not installed: "
            f"pip install 'autoopt[{entry.extra}]'"
        )


def _library(entry: OptimizerEntry) -> str:
    return (entry.around or entry).target.partition(":")[0].partition(".")[0]
