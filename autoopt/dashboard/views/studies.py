"""Studies: what has been found so far, and where to look next?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from autoopt.dashboard import data, page, readable, wording
from autoopt.dashboard.views.compare import MOST
from autoopt.errors import UsageError
from autoopt.records.margin import Label
from autoopt.records.study import StudySummary
from autoopt.verdict.recommendation import Recommendation

_SIGNS = {"running": "🟢 running", "silent": "🟠 silent", "interrupted": "🟠 interrupted", "done": "⚪ done",
          "failed": "🔴 failed"}  # fmt: skip


def draw() -> None:
    """Show all studies as a table; a row opens its recommendation."""
    summaries = data.summaries()
    if not summaries:
        page.heading("What has been found so far?", "No study yet")
        page.nothing(
            "This database is empty.",
            "Begin with 'autoopt tune TASK --storage …', and this page fills itself.",
        )
        return
    page.heading("What has been found so far?", *_answer(summaries, data.verdicts()))
    running = any(page.state_of(summary.study) == "running" for summary in summaries)
    st.fragment(_guarded_table, run_every=page.REFRESH_SECONDS if running else None)()


def _guarded_table() -> None:
    with page.guarded():
        _table()


def _answer(
    summaries: list[StudySummary], verdicts: dict[str, Recommendation | UsageError]
) -> tuple[str, str]:
    better = [v for v in verdicts.values() if isinstance(v, Recommendation) and v.verdict == "better"]
    judged = f"{len(better)} of {readable.counted(len(summaries), 'study')}"
    states = [page.state_of(summary.study) for summary in summaries]
    at_work = f"{states.count('running')} at work now." if "running" in states else "None at work now."
    runs = sum(summary.spent_runs for summary in summaries)
    seconds = sum(summary.seconds for summary in summaries)
    verb = "found" if len(better) != 1 else "has found"
    return (f"{judged} {verb} something better than the baseline",
            f"{readable.show(runs)} complete trainings' worth of compute, {readable.show_duration(seconds)} of "
            f"training. {at_work}")  # fmt: skip


def _table() -> None:
    summaries, verdicts, labels = data.summaries(), data.verdicts(), data.labels()
    names = [summary.study.name for summary in summaries]
    wanted = st.text_input("Find", key="find", bind="query-params", live=True, icon=":material/search:",
                           placeholder="part of a name, a state, tag or note")  # fmt: skip
    rows = [
        _row(summary, verdicts.get(summary.study.name), labels.get(summary.study.name, Label()))
        for summary in summaries
    ]
    needle = (wanted or "").casefold()
    looked_at = ("study", "task", "metric", "recommended", "state", "tags", "note")
    shown = [n for n, row in enumerate(rows) if any(needle in str(row[k]).casefold() for k in looked_at)]
    if not shown:
        page.nothing(
            f"No study has {wanted!r} in its name, task, state, optimizer, tags or note.",
            "Clear the search to see all.",
        )
        return
    table = pd.DataFrame([rows[n] for n in shown])
    table = table.drop(columns=[name for name in ("tags", "note") if not table[name].astype(bool).any()])
    event = st.dataframe(
        table, hide_index=True, key="all", placeholder="–", on_select="rerun", selection_mode="multi-row",
        height="content" if len(table) < 15 else 560,
        alt="Studies with state, task, best score, gain, trials, compute and date",
        column_config={
            "gain": st.column_config.NumberColumn(
                "gain, %", format="%+.3g", help="Over the baseline, paired by seed; positive is better."),
            "best": st.column_config.NumberColumn(format="%.3g", help="Best score of a complete training."),
            "runs": st.column_config.NumberColumn("spent", format="%.3g", help="In complete trainings."),
            "last saved": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
            **({"tags": st.column_config.ListColumn()} if "tags" in table else {}),
        },
    )  # fmt: skip
    st.html(
        '<p class="ao-read">Tick a row to open it, several to compare them; a click on a heading sorts.</p>'
    )
    ticked = [names[shown[row]] for row in event["selection"]["rows"] if row < len(shown)]
    with st.container(horizontal=True):
        if len(ticked) == 1 and st.button("Open", type="primary", icon=":material/arrow_forward:"):
            _open("recommendation", study=ticked[0])
        if len(ticked) > 1 and st.button(f"Compare {len(ticked)}", type="primary", icon=":material/compare:"):
            _open("compare", studies=ticked[:MOST])
        page.twin("all-studies", table)


def _open(path: str, **parameters: str | list[str]) -> None:
    from autoopt.dashboard.views import page_at

    st.session_state.update(parameters)
    st.switch_page(page_at(path), query_params=parameters)


def _state(summary: StudySummary) -> str:
    state = page.state_of(summary.study)
    return _SIGNS[state] + (f", seen {page.beat(summary)}" if state == "running" else "")


def _row(
    summary: StudySummary, verdict: Recommendation | UsageError | None, label: Label
) -> dict[str, object]:
    study = summary.study
    known = verdict if isinstance(verdict, Recommendation) else None
    relative = known.relative_gain if known is not None else None
    return {
        "study": study.name,
        "state": _state(summary),
        "tags": list(label.tags),
        "recommended": wording.brief(known.recipe) if known else "",
        "gain": 100 * relative.middle if relative is not None else None,
        "verdict": known.verdict if known else "",
        "best": summary.best_score,
        "trials": sum(summary.runs.values()),
        "runs": summary.spent_runs,
        "time": readable.show_duration(summary.seconds),
        "last saved": study.updated,
        "note": label.note,
        "task": study.task,
        "metric": study.objective,
    }
