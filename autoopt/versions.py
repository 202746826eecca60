"""Versions of the software that a result rests on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from autoopt import __version__

_PACKAGES = ("torch", "optuna", "numpy", "scipy", "sqlalchemy", "pytorch_optimizer")


def software_versions() -> dict[str, str]:
    """Return version numbers by name: autoopt, Python, and the packages whose code decides results."""
    found = {"autoopt": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
