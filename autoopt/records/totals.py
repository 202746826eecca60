"""Totals of studies, added up by the database."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, case, func, select

from autoopt.records.alive import interrupted_studies
from autoopt.records.rows import STUDY_COLUMNS, read_study
from autoopt.records.study import StudySummary
from autoopt.records.tables import RUNS, STUDIES
from autoopt.run import RunState

_LARGEST = sys.float_info.max


def summarize(connection: Connection) -> list[StudySummary]:
    """Return all studies with their totals, the last one saved to first."""
    finite = case((RUNS.c.score.between(-_LARGEST, _LARGEST), RUNS.c.score))
    query = select(
        RUNS.c.study_id,
        RUNS.c.state,
        func.count().label("runs"),
        func.sum(RUNS.c.epochs_done).label("epochs"),
        func.sum(RUNS.c.seconds).label("seconds"),
        func.min(finite).label("lowest"),
        func.max(finite).label("highest"),
    ).group_by(RUNS.c.study_id, RUNS.c.state)
    by_study: dict[int, list[Row[*tuple[Any, ...]]]] = defaultdict(list)
    for row in connection.execute(query):
        by_study[row.study_id].append(row)
    studies = connection.execute(
        select(*STUDY_COLUMNS, STUDIES.c.id).order_by(STUDIES.c.updated.desc(), STUDIES.c.id)
    )
    all_studies = studies.all()
    over = (
        interrupted_studies(connection) if any(row.state == "running" for row in all_studies) else set[int]()
    )
    found = []
    for row in all_studies:
        summary = _summary(row, by_study[row.id])
        charged = _charged_epochs(connection, row.id, summary.study.options.get("costs") or {})
        study = replace(summary.study, state="interrupted") if row.id in over else summary.study
        found.append(replace(summary, study=study, charged_epochs=charged))
    return found


def _charged_epochs(connection: Connection, study_id: int, costs: Mapping[str, float]) -> float | None:
    """Return the epochs of a study, each for as many as one of its optimizer costs; ``None`` where all cost one."""
    if not costs:
        return None
    query = select(RUNS.c.recipe, RUNS.c.epochs_done).where(RUNS.c.study_id == study_id)
    runs = connection.execute(query)
    return float(sum(row.epochs_done * costs.get(row.recipe["optimizer"], 1.0) for row in runs))


def _summary(row: Row[*tuple[Any, ...]], states: list[Row[*tuple[Any, ...]]]) -> StudySummary:
    study = read_study(row)
    finished = [
        r.lowest if study.direction == "minimize" else r.highest
        for r in states
        if r.state == RunState.FINISHED
    ]
    return StudySummary(
        study=study,
        runs={RunState(r.state): r.runs for r in states},
        spent_epochs=sum(int(r.epochs) for r in states),
        seconds=float(sum(r.seconds for r in states)),
        best_score=finished[0] if finished else None,
    )
