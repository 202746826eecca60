"""What ``autoopt show`` says of runs: one of them with its curve and what ails it, and the symptoms of all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from autoopt.cli import display
from autoopt.errors import UsageError

if TYPE_CHECKING:
    from autoopt.guidance.diagnosis import Diagnosis
    from autoopt.records.store import Store
    from autoopt.records.study import StudyRecord
    from autoopt.run import EpochReport, RunRecord

DIAGNOSED = 5_000  # runs of the search whose epochs are read to count symptoms
LINES = 24  # epochs of a curve at most; of a longer one as many, evenly spread, with the first and the last


def diagnose_runs(
    store: Store, study: StudyRecord, records: Sequence[RunRecord], run_ids: Collection[int] | None = None
) -> dict[int, tuple[Diagnosis, ...]]:
    """Return what runs of a study show, from their records as they are; healthy ones have nothing.

    Args:
        run_ids: of the records; ``None`` where they are all that the study has.
    """
    from autoopt.guidance.diagnosis import diagnose

    reports = store.reports(study.name, run_ids)
    return {
        record.run.id: diagnose(
            reports.get(record.run.id, ()), record.run.recipe, record.run.epochs, study.direction
        )
        for record in records
    }


@dataclass(frozen=True)
class Symptoms:
    """What runs of a study show.

    Attributes:
        diagnoses: by run.
        runs: of the study; where they are more than those, the diagnosed ones of the search are evenly spread.
    """

    diagnoses: Mapping[int, Sequence[Diagnosis]]
    runs: int


def sample_symptoms(store: Store, study: StudyRecord) -> Symptoms:
    """Return what the runs of a study show; of one with many, as many as can be looked at in a second."""
    from autoopt.records.overview import Overview, Wanted

    overview = Overview(store)
    ids = overview.spread(study.name, DIAGNOSED)
    found = diagnose_runs(store, study, overview.runs(study.name, ids), ids)
    return Symptoms(found, overview.count(study.name, Wanted()))


def say_symptoms(symptoms: Symptoms) -> None:
    """Print how many runs show which symptom, an example each, and what helps."""
    from autoopt.guidance.diagnosis import count_symptoms

    diagnoses = symptoms.diagnoses
    counts = count_symptoms(diagnoses.values())
    if not counts:
        return
    first = {d.symptom: (run_id, d) for run_id, found in reversed(list(diagnoses.items())) for d in found}
    part = (
        ""
        if len(diagnoses) >= symptoms.runs
        else f" ({len(diagnoses):,} of {symptoms.runs:,}, evenly spread)"
    )
    display.say(f"\nWhat runs showed{part}")
    rows = [
        (symptom, str(count), str(first[symptom][0]), _help(first[symptom][1]))
        for symptom, count in counts.items()
    ]
    display.say_rows(("symptom", "runs", "such as", "what helps"), rows, right=("runs", "such as"))


def say_run(store: Store, study: StudyRecord, run_id: int, *, json: bool) -> None:
    """Print one run: its settings, what ails it with the remedy, and its curve.

    Raises:
        UsageError: the study has no such run.
    """
    from autoopt.guidance.diagnosis import diagnose
    from autoopt.records.overview import Overview

    if not (records := Overview(store).runs(study.name, [run_id])):
        span = Overview(store).span(study.name)
        known = "no runs yet" if span is None else f"runs {span[0]} to {span[1]}"
        raise UsageError(f"there is no run {run_id} in study {study.name!r}: it has {known}")
    record = records[0]
    reports = store.reports(study.name, [run_id]).get(run_id, [])
    found = diagnose(reports, record.run.recipe, record.run.epochs, study.direction)
    if json:
        display.say_json(_to_dict(record, reports, found))
        return
    display.say_heading(f"Run {run_id} of {study.name}", _standing(record, study))
    display.say(str(record.run.recipe))
    if record.note:
        display.say(f"note: {record.note}")
    display.say_heading("\nWhat it shows")
    if found:
        for diagnosis in found:
            display.say_advice(diagnosis.symptom, "!", [_help(diagnosis)], [diagnosis.evidence])
        display.say_sources([diagnosis.source for diagnosis in found])
    else:
        display.say("no symptom that the records tell of")
    if reports:
        display.say_heading("\nCurve")
        scored = () if study.objective == "loss" else (study.objective,)
        columns = ("epoch", "training", "validation", *scored, "rate", "gradient", "step")
        rows = [_row(report, study.objective) for report in _thinned(reports)]
        display.say_rows(columns, rows, right=columns)


def _standing(record: RunRecord, study: StudyRecord) -> str:
    run = record.run
    score = "" if record.score is None else f" · {study.objective} {record.score:.5g}"
    return f"{run.purpose} · {record.state} after {record.epochs_done} of {run.epochs} epochs · seed {run.seed}{score}"


def _help(diagnosis: Diagnosis) -> str:
    return f"{', or '.join(diagnosis.remedies)} ({diagnosis.source})"


def _thinned(reports: Sequence[EpochReport]) -> list[EpochReport]:
    last = len(reports) - 1
    if last < LINES:
        return list(reports)
    return [reports[round(n * last / (LINES - 1))] for n in range(LINES)]


def _row(report: EpochReport, objective: str) -> tuple[str, ...]:
    score = () if objective == "loss" else (_number(report.score),)
    step = "" if report.update_ratio is None else f"{100 * report.update_ratio:.2g} %"
    return (str(report.epoch), _number(report.train_loss), _number(report.valid_loss), *score,
            _number(report.learning_rate), _number(report.gradient_norm), step)  # fmt: skip


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _to_dict(record: RunRecord, reports: Sequence[EpochReport], found: Sequence[Diagnosis]) -> dict[str, Any]:
    return {**asdict(record), "curve": [asdict(report) for report in reports],
            "diagnoses": [diagnosis.to_dict() for diagnosis in found]}  # fmt: skip
