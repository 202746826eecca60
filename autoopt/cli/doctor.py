"""The command ``doctor``: what is installed, what can be trained on, where studies go."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import typer

from autoopt import __version__
from autoopt.cli import display
from autoopt.cli.exits import FAILED
from autoopt.cli.options import DEFAULT_STORAGE, AsJson, Storage
from autoopt.cli.plain import without_password
from autoopt.errors import StorageError

_PACKAGES = (
    "torch",
    "numpy",
    "optuna",
    "sqlalchemy",
    "scikit-learn",
    "scipy",
    "torchmetrics",
    "typer",
    "rich",
)


def examine(storage: Storage = DEFAULT_STORAGE, json: AsJson = False) -> None:
    """Show versions, devices, threads and storage, and what is wrong with them.

    Reads the whole database to find damage, about a second for each 100 MB. Ends with status 1 when something is
    missing or the storage cannot be used.

    \b
    Examples
      autoopt doctor
      autoopt doctor --storage studies.db --json
    """
    findings: dict[str, Any] = {
        "versions": _versions(),
        "devices": _devices(),
        "threads": _threads(),
        "storage": _storage(storage),
    }
    troubles = [f"{name} is not installed" for name, found in findings["versions"].items() if found is None]
    troubles += [findings["storage"]["trouble"]] if findings["storage"]["trouble"] else []
    troubles += [f"in the storage: {fault}" for fault in findings["storage"]["faults"]]
    if json:
        display.say_json({**findings, "troubles": troubles})
    else:
        display.say_rows(("what", "found"), list(_rows(findings)))
        display.say("\nall is well" if not troubles else "")
        for trouble in troubles:
            display.complain(trouble)
    if troubles:
        raise typer.Exit(FAILED)


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"autoopt": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def _devices() -> dict[str, str]:
    """Return the name of each device that torch can train on, the one that ``auto`` takes first."""
    try:
        import torch
    except ImportError:
        return {}
    devices = {f"cuda:{k}": torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())}
    if torch.backends.mps.is_available():
        devices["mps"] = "Apple GPU"
    return {**devices, "cpu": platform.processor() or platform.machine()}


def _threads() -> dict[str, Any]:
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    threads: dict[str, Any] = {"processors": os.cpu_count(), "usable": usable}
    if "torch" in sys.modules:
        threads["torch"] = sys.modules["torch"].get_num_threads()
    threads["waiting"] = os.environ.get("OMP_WAIT_POLICY", "not set")
    return threads


def _storage(storage: str) -> dict[str, Any]:
    """Look at the storage without creating it: can it be written, is it sound, does something wait to be put in."""
    from autoopt.records.integrity import find_faults
    from autoopt.records.location import database_path, shown_url, storage_url
    from autoopt.records.place import network_of
    from autoopt.records.store import Store
    from autoopt.records.unsaved import find

    found: dict[str, Any] = {
        "place": without_password(storage),
        "studies": None,
        "unsaved": [],
        "faults": [],
        "trouble": "",
    }
    try:
        url = storage_url(storage)
        found["place"] = shown_url(url)
        found["unsaved"] = list(map(str, find(url)))
        path = database_path(url)
        if path is not None and not path.exists():
            if not os.access(path.parent, os.W_OK):
                found["trouble"] = f"the folder {path.parent} of the storage is missing or write-protected"
            return found
        if path is not None and not os.access(path, os.W_OK):
            found["trouble"] = f"the storage {path} is write-protected"
        elif path is not None and (kind := network_of(path)):
            found["trouble"] = f"the storage {path} lies on a network file system ({kind}): use a local disk"
        with Store.open(storage, readonly=True) as store:
            with store.reading() as connection:
                found["faults"] = find_faults(connection, url)
            found["studies"] = len(store.studies())
    except StorageError as error:
        found["trouble"] = str(error)
    return found


def _rows(findings: dict[str, Any]) -> list[tuple[str, str]]:
    threads, storage = findings["threads"], findings["storage"]
    rows = [(name, version or "not installed") for name, version in findings["versions"].items()]
    rows += [(f"device {name}", title) for name, title in findings["devices"].items()]
    rows.append(("threads", ", ".join(f"{name} {value}" for name, value in threads.items())))
    held = "new" if storage["studies"] is None else f"{storage['studies']} studies"
    troubled = storage["trouble"] or storage["faults"]
    rows.append(("storage", f"{Path(storage['place'])} ({'trouble' if troubled else held})"))
    rows += [("unsaved", f"{path} (the next 'autoopt tune' puts it in)") for path in storage["unsaved"]]
    return rows
