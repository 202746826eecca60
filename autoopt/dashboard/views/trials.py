"""Trials: which runs are there, and what happened to one of them?"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator

import pandas as pd
import streamlit as st

from autoopt.dashboard import data, page, readable
from autoopt.dashboard.theme import title_of
from autoopt.dashboard.views import run
from autoopt.records.overview import Wanted
from autoopt.run import Purpose, RunRecord, RunState

ROWS = 25
_CHUNK = 2000  # rows read at a time for a download
_ORDERS = {"best first": ("score", False), "newest first": ("id", True), "oldest first": ("id", False),
           "longest trained": ("epochs_done", True), "slowest": ("seconds", True), "highest rate": ("lr", True),
           "lowest rate": ("lr", False), "by optimizer": ("optimizer", False)}  # fmt: skip


def draw(study: str) -> None:
    """Show a page of the runs, filtered and sorted by the database; or a run, if one is chosen."""
    if (number := st.query_params.get("run")) is not None:
        if number.isdigit() and run.draw(study, int(number[:18])):
            return
        page.nothing(f"There is no run {number[:20]!r} in this study.", "All runs are below.")
    summary = data.summary(study)
    tallies = data.tallies(study)
    if not tallies:
        page.heading("Which runs are there?", "No run yet")
        page.nothing("No trial has been started.", f"Carry on with 'autoopt resume {study}'.")
        return
    top = st.container()  # the answer is known last and stands first
    wanted = _filters(sorted({tally.optimizer for tally in tallies}), summary.study.direction)
    count = data.count(study, wanted)
    if not count:
        with top:
            page.heading("Which runs are there?", "None of these")
        page.nothing("No run is like that.", "Take a filter away.")
        return
    middle = st.container()  # the rows stand above what chooses the page, and follow from it
    offset = _choose_page(study, wanted, count) * ROWS
    records = data.page(study, wanted, offset, ROWS)
    with top:
        total = sum(tally.runs for tally in tallies)
        best = data.page(study, wanted, 0, 1)[0].score if wanted.order == "score" else None
        page.heading("Which runs are there?", _answer(count, total, best, summary.study.objective))
    with middle:
        _table(study, records, summary.study.objective)


def _choose_page(study: str, wanted: Wanted, count: int) -> int:
    """Let the reader turn pages and take the rows along; return the number of the page from 0."""
    pages, chosen = math.ceil(count / ROWS), 1
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if pages > 1:
            label = f"Page, of {readable.grouped(pages)}"
            chosen = st.number_input(label, 1, pages, key="page", bind="query-params", width=160) or 1
        st.download_button(
            f"CSV of {readable.counted(count, 'run')}", lambda: to_csv(study, wanted), f"{_file_name(study)}.csv",
            "text/csv", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
    return chosen - 1


def _filters(optimizers: list[str], direction: str) -> Wanted:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect("Optimizer", optimizers, key="optimizer", bind="query-params", format_func=title_of,
                                placeholder="all", width=220)  # fmt: skip
        states = st.multiselect("State", list(map(str, RunState)), key="state", bind="query-params",
                                placeholder="all", width=220)  # fmt: skip
        purposes = st.multiselect("Purpose", list(map(str, Purpose)), key="purpose", bind="query-params",
                                  placeholder="all", width=180)  # fmt: skip
        text = st.text_input(
            "In note or recipe", key="text", bind="query-params", placeholder="e.g. cosine", width=180
        )
        order = st.selectbox("Sort", list(_ORDERS), key="sort", bind="query-params", width=170)
    column, descending = _ORDERS[order or "best first"]
    if column == "score":
        descending = direction == "maximize"
    return Wanted(tuple(chosen), tuple(map(RunState, states)), tuple(map(Purpose, purposes)), text or "", column,
                  descending)  # fmt: skip


def _answer(count: int, total: int, best: float | None, objective: str) -> str:
    words = readable.counted(count, "run") + ("" if count == total else f" of {readable.grouped(total)}")
    return words if best is None else f"{words}, the best with {objective} {readable.show(best)}"


def _table(study: str, records: list[RunRecord], objective: str) -> None:
    table = pd.DataFrame([row(record, objective) for record in records])
    event = st.dataframe(
        table, hide_index=True, key="runs", placeholder="–", on_select="rerun", selection_mode="single-row",
        height="content",
        alt="Runs with score, state, epochs, optimizer, rate, schedule and note",
        column_config={
            objective: st.column_config.NumberColumn(format="%.3g"),
            "lr": st.column_config.NumberColumn(format="%.2e"),
            "seconds": st.column_config.NumberColumn("time, s", format="%.3g"),
            "run": st.column_config.NumberColumn(format="%d", width="small"),
        },
    )  # fmt: skip
    st.html('<p class="ao-read">Tick a row to see everything about that run.</p>')
    if rows := event["selection"]["rows"]:
        from autoopt.dashboard.views import page_at

        chosen = str(records[rows[0]].run.id)
        st.switch_page(page_at("trials"), query_params=page.link_parameters(study, run=chosen))


def row(record: RunRecord, objective: str) -> dict[str, object]:
    """Return a run as a row of the table."""
    recipe = record.run.recipe
    score = record.score if record.score is not None and math.isfinite(record.score) else None
    return {
        "run": record.run.id, objective: score, "state": str(record.state), "purpose": str(record.run.purpose),
        "epochs": f"{record.epochs_done}/{record.run.epochs}", "optimizer": title_of(recipe.optimizer),
        "lr": recipe.settings.get("lr"), "schedule": recipe.schedule, "batch": recipe.batch_size,
        "seconds": record.seconds, "note": record.note, "recipe": str(recipe),
    }  # fmt: skip


def to_csv(study: str, wanted: Wanted) -> str:
    """Return all runs that are wanted as CSV, read from the database a part at a time."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["run", "trial", "cohort", "purpose", "state", "score", "test_score", "epochs_done", "epochs",
                     "seconds", "seed", "note", "recipe"])  # fmt: skip
    for record in _all(study, wanted):
        of = record.run
        writer.writerow([of.id, of.trial, of.cohort, of.purpose, record.state, record.score, record.test_score,
                         record.epochs_done, of.epochs, record.seconds, of.seed, readable.for_spreadsheet(record.note),
                         json.dumps(of.recipe.to_dict())])  # fmt: skip
    return file.getvalue()


def _all(study: str, wanted: Wanted) -> Iterator[RunRecord]:
    reader, offset = data.overview(), 0
    while part := reader.page(study, wanted, offset, _CHUNK):
        yield from part
        offset += _CHUNK


def _file_name(study: str) -> str:
    return "autoopt-" + "".join(c if c.isalnum() or c in "-_" else "_" for c in study)[:60]
