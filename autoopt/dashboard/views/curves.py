"""Curves: how did the runs learn, and what became of each?"""

from __future__ import annotations

import re
from collections.abc import Collection

import pandas as pd
import streamlit as st

from autoopt.dashboard import data, page, plot, readable, wording
from autoopt.dashboard.charts.curves import curves_table, draw_curves
from autoopt.dashboard.theme import title_of
from autoopt.errors import UsageError
from autoopt.records.overview import Wanted
from autoopt.run import Direction, Purpose, RunRecord, RunState

_VALUES = {"validation loss": "valid_loss", "training loss": "train_loss", "score": "score",
           "gradient norm": "gradient_norm"}  # fmt: skip
_STRIPS = {"learning rate": "learning_rate", "gradient norm": "gradient_norm", "training loss": "train_loss"}
_COUNTS = (50, 100, 200, 300)
_WHICH = ("the best", "an even sample", "the newest")
MOST_COMPARED = 8


def draw(study: str) -> None:
    """Show the learning curves of many runs, and those that are picked side by side."""
    summary, tallies = data.summary(study), data.tallies(study)
    if not tallies:
        page.heading("How did the runs learn?", "No run yet")
        page.nothing("No trial has been started.", f"Carry on with 'autoopt resume {study}'.")
        return
    top = st.container()
    names = sorted({tally.optimizer for tally in tallies})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = st.selectbox("Runs", _WHICH, key="which", bind="query-params", width=150) or _WHICH[0]
        most = st.selectbox("At most", _COUNTS, index=1, key="most", bind="query-params", width=100) or 100
        optimizers = st.multiselect("Optimizer", names, key="optimizer", bind="query-params", format_func=title_of,
                                    placeholder="all", width=210)  # fmt: skip
        states = st.multiselect("State", list(map(str, RunState)), key="state", bind="query-params",
                                placeholder="all", width=190)  # fmt: skip
        value = (
            st.selectbox("Show", list(_VALUES), key="show", bind="query-params", width=160)
            or "validation loss"
        )
        strip = (
            st.selectbox("Below", list(_STRIPS), key="below", bind="query-params", width=150)
            or "learning rate"
        )
        picked = _picked(study)
        whole = st.toggle(
            "All of the axis", key="whole", bind="query-params", help="Outliers and diverged runs too."
        )
    direction: Direction = summary.study.direction if value == "score" else "minimize"
    wanted = Wanted(tuple(optimizers), tuple(map(RunState, states)), (Purpose.SEARCH,),
                    descending=summary.study.direction == "maximize")  # fmt: skip
    records = _pick(study, wanted, which, int(most))
    on_top = _chosen(study, wanted)
    on_top = picked or on_top
    everyone = list({record.run.id: record for record in (*records, *on_top)}.values())
    table = curves_table(everyone, data.curves(study, sorted(record.run.id for record in everyone)))
    with top:
        page.heading(
            "How did the runs learn?",
            *_answer(table, value, data.count(study, wanted), direction, {r.run.id for r in records}),
        )
    if table.empty:
        page.nothing("No run like that has an epoch.", "Take a filter away.")
        return
    key = _VALUES[value]
    table = table.dropna(subset=[key]) if table[key].notna().any() else table
    drawn = draw_curves(table, key, value, direction, strip=_STRIPS[strip],
                        on_top={record.run.id for record in on_top}, whole=bool(whole))  # fmt: skip
    page.figure(
        "curves", f"{value.capitalize()} after each epoch",
        "A line is a run in the colour of its optimizer; thick ones are those side by side, or the recommended "
        "recipe's on fresh seeds; red circles are where runs diverged. Click a point to put its run side by side, or "
        "draw a box with the tool on the right; drag to zoom, double-click to go back."
        + ("" if whole else " The axis leaves the worst few per cent out."),
        drawn, table, select=_take_selection,
    )  # fmt: skip
    _side_by_side(study, picked)


def _pick(study: str, wanted: Wanted, which: str, most: int) -> list[RunRecord]:
    if which == "the best":
        return data.page(study, wanted, 0, most)
    if which == "the newest":
        return data.page(study, _by_id(wanted, descending=True), 0, most)
    count = data.count(study, wanted)
    step = max(1, count // most)
    frame = data.trials(study)
    frame = frame[frame["optimizer"].isin(wanted.optimizers)] if wanted.optimizers else frame
    frame = frame[frame["state"].isin([str(s) for s in wanted.states])] if wanted.states else frame
    return data.overview().runs(study, frame["id"].iloc[::step].head(most).tolist())


def _by_id(wanted: Wanted, *, descending: bool) -> Wanted:
    return Wanted(wanted.optimizers, wanted.states, wanted.purposes, wanted.text, "id", descending)


def _chosen(study: str, wanted: Wanted) -> list[RunRecord]:
    """Return the confirming runs of the recommended recipe, unless the filters leave its optimizer out."""
    try:
        verdict = data.verdict(study)
    except UsageError:
        return []
    if (
        verdict is None
        or (wanted.optimizers and verdict.recipe.optimizer not in wanted.optimizers)
        or wanted.states
    ):
        return []
    fresh = Wanted((verdict.recipe.optimizer,), purposes=(Purpose.CONFIRM, Purpose.BASELINE), order="id")
    return [record for record in data.page(study, fresh, 0, 100) if record.run.recipe == verdict.recipe]


def _answer(
    table: pd.DataFrame, value: str, count: int, direction: Direction, sampled: Collection[int]
) -> tuple[str, str]:
    drawn = set(table["run"])
    searched, beside = len(drawn & set(sampled)), len(drawn - set(sampled))
    of = (
        f"{readable.grouped(searched)} of {readable.counted(count, 'trial')} of the search"
        if drawn
        else "No run"
    )
    of += f" and {readable.counted(beside, 'other run')}" if beside else ""
    column = table[_VALUES[value]].dropna()
    if column.empty:
        return f"{of}: no {value} was written down", ""
    place = column.idxmin() if direction == "minimize" else column.idxmax()
    best = table.loc[place]
    return (f"{title_of(best['optimizer'])} came to the best {value}, {readable.show(float(column[place]))}, "
            f"after epoch {best['epoch']}", f"{of} are drawn.")  # fmt: skip


def _picked(study: str) -> list[RunRecord]:
    """Let the reader name the runs to be put side by side, and return those that there are."""
    typed = st.text_input("Side by side", key="runs", bind="query-params", placeholder="e.g. 3, 17", width=160,
                          help="Numbers of runs. A click on a line, or a box around some, puts them here.")  # fmt: skip
    numbers = list(dict.fromkeys(int(number) for number in re.findall(r"\d{1,15}", typed or "")))
    return data.overview().runs(study, numbers[:MOST_COMPARED]) if numbers else []


def _take_selection() -> None:
    """Bring the runs that were clicked or boxed into the field: a click adds one, a box begins anew."""
    marked, box = plot.picked("curves")
    marked = [number for number in marked if number.isdigit()]
    if marked:
        kept = [] if box else re.findall(r"\d+", st.session_state.get("runs") or "")
        st.session_state["runs"] = ", ".join(list(dict.fromkeys([*kept, *marked]))[-MOST_COMPARED:])


def _side_by_side(study: str, records: list[RunRecord]) -> None:
    from autoopt.dashboard.views import page_at

    if not records:
        return
    with st.container(border=True):
        page.subheading(
            f"{readable.counted(len(records), 'run')} side by side", "Thick above; what differs is first."
        )
        st.dataframe(side_by_side_table(records), hide_index=True, key="side-by-side", height="content")
        with st.container(horizontal=True):
            for record in records:
                st.page_link(page_at("trials"), label=f"Run {record.run.id}", icon=":material/open_in_new:",
                             query_params=page.link_parameters(study, run=str(record.run.id)))  # fmt: skip


def side_by_side_table(records: list[RunRecord]) -> pd.DataFrame:
    """Return a column a run and a row a property; those in which the runs differ come first."""
    columns = {f"run {r.run.id}": {"state": str(r.state), "score": readable.show(r.score),
                                   "epochs": f"{r.epochs_done}/{r.run.epochs}", "seed": str(r.run.seed),
                                   "optimizer": title_of(r.run.recipe.optimizer),
                                   **dict(wording.settings_of(r.run.recipe))} for r in records}  # fmt: skip
    table = pd.DataFrame(columns).fillna("–")
    alike = table.nunique(axis=1) == 1
    return table.loc[alike.sort_values(kind="stable").index].rename_axis("").reset_index()
