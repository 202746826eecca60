"""A finished study as runs of MLflow: a run for the study, and one below it for every run that was trained.

``pip install 'autoopt[mlflow]'``
"""

from __future__ import annotations

import math
from typing import Any

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from autoopt.history import Study, run_row
from autoopt.run import RunRecord, RunState

_PARENT = "mlflow.parentRunId"
_NAME = "mlflow.runName"
_OUTCOMES = ("score", "test_score", "epochs_done", "seconds")
_CURVES = ("train_loss", "valid_loss", "score", "averaged_score", "learning_rate", "gradient_norm")
_MOST_AT_ONCE = 1000  # metrics that MLflow takes in one call
_STATUS = {RunState.FINISHED: "FINISHED", RunState.STOPPED: "KILLED", RunState.RUNNING: "RUNNING"}


def log_study(study: Study, *, experiment: str | None = None, tracking_uri: str | None = None) -> str:
    """Write a study to MLflow, every run with its settings, outcome and curves.

    Args:
        study: as ``autoopt.load_study`` returns it.
        experiment: its name in MLflow; that of the study's task if ``None``.
        tracking_uri: of the server or folder; MLflow's own setting if ``None``.

    Returns:
        The id of the run that stands for the study.
    """
    client = MlflowClient(tracking_uri)
    name = experiment or study.record.task
    found = client.get_experiment_by_name(name)
    place = client.create_experiment(name) if found is None else found.experiment_id
    whole = client.create_run(place, run_name=study.name, start_time=_milliseconds(study)).info.run_id
    client.log_batch(whole, _answer(study), _params({"objective": study.record.objective,
                     "direction": study.record.direction, "epochs": study.record.epochs}))  # fmt: skip
    if study.recommendation is not None:
        client.log_dict(whole, study.recommendation.to_dict(), "recommendation.json")
    for record in study.runs:
        _log_run(client, place, whole, study, record)
    client.set_terminated(whole, "FINISHED" if study.record.state == "done" else "KILLED")
    return str(whole)


def _log_run(client: MlflowClient, place: str, whole: str, study: Study, record: RunRecord) -> None:
    row = run_row(record)
    tags = {_PARENT: whole, _NAME: f"run {record.run.id} · {record.run.recipe.optimizer}", "state": row["state"],
            "purpose": row["purpose"], "note": record.note}  # fmt: skip
    at = _milliseconds(study)
    run = client.create_run(place, start_time=at, tags=tags).info.run_id
    hidden = {"run", "purpose", "state", "note", *_OUTCOMES}
    metrics = [Metric(name, row[name], at, 0) for name in _OUTCOMES if row[name] is not None]
    for report in study.epochs.get(record.run.id, ()):
        values = {name: getattr(report, name) for name in _CURVES} | dict(report.metrics or {})
        metrics += [Metric(f"epoch/{name}", value, at, report.epoch) for name, value in values.items()
                    if value is not None and math.isfinite(value)]  # fmt: skip
    client.log_batch(run, params=_params({name: value for name, value in row.items() if name not in hidden}))
    for start in range(0, len(metrics), _MOST_AT_ONCE):
        client.log_batch(run, metrics[start : start + _MOST_AT_ONCE])
    client.set_terminated(run, _STATUS.get(record.state, "FAILED"))


def _answer(study: Study) -> list[Metric]:
    found = study.recommendation
    if found is None:
        return []
    values: dict[str, Any] = {"score": found.chosen.mean, "baseline": found.baseline.mean,
                              "chance_best": found.chance_best, "search_runs": found.spent.search_runs,
                              "gain": None if found.gain is None else found.gain.middle}  # fmt: skip
    return [
        Metric(name, value, _milliseconds(study), 0) for name, value in values.items() if value is not None
    ]


def _params(values: dict[str, Any]) -> list[Param]:
    return [Param(name, str(value)) for name, value in values.items() if value is not None]


def _milliseconds(study: Study) -> int:
    return int(study.record.created.timestamp() * 1000)
