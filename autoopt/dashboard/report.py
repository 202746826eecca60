"""Report: the answer of a study as one file that opens anywhere, without a network, and prints."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

import pandas as pd
import plotly.graph_objects as go

from autoopt.dashboard import bundle, wording
from autoopt.dashboard.answer import card, reasons
from autoopt.dashboard.charts.drawing import CONFIG
from autoopt.dashboard.charts.finalists import draw_finalists, finalists_table
from autoopt.dashboard.charts.progress import anytime_table, draw_anytime, draw_budget, rungs_table
from autoopt.dashboard.readable import show, show_duration
from autoopt.dashboard.theme import STYLE
from autoopt.errors import StorageError, UsageError, unknown_name
from autoopt.export import WRITERS
from autoopt.records.endings import read_ways
from autoopt.records.overview import Overview
from autoopt.records.study import StudySummary
from autoopt.search.fidelity import rungs_of
from autoopt.verdict.recommendation import Recommendation

_INK = "#6b7280"  # of figures: reads on white and on black
PAPER = 640  # pixels of a figure in print: A4 and Letter with usual margins
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src
 'unsafe-inline'; img-src data: blob:; font-src data:">
<title>{title}</title>{style}<style>
:root {{color-scheme: light dark}}
body {{font-family: system-ui, sans-serif; max-width: 960px; margin: 2rem auto; padding: 0 1rem; line-height: 1.5}}
section {{margin: 1.6rem 0; break-inside: avoid}}
pre {{overflow-x: auto; padding: .8rem 1rem; border-radius: .6rem; font-size: .84rem;
  background: color-mix(in srgb, currentColor 6%, transparent); white-space: pre-wrap}}
table {{border-collapse: collapse; font-size: .85rem; width: 100%}}
th, td {{text-align: left; padding: .2rem .7rem .2rem 0; border-bottom: 1px solid
  color-mix(in srgb, currentColor 14%, transparent); overflow-wrap: anywhere}}
summary {{cursor: pointer; font-size: .85rem}}
@media print {{:root {{color-scheme: light}} body {{margin: 0; max-width: none}} details {{display: none}}
  pre {{font-size: .68rem}}}}
</style><script>{plotly}</script><script>
// a figure keeps the width of the screen unless it is told that the paper is narrower; paper is white
const dark = matchMedia('(prefers-color-scheme: dark)');
const ink = paper => ({{'font.color': !paper && dark.matches ? '#c9cfd9' : '#4b5563'}});
const fit = width => document.querySelectorAll('.js-plotly-plot').forEach(figure => Plotly.relayout(
  figure, {{...ink(width), ...(width ? {{width: width, autosize: false}} : {{width: null, autosize: true}})}}));
addEventListener('load', () => fit(null));
addEventListener('beforeprint', () => fit({paper}));
addEventListener('afterprint', () => fit(null));
</script></head><body>{body}</body></html>
"""


def write_report(reader: Overview, study: str) -> str:
    """Return a study's recommendation, main figures and guidance as HTML that needs nothing else.

    Raises:
        StorageError: there is no such study.
        UsageError: it has no recommendation yet.
    """
    summaries = {summary.study.name: summary for summary in reader.store.studies()}
    if study not in summaries:
        raise StorageError(
            unknown_name("study", study, summaries) if summaries else f"there is no study {study!r} yet"
        )
    document = reader.store.verdict(study)
    if document is None:
        raise UsageError(f"study {study!r} has no recommendation yet: carry on with 'autoopt resume {study}'")
    verdict, summary = Recommendation.from_dict(document), summaries[study]
    title = wording.answer(verdict)
    body = "".join([
        f'<p class="ao-question">{escape(study)} · autoopt</p><h1>{escape(title)}</h1>', card(verdict, _state(summary)),
        _finalists(verdict), _search(reader, summary, verdict),
        _part("Why, and what to take care of", reasons(verdict)), _notes(verdict),
        _part("In PyTorch", f"<pre>{escape(WRITERS['pytorch'](verdict))}</pre>"), _foot(verdict, summary),
    ])  # fmt: skip
    return _PAGE.format(
        paper=PAPER,
        title=escape(f"{study}: {title}"),
        style=STYLE,
        plotly=bundle.whole(),
        body=body,
    )


def _state(summary: StudySummary) -> str:
    return escape(f"{summary.study.state} {summary.study.updated:%Y-%m-%d %H:%M} UTC")


def _part(title: str, content: str) -> str:
    return f'<section><h2 class="ao-h">{escape(title)}</h2>{content}</section>'


def _figure(title: str, reading: str, drawing: go.Figure, table: pd.DataFrame) -> str:
    drawing.update_layout(font={"color": _INK, "family": "system-ui, sans-serif"})
    drawn = drawing.to_html(full_html=False, include_plotlyjs=False, config={**CONFIG, "responsive": True})
    rows = table.head(60).to_html(index=False, border=0, na_rep="–", float_format=show)
    return _part(title, f'{drawn}<p class="ao-read">{escape(reading)}</p><details><summary>As a table</summary>{rows}'
                 "</details>")  # fmt: skip


def _finalists(verdict: Recommendation) -> str:
    better = "left" if verdict.direction == "minimize" else "right"
    reading = (
        "A dot is a complete training on a fresh seed, the tick their mean, the bar its 95 % interval; further "
        f"{better} is better."
    )
    return _figure(
        "Finalists and baseline, seed by seed", reading, draw_finalists(verdict), finalists_table(verdict)
    )


def _search(reader: Overview, summary: StudySummary, verdict: Recommendation) -> str:
    record = summary.study
    rungs = rungs_of(record.epochs)
    epochs = (*rungs, record.epochs)
    anytime = anytime_table(reader.levels(record.name, epochs), record.epochs, record.direction)
    budget = rungs_table(read_ways(reader.store, record.name), rungs, record.epochs)
    if anytime.empty or budget.empty:
        return ""
    drawn = draw_anytime(anytime, record.objective, record.epochs, baseline=verdict.baseline.mean,
                         confirmed=verdict.chosen.mean)  # fmt: skip
    return _figure(
        "How the search got there", "Best score so far against compute; hollow marks are runs at a rung, filled ones "
        "complete, the star is the mean on fresh seeds. Dashed: the baseline.", drawn, anytime,
    ) + _figure("Where the compute went", "A bar is what was spent between one look at the trials and the next, a "
                "part an optimizer.", draw_budget(budget), budget)  # fmt: skip


def _notes(verdict: Recommendation) -> str:
    lines = "".join(f'<p class="ao-say">{escape(note)}</p>' for note in verdict.notes)
    return _part("What else to know", lines) if lines else ""


def _foot(verdict: Recommendation, summary: StudySummary) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in verdict.versions.items())
    spent = verdict.spent
    text = (
        f"{show(spent.search_runs)} runs on search, {show(spent.confirm_runs)} on confirmation, "
        f"{show_duration(spent.seconds)}. Task {summary.study.task}. {versions}. Written "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    )
    return f'<p class="ao-read">{escape(text)}</p>'
