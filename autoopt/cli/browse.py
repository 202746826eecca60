"""The commands that read studies: ``studies``, ``show`` and ``export``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoopt.cli import display, one_run
from autoopt.cli.durations import show_seconds
from autoopt.cli.options import DEFAULT_STORAGE, AsJson, Storage, StudyName
from autoopt.cli.pareto import say_pareto
from autoopt.errors import StorageError, UsageError, unknown_name

if TYPE_CHECKING:
    from autoopt.records.store import Store
    from autoopt.records.study import StudyRecord, StudySummary
    from autoopt.run import RunRecord
    from autoopt.verdict.recommendation import Recommendation

_FORMATS = "pytorch, lightning, transformers, skorch, keras, optax, json or yaml."


def list_studies(storage: Storage = DEFAULT_STORAGE, json: AsJson = False) -> None:
    """List all studies, the last one worked on first.

    \b
    Examples
      autoopt studies
      autoopt studies --storage results.db --json
    """
    with _open(storage) as store:
        summaries = store.studies()
    if json:
        display.say_json([_summary_to_dict(summary) for summary in summaries])
    elif not summaries:
        display.say("no studies yet: begin with 'autoopt tune TASK'")
    else:
        columns: tuple[str, ...] = ("study", "state", "best", "runs", "spent", "last saved")
        rows = [_summary_row(summary) for summary in summaries]
        if not all(_tells_task(summary) for summary in summaries):
            columns = ("study", "task", *columns[1:])
            rows = [
                (row[0], summary.study.task, *row[1:]) for row, summary in zip(rows, summaries, strict=True)
            ]
        display.say_rows(columns, rows, right=("best", "runs", "spent"))


def show_study(
    study: StudyName,
    runs: Annotated[int, typer.Option(metavar="N", min=0, help="How many of the best runs to list.")] = 10,
    run: Annotated[
        int | None,
        typer.Option(metavar="ID", min=0, help="Show one run: its settings, curve, and what ails it."),
    ] = None,
    pareto: Annotated[
        bool,
        typer.Option("--pareto", help="Show what a better score costs, in seconds a training and memory."),
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
    json: AsJson = False,
) -> None:
    """Show a study: its recommendation, its best runs, and what its runs showed; or one run.

    \b
    Examples
      autoopt show digits_mlp
      autoopt show digits_mlp --run 12
      autoopt show digits_mlp --runs 30
      autoopt show digits_mlp --pareto
      autoopt show digits_mlp --json
    """
    with _open(storage) as store:
        summary = _summary(store, study)
        if pareto:
            say_pareto(store, summary.study, json=json)
            return
        if run is not None:
            one_run.say_run(store, summary.study, run, json=json)
            return
        document = store.verdict(study)
        if json:
            records = store.runs(study)
            diagnoses = one_run.diagnose_runs(store, summary.study, records)
            facts = {**_summary_to_dict(summary), "options": dict(summary.study.options)}
            told = [
                {**asdict(record), "diagnoses": [found.to_dict() for found in diagnoses[record.run.id]]}
                for record in records
            ]
            display.say_json({"study": facts, "runs": told, "verdict": document})
            return
        best = _best_runs(store, summary.study, runs)
        symptoms = one_run.sample_symptoms(store, summary.study) if best else None
    if document is not None:
        display.say_result(_recommendation(document), storage)
    else:
        display.say(
            f"{study}: {summary.study.state}, {summary.spent_runs:.1f} runs spent, no recommendation yet"
        )
    if symptoms is not None:
        display.say("\nBest runs")
        columns = ("run", summary.study.objective, "epochs", "state", "purpose", "recipe")
        display.say_rows(
            columns, [_run_row(record) for record in best], right=("run", summary.study.objective, "epochs")
        )
        one_run.say_symptoms(symptoms)


def export_study(
    study: StudyName,
    form: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=_FORMATS)] = "pytorch",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there instead of printing it."),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Print the recommendation of a study as code or as data.

    \b
    Examples
      autoopt export digits_mlp
      autoopt export digits_mlp --format json -o recipe.json
    """
    from autoopt.export import WRITERS

    chosen = "json" if json else form.lower()
    if chosen not in WRITERS:
        raise UsageError(unknown_name("format", form, WRITERS))
    with _open(storage) as store:
        document = store.verdict(study)
    if document is None:
        raise UsageError(f"study {study!r} has no recommendation yet: carry on with 'autoopt resume {study}'")
    text = WRITERS[chosen](_recommendation(document))
    if output is None:
        display.say_exactly(text.rstrip("\n"))
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {str(output)!r}: {error.strerror}") from error


def _best_runs(store: Store, study: StudyRecord, most: int) -> list[RunRecord]:
    """Return the runs by score, those trained longest first among equals; without a score they come last."""
    from autoopt.records.overview import Overview, Wanted

    return Overview(store).page(study.name, Wanted(descending=study.direction == "maximize"), 0, most)


def _open(storage: str) -> Store:
    from autoopt.records.store import Store

    return Store.open(storage, readonly=True)


def _summary(store: Store, name: str) -> StudySummary:
    summaries = {summary.study.name: summary for summary in store.studies()}
    if name not in summaries:
        raise StorageError(
            unknown_name("study", name, summaries) if summaries else f"there is no study {name!r} yet"
        )
    return summaries[name]


def _recommendation(document: dict[str, Any]) -> Recommendation:
    from autoopt.verdict.recommendation import Recommendation

    return Recommendation.from_dict(document)


def _summary_to_dict(summary: StudySummary) -> dict[str, Any]:
    study = summary.study
    return {
        "name": study.name, "task": study.task, "source": study.source, "state": study.state,
        "objective": study.objective, "direction": study.direction, "epochs": study.epochs,
        "seed": study.seed, "runs": {str(state): count for state, count in summary.runs.items()},
        "spent_runs": summary.spent_runs,
        "seconds": summary.seconds, "best_score": summary.best_score,
        "created": study.created.isoformat(), "updated": study.updated.isoformat(),
    }  # fmt: skip


def _summary_row(summary: StudySummary) -> tuple[str, ...]:
    study = summary.study
    best = "" if summary.best_score is None else f"{study.objective} {summary.best_score:.4g}"
    return (study.name, study.state, best, str(sum(summary.runs.values())),
            show_seconds(summary.seconds), f"{study.updated.astimezone():%Y-%m-%d %H:%M}")  # fmt: skip


def _tells_task(summary: StudySummary) -> bool:
    """Say whether the name of a study is that of its task, or the task's with a number."""
    name, _, number = summary.study.name.rpartition("-")
    return summary.study.task in (summary.study.name, name if number.isdigit() else None)


def _run_row(record: RunRecord) -> tuple[str, ...]:
    score = "" if record.score is None else f"{record.score:.5g}"
    return (str(record.run.id), score, f"{record.epochs_done}/{record.run.epochs}", str(record.state),
            str(record.run.purpose), str(record.run.recipe))  # fmt: skip
