"""One run: everything that is known of it."""

from __future__ import annotations

import math
from html import escape

import streamlit as st

from autoopt.dashboard import code, data, page, readable, wording
from autoopt.dashboard.charts.curves import draw_run, run_table
from autoopt.dashboard.theme import WARN, title_of
from autoopt.guidance.diagnosis import diagnose
from autoopt.run import Direction, EpochReport, RunRecord, RunState

_READING = (
    "Solid: loss on the validation data after each epoch; dotted: on the training data during it. Below: the "
    "learning rate, and dashed the gradient's norm."
)
_ENDS = {
    RunState.RUNNING: "is still being trained",
    RunState.FINISHED: "was trained to its end",
    RunState.STOPPED: "was stopped",
    RunState.DIVERGED: "diverged",
    RunState.FAILED: "failed",
}


def draw(study: str, number: int) -> bool:
    """Show a run; return whether there is one of that number."""
    from autoopt.dashboard.views import page_at

    found = data.overview().runs(study, [number])
    if not found:
        return False
    (record,) = found
    reports = data.curves(study, [number]).get(number, [])
    objective = data.summary(study).study.objective
    st.page_link(page_at("trials"), label="All runs", icon=":material/arrow_back:",
                 query_params=page.link_parameters(study))  # fmt: skip
    page.heading(f"What happened in run {number}?", _answer(record, reports, objective), record.note)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        if reports:
            page.figure("run", _statement(reports), _READING, draw_run(record, reports, objective),
                        run_table(reports))  # fmt: skip
        else:
            page.nothing("No epoch of it was written down.", record.note)
        _diagnosis(record, reports, data.summary(study).study.direction)
    with right:
        with st.container(border=True):
            page.subheading("Recipe")
            page.facts(
                [
                    ("optimizer", title_of(record.run.recipe.optimizer)),
                    *wording.settings_of(record.run.recipe),
                ]
            )
        with st.container(border=True):
            page.subheading("Run")
            page.facts(_facts(record, reports, objective))
    code.draw("recipe", str(record.run.recipe))
    return True


def _diagnosis(record: RunRecord, reports: list[EpochReport], direction: Direction) -> None:
    """Say what ails the run and what helps, as the documents have it."""
    found = diagnose(reports, record.run.recipe, record.run.epochs, direction)
    with st.container(border=True):
        if not found:
            page.subheading("No symptom", "Nothing in what was recorded of its epochs is a cause for worry."
                            if reports else "Without an epoch there is nothing to tell from.")  # fmt: skip
            return
        page.subheading(
            f"It shows {readable.counted(len(found), 'symptom')}", "The gravest first, with what helps."
        )
        lines = "".join(
            f'<div role="listitem"><span class="ao-mark" style="color:{WARN}" role="img" aria-label="symptom">!</span>'
            f"<span><b>{escape(each.symptom)}</b>: {escape(each.evidence)}<br>Try: "
            f'{escape("; or ".join(each.remedies))} <span class="ao-soft">{escape(each.source)}</span></span></div>'
            for each in found
        )
        st.html(f'<div class="ao-why" role="list">{lines}</div>')


def _answer(record: RunRecord, reports: list[EpochReport], objective: str) -> str:
    who = wording.brief(record.run.recipe)
    after = f" after {record.epochs_done} of {readable.counted(record.run.epochs, 'epoch')}"
    score = f" with {objective} {readable.show(record.score)}" if record.score is not None and reports else ""
    return f"{who} {_ENDS[record.state]}{after}{score}"


def _statement(reports: list[EpochReport]) -> str:
    values = [(r.valid_loss, r.epoch) for r in reports if math.isfinite(r.valid_loss)]
    if not values:
        return "The validation loss was never a number"
    loss, epoch = min(values)
    return f"Lowest validation loss {readable.show(loss)} after epoch {epoch} of {len(reports)}"


def _facts(record: RunRecord, reports: list[EpochReport], objective: str) -> list[tuple[str, str]]:
    run = record.run
    rows = [
        ("state", str(record.state)), ("purpose", str(run.purpose)), (objective, readable.show(record.score)),
        ("on test data", readable.show(record.test_score) if record.test_score is not None else "not measured"),
        ("time", f"{readable.show_duration(record.seconds)}"
                 + (f", {readable.show_duration(record.seconds / len(reports))} an epoch" if reports else "")),
        ("seed", str(run.seed)), ("trial", "none" if run.trial is None else str(run.trial)),
        ("cohort", str(run.cohort + 1)), ("rungs", ", ".join(map(str, run.rungs)) or "none"),
    ]  # fmt: skip
    if record.note:
        rows.append(("note", record.note))
    return rows
