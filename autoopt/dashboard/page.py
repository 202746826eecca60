"""What the views share: the heading with its answer, figures with reading aid and table, text that stays text."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from autoopt.dashboard import atwork, data, left, plot, readable
from autoopt.dashboard.theme import ACCENT, DIVERGED, GOOD, WARN
from autoopt.errors import AutooptError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import plotly.graph_objects as go

    from autoopt.records.study import StudyRecord, StudySummary

REFRESH_SECONDS = 3
MOST_ROWS = 1000  # in the table beside a figure; the CSV has all
_STATE_COLORS = {"running": ACCENT, "silent": WARN, "interrupted": WARN, "done": GOOD, "failed": DIVERGED}


def plain(text: object) -> str:
    """Return text for where Streamlit reads Markdown, such that it is shown as it is.

    >>> plain("<b> *x* :red[y] $z$")
    '\\\\<b\\\\> \\\\*x\\\\* \\\\:red\\\\[y\\\\] \\\\$z\\\\$'
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", str(text).replace("\n", " "))


def heading(question: str, answer: str, *sentences: str) -> None:
    """Begin a view: the question small, its answer large, what else to know in a line."""
    lines = "".join(f'<p class="ao-say">{escape(sentence)}</p>' for sentence in sentences if sentence)
    st.html(
        f'<div class="ao-head"><p class="ao-question">{escape(question)}</p><h1>{escape(answer)}</h1>{lines}</div>'
    )


def subheading(text: str, reading: str = "") -> None:
    """Begin a part of a view."""
    below = f'<p class="ao-read">{escape(reading)}</p>' if reading else ""
    st.html(f'<h2 class="ao-h">{escape(text)}</h2>{below}')


def figure(
    name: str, title: str, reading: str, drawing: go.Figure, table: pd.DataFrame,
    *, select: Callable[[], None] | None = None, wide: bool = False,
) -> None:  # fmt: skip
    """Show a figure with its statement, how to read it, and the same as a table.

    Args:
        name: of the files that are downloaded, and key of the widgets.
        title: what the figure shows, as a statement.
        reading: one line that says what marks, lines and axes are.
        table: what is drawn, for those who cannot see it.
        select: called when a point is clicked, or some are drawn a box around; ``plot.picked`` says which.
        wide: of several panels, which on a telephone are scrolled rather than squeezed.
    """
    with st.container(border=True, key=f"wide-{name}" if wide else None):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
            subheading(title)
            with st.container(width="content"):
                twin(name, table)
        plot.draw(name, f"{title}. {reading}", drawing, select)
        st.html(f'<p class="ao-read">{escape(reading)}</p>')


@st.fragment
def twin(name: str, table: pd.DataFrame) -> None:
    """Offer a table behind a button, with its download; it is sent when it is opened."""
    with st.popover(
        "Table", icon=":material/table:", type="tertiary", key=f"{name}-twin", on_change="rerun"
    ) as box:
        if not box.open:
            return
        st.dataframe(table.head(MOST_ROWS), hide_index=True, key=f"{name}-table", placeholder="–")
        if len(table) > MOST_ROWS:
            st.caption(f"The first {MOST_ROWS} of {len(table)} rows; the file has all.")
        st.download_button("CSV", lambda: _to_csv(table), f"autoopt-{name}.csv", "text/csv",
                           key=f"{name}-csv", icon=":material/download:", on_click="ignore")  # fmt: skip


def _to_csv(table: pd.DataFrame) -> str:
    safe = table.map(lambda value: readable.for_spreadsheet(value) if isinstance(value, str) else value)
    written: str = safe.to_csv(index=False)
    return written


def nothing(answer: str, *todo: str) -> None:
    """Say that there is nothing to see yet, and what to do."""
    lines = "".join(f'<p class="ao-soft" style="margin:.4rem 0 0">{escape(line)}</p>' for line in todo)
    st.html(f'<div class="ao-card ao-open"><b>{escape(answer)}</b>{lines}</div>')


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Show pairs of names and values, one under the other."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    st.html(f'<dl class="ao-facts">{items}</dl>')


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Show a small table that nobody sorts, without the megabyte of scripts that a large one takes."""
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    st.html(f'<div class="ao-scroll"><table class="ao-table"><thead><tr>{top}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>")  # fmt: skip


def state_of(study: StudyRecord) -> str:
    """Return the state of a study as it is; see ``atwork.state_of``."""
    return atwork.state_of(study, data.crew(study.name) if study.state == "running" else None)


def state_line(summary: StudySummary) -> str:
    """Return the state of a study as HTML: a dot, a word, and its last sign of life."""
    state, ago = state_of(summary.study), readable.show_ago(summary.study.updated)
    words = {
        "running": f"running{_beat(summary)}" + _left(summary),
        "silent": f"no heartbeat since {ago.removesuffix(' ago')}: busy with a long epoch, or killed; the same "
        "command carries on",
        "interrupted": f"interrupted {ago}: the same command carries on",
        "failed": f"failed {ago}",
        "done": f"done {ago}",
    }[state]
    pulse = " ao-pulse" if state == "running" else ""
    dot = f'<span class="ao-dot{pulse}" style="background:{_STATE_COLORS[state]}"></span>'
    return f"{dot}{escape(words)}"


def _beat(summary: StudySummary) -> str:
    """Say how many processes are at work, and when one was last heard of."""
    living = sum(not seen.gone for seen in data.crew(summary.study.name) or ())
    many = f" · {readable.counted(living, 'process')} at work" if living else ""
    return f"{many} · last heartbeat {beat(summary)}"


def beat(summary: StudySummary) -> str:
    """Say when a study that runs was last heard of."""
    living = [seen for seen in data.crew(summary.study.name) or () if not seen.gone]
    seconds = (datetime.now(UTC) - summary.study.updated).total_seconds()
    last = min([seconds, *(seen.silent for seen in living)])
    return "just now" if last < 5 else f"{readable.show_duration(last)} ago"


def at_work(study: str) -> None:
    """Show who trains a study that runs, and which of its runs."""
    living = [seen.hand for seen in data.crew(study) or () if not seen.gone]
    if living:
        rows = []
        for hand in living:
            runs = (
                "trains " + ", ".join(f"run {run}" for run in hand.runs) if hand.runs else "waits for a run"
            )
            rows.append((str(hand.owner), f"leads, {runs}" if hand.leads else runs))
        subheading("At work now")
        facts(rows)


def _left(summary: StudySummary) -> str:
    if summary.study.state != "running":
        return ""
    seconds = left.seconds_left(summary, data.sitting(summary.study.name))
    return "" if seconds is None else f" · about {readable.show_duration(max(1.0, seconds))} left"


def progress_bar(summary: StudySummary) -> str:
    """Return how much of the budget of a running study is spent, as HTML; nothing where that is not known."""
    if state_of(summary.study) != "running":
        return ""
    sitting = data.sitting(summary.study.name)
    share = left.share_spent(summary, sitting)
    if share is None or sitting is None:
        return ""
    words = f"{readable.show(summary.spent_runs)} of {readable.show(sitting.budget['runs'])} runs spent"
    return (
        '<div class="ao-bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{100 * share:.0f}" aria-label="{escape(words)}"><i style="width:{100 * share:.1f}%"></i></div>'
        f'<p class="ao-read">{escape(words)}</p>'
    )


@contextmanager
def guarded() -> Iterator[None]:
    """Show what goes wrong in words; what was not expected goes to the server's log as well."""
    try:
        yield
    except AutooptError as error:
        nothing("This cannot be shown.", str(error))
    except Exception as error:
        if type(error).__module__.startswith("streamlit.runtime.scriptrunner"):
            raise  # how Streamlit itself stops or repeats a page
        logging.getLogger("autoopt.dashboard").exception("a view failed")
        nothing("Something unexpected happened.", f"{type(error).__name__}: {str(error)[:300]}",
                "The terminal in which 'autoopt dashboard' runs says where.")  # fmt: skip


def live(study: str, draw: Callable[[str], None]) -> None:
    """Draw a view of a study, again and again while the study runs, without touching the rest of the page."""
    running = state_of(data.summary(study).study) == "running"

    def guarded_draw() -> None:
        with guarded():
            draw(study)
            if running and state_of(data.summary(study).study) != "running":
                st.rerun()  # it ended: draw once more, and then rest

    st.fragment(guarded_draw, run_every=REFRESH_SECONDS if running else None)()


def link_parameters(study: str, **others: str) -> Mapping[str, str]:
    """Return the query parameters of a page about a study."""
    return {"study": study, **others}
