"""Every training of the benchmark, kept on disk: repeating an experiment costs nothing, and a kill costs one run.

One SQLite file in a folder outside the repository. A training is a function of task, recipe and seed, so its curve
serves every method that asks for it, in whatever order they come.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from autoopt.recipe import Recipe
from autoopt.run import EpochReport
from autoopt.tasks.task import Task

ENGINE = 1
"""Count this up when a change of autoopt's training makes old curves wrong."""

_FIELDS = {
    field.name: field.default for field in fields(EpochReport) if field.name not in ("run_id", "epoch")
}
_SCHEMA = """
create table if not exists curves (
    task text not null, recipe text not null, seed integer not null, epochs integer not null, data text not null,
    primary key (task, recipe, seed)) without rowid;
create table if not exists cells (
    name text not null primary key, data text not null) without rowid;
"""


@dataclass(frozen=True)
class Curve:
    """What is known of one training: a report for each epoch so far, and what each cost.

    Attributes:
        reports: from epoch 1 on; averaged weights scored at every epoch, the test data after the last.
        cpu_seconds: processor time of each epoch on one thread; on an idle core, its wall-clock time.
    """

    reports: tuple[EpochReport, ...] = ()
    cpu_seconds: tuple[float, ...] = ()

    @property
    def over(self) -> bool:
        """It diverged or failed, so there is nothing to go on with."""
        return bool(self.reports) and self.reports[-1].over


class CurveCache:
    """The folder that keeps curves and results.

    Args:
        folder: made when missing. Several processes may use it at once.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._connection = sqlite3.connect(folder / "curves.sqlite", timeout=120, isolation_level=None)
        self._connection.execute("pragma journal_mode=wal")
        self._connection.execute("pragma synchronous=normal")
        self._connection.executescript(_SCHEMA)

    def curve(self, task: Task, recipe: Recipe, seed: int) -> Curve:
        """Return what is known of a training; an empty curve if nothing is."""
        row = self._connection.execute(
            "select data from curves where task=? and recipe=? and seed=?",
            (task_key(task), _text(recipe), seed),
        ).fetchone()
        return Curve() if row is None else _read(row[0])

    def keep(self, task: Task, recipe: Recipe, seed: int, curve: Curve) -> None:
        """Write down a training, unless a longer one is there."""
        self._connection.execute(
            "insert into curves values (?,?,?,?,?) on conflict do update set epochs=excluded.epochs, "
            "data=excluded.data where excluded.epochs > epochs",
            (task_key(task), _text(recipe), seed, len(curve.reports), _write(curve)),
        )

    def curves(self, task: Task) -> Iterator[tuple[Recipe, int, Curve]]:
        """Yield every training of a task with its recipe and seed."""
        rows = self._connection.execute(
            "select recipe, seed, data from curves where task=? order by recipe, seed", (task_key(task),)
        )
        for recipe, seed, data in rows:
            yield Recipe.from_dict(json.loads(recipe)), seed, _read(data)

    def cell(self, name: str) -> dict[str, Any] | None:
        """Return the result of that name, ``None`` if there is none yet."""
        row = self._connection.execute("select data from cells where name=?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def cells(self, beginning: str, end: str) -> list[dict[str, Any]]:
        """Return the results whose names begin and end so."""
        rows = self._connection.execute(
            "select name, data from cells where substr(name, 1, ?) = ? order by name",
            (len(beginning), beginning),
        )
        return [json.loads(data) for name, data in rows if name.endswith(end)]

    def keep_cell(self, name: str, data: dict[str, Any]) -> None:
        """Write down a result."""
        self._connection.execute("insert or replace into cells values (?,?)", (name, json.dumps(data)))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def task_key(task: Task) -> str:
    """Return what makes curves of a task comparable: the task itself, torch and the engine."""
    return f"{task.fingerprint}-{torch.__version__}-{ENGINE}"


def _text(recipe: Recipe) -> str:
    """Return the recipe without what it leaves alone, so that a new field of recipes does not orphan old curves."""
    return json.dumps(
        {k: v for k, v in recipe.to_dict().items() if v not in (None, False, {})}, sort_keys=True
    )


def _write(curve: Curve) -> str:
    """A column a field of the reports, but for those that are all at their default; JSON as Python has it, with NaN."""
    columns = {name: [getattr(report, name) for report in curve.reports] for name in _FIELDS}
    told = {name: values for name, values in columns.items() if any(v != _FIELDS[name] for v in values)}
    return json.dumps({"epochs": len(curve.reports), "cpu_seconds": curve.cpu_seconds, "reports": told})


def _read(text: str) -> Curve:
    data = json.loads(text)
    told = data["reports"]
    reports = (
        EpochReport(0, n + 1, **{name: values[n] for name, values in told.items()})
        for n in range(data["epochs"])
    )
    return Curve(tuple(reports), tuple(data["cpu_seconds"]))
