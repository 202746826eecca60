"""What all figures share: transparent, quiet grids, axes that fit what they show."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go

from autoopt.dashboard.theme import BASELINE

GRID = "rgba(128,134,148,0.22)"
CONFIG: dict[str, Any] = {
    "displaylogo": False, "plotlyServerURL": "",
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d", "sendChartToCloud"],
}  # fmt: skip
"""Of Plotly, for every figure: no advertisement, and no button that sends what is drawn to somebody."""
DECADE = 8.0  # largest over smallest, from which on a logarithmic axis reads better


def empty_figure(height: int = 340, **layout: Any) -> go.Figure:
    """Return a figure without anything in it, laid out as all are."""
    return lay_out(go.Figure(), height, **layout)


def lay_out(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """Lay a figure out as all are, and return it."""
    figure.update_layout(
        height=height, margin={"l": 8, "r": 12, "t": 10, "b": 8}, paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)", hoverlabel={"align": "left"}, uirevision="kept",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0, "title": None, "font": {"size": 12}},
        **layout,
    )  # fmt: skip
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True, title={"standoff": 8})
    figure.update_yaxes(
        gridcolor=GRID, zeroline=False, automargin=True, title={"standoff": 8}, ticklabelstandoff=5
    )
    return figure


def wants_log(values: Iterable[float]) -> bool:
    """Say whether values, all above zero, span a decade or nearly so."""
    finite = [value for value in values if math.isfinite(value)]
    return len(finite) > 1 and min(finite) > 0 and max(finite) / min(finite) >= DECADE


def log_axis(values: Iterable[float]) -> dict[str, Any]:
    """Return the settings of a logarithmic axis: ticks at 1, 2 and 5 of each decade, or at decades alone."""
    finite = [value for value in values if math.isfinite(value) and value > 0]
    span = math.log10(max(finite) / min(finite)) if len(finite) > 1 else 1.0
    if span > 7:
        return {"type": "log", "nticks": 7, "tickformat": "~e"}
    return {"type": "log", "dtick": 1 if span > 2.4 else "D2", "tickformat": "~e" if span > 5 else ".3~g"}


def clipped(values: Iterable[float], direction: str, share: float = 0.92) -> tuple[float, float] | None:
    """Return the interesting part of scores: from the best to the one that this share is better than.

    ``None`` where there is nothing to clip: the rest lies within a tenth of that range.
    """
    finite = sorted(value for value in values if math.isfinite(value))
    if len(finite) < 8:
        return None
    if direction == "maximize":
        worst = finite[math.floor((1 - share) * (len(finite) - 1))]
        low, high, beyond = worst, finite[-1], finite[0]
        return (low, high) if low - beyond > 0.1 * (high - low) else None
    worst = finite[math.ceil(share * (len(finite) - 1))]
    low, high, beyond = finite[0], worst, finite[-1]
    return (low, high) if beyond - high > 0.1 * (high - low) else None


def baseline_line(figure: go.Figure, value: float, label: str, *, vertical: bool = False) -> None:
    """Draw the baseline, its axis being laid out already: always dashed and grey, its name on it."""
    line = {"color": BASELINE, "dash": "dash", "width": 1.6}
    note = {"font": {"color": BASELINE, "size": 12}, "showarrow": False, "text": text(label)}
    axis = figure.layout.xaxis if vertical else figure.layout.yaxis
    place = math.log10(value) if axis.type == "log" else value  # lines take the value, notes its logarithm
    if vertical:
        figure.add_vline(value, line=line)
        figure.add_annotation(x=place, y=1.0, yref="paper", yanchor="bottom", xanchor="center", **note)
    else:
        figure.add_hline(value, line=line)
        figure.add_annotation(x=1.0, xref="paper", y=place, yanchor="bottom", xanchor="right", **note)


def text(words: object) -> str:
    """Return text for where Plotly reads its few HTML tags, such that it is shown as it is."""
    return str(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
