"""Values to rows and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, get_args

from sqlalchemy import ColumnElement, Row, null

from autoopt.recipe import Recipe
from autoopt.records.study import StudyRecord
from autoopt.records.tables import COLUMNS_SINCE, EPOCHS, RUNS, STUDIES
from autoopt.run import Direction, EpochReport, Purpose, Run, RunRecord, RunState

OUTCOME = ("state", "score", "epochs_done", "seconds", "note", "test_score")

STUDY_COLUMNS = [STUDIES.c[field.name] for field in fields(StudyRecord)]
RUN_COLUMNS = [RUNS.c[field.name] for field in fields(Run)] + [RUNS.c[name] for name in OUTCOME]
REPORT_COLUMNS = [EPOCHS.c[field.name] for field in fields(EpochReport)]

REPORT_VALUES = tuple(column.name for column in REPORT_COLUMNS if not column.primary_key)
_REPORT_FIELDS = ("run_id", "epoch", *REPORT_VALUES)
_RUN_FIELDS = tuple(field.name for field in fields(Run))


def report_columns(version: int) -> list[ColumnElement[Any]]:
    """Return ``REPORT_COLUMNS`` for a database of this version of the schema; what it lacks reads as NULL."""
    later = {name for since, names in COLUMNS_SINCE.items() if since > version for name in names}
    return [null().label(column.name) if column.name in later else column for column in REPORT_COLUMNS]


def study_row(record: StudyRecord) -> dict[str, Any]:
    """Return the columns of a study."""
    return {**vars(record), "options": dict(record.options)}


def read_study(row: Row[*tuple[Any, ...]]) -> StudyRecord:
    """Return the study in a row that begins with ``STUDY_COLUMNS``."""
    record = StudyRecord(*row[: len(STUDY_COLUMNS)])
    if not isinstance(record.options, Mapping):
        raise ValueError(f"the options of study {record.name!r} are {str(record.options)[:80]!r}")
    if record.direction not in get_args(Direction):
        raise ValueError(f"the direction of study {record.name!r} is {record.direction!r}")
    if type(record.epochs) is not int or record.epochs < 1 or type(record.seed) is not int:
        raise ValueError(
            f"epochs and seed of study {record.name!r} are {record.epochs!r} and {record.seed!r}"
        )
    return record


def run_rows(study_id: int, records: Iterable[RunRecord]) -> list[dict[str, Any]]:
    """Return the columns of runs with their outcomes."""
    return [
        {"study_id": study_id}
        | {name: getattr(record.run, name) for name in _RUN_FIELDS}
        | {name: getattr(record, name) for name in OUTCOME}
        | {"recipe": record.run.recipe.to_dict(), "rungs": list(record.run.rungs)}
        | {"purpose": str(record.run.purpose), "state": str(record.state)}
        for record in records
    ]


def read_run(row: Row[*tuple[Any, ...]]) -> RunRecord:
    """Return the run in a row of ``RUN_COLUMNS``."""
    number, recipe, seed, epochs, purpose, trial, cohort, rungs, state, *outcome = row
    if not type(seed) is type(epochs) is type(cohort) is int or not all(type(rung) is int for rung in rungs):
        raise ValueError(f"seed, epochs and rungs of run {number} are {seed!r}, {epochs!r} and {rungs!r}")
    run = Run(number, Recipe.from_dict(recipe), seed, epochs, Purpose(purpose), trial, cohort, tuple(rungs))
    return RunRecord(run, RunState(state), *outcome)


def report_rows(study_id: int, reports: Iterable[EpochReport]) -> list[dict[str, Any]]:
    """Return the columns of reports."""
    return [
        {"study_id": study_id} | {name: getattr(report, name) for name in _REPORT_FIELDS}
        for report in reports
    ]


def read_report(row: Row[*tuple[Any, ...]]) -> EpochReport:
    """Return the report in a row of ``report_columns``."""
    return EpochReport(*row)
