"""The score against the learning rate: a panel an optimizer, with its good rates and where it diverges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from autoopt.dashboard.charts.drawing import clipped, lay_out, log_axis, text, wants_log
from autoopt.dashboard.theme import BASELINE, DIVERGED, color_of, symbol_of, title_of
from autoopt.run import Direction

PANEL = 230
FEW = 60  # marks of a panel, up to which each can be seen by itself


@dataclass(frozen=True)
class Marks:
    """What is marked in the panel of an optimizer; each ``None`` where there is nothing to mark.

    Attributes:
        good: lowest and highest rate that did well.
        border: rate from which on runs diverge.
        reference: rate of the catalogue.
        chosen: rate of the recommended recipe.
    """

    good: tuple[float, float] | None = None
    border: float | None = None
    reference: float | None = None
    chosen: float | None = None


def divergence_border(rates: pd.Series, diverged: pd.Series) -> float | None:
    """Return the rate that parts runs that diverged from those that did not with the fewest on the wrong side.

    ``None`` where none diverged, or where a rate parts them no better than none would.
    """
    known = rates.notna() & (rates > 0)
    values, bad = rates[known].to_numpy(float), diverged[known].to_numpy(bool)
    if not bad.any():
        return None
    order = np.argsort(values, kind="stable")
    values, bad = values[order], bad[order]
    wrong = np.concatenate([[0], np.cumsum(bad)]) + np.concatenate([np.cumsum(~bad[::-1])[::-1], [0]])
    place = int(np.argmin(wrong))
    if place == 0:
        return float(values[0])
    if place == len(values) or wrong[place] >= bad.sum():
        return None
    return float(math.sqrt(values[place - 1] * values[place]))


def draw_rates(
    trials: pd.DataFrame, marks: Mapping[str, Marks], objective: str, direction: Direction, columns: int = 4
) -> go.Figure:
    """Draw a panel an optimizer: its trials' scores against their rates.

    Args:
        trials: columns ``id``, ``optimizer``, ``lr``, ``y``, ``state``; ``y`` is NaN where a trial has no score.
        marks: by optimizer, in the order of the panels.
        columns: panels side by side.
    """
    names = list(marks)
    columns = min(columns, max(1, len(names)))
    rows = max(1, math.ceil(len(names) / columns))
    figure = make_subplots(
        rows=rows, cols=columns, shared_yaxes=True, subplot_titles=[text(title_of(name)) for name in names],
        horizontal_spacing=0.045, vertical_spacing=min(0.14, 0.3 / rows),
    )  # fmt: skip
    lay_out(figure, 60 + PANEL * rows, showlegend=False)
    finite = trials["y"][np.isfinite(trials["y"])]
    part = clipped(finite, direction)
    log = wants_log(finite if part is None else [v for v in finite if part[0] <= v <= part[1]])
    low, high = part or (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    edge = high if direction == "minimize" else low
    shapes: list[dict[str, Any]] = []
    for n, name in enumerate(names):
        place = {"row": n // columns + 1, "col": n % columns + 1}
        own = trials[trials["optimizer"] == name]
        _points(figure, own, name, edge, place)
        shapes += _shapes(marks[name], f"{n + 1 if n else ''}")
        known = [rate for rate in (*own["lr"], marks[name].reference, marks[name].chosen) if rate]
        narrow = not known or max(known) / min(known) < 8
        ends = [math.log10(min(known)) - 0.18, math.log10(max(known)) + 0.18] if known else None
        figure.update_xaxes(
            type="log",
            dtick="D2" if narrow else 1,
            tickformat="~e",
            tickfont={"size": 11},
            range=ends,
            **place,
        )
    figure.update_annotations(font={"size": 13})
    figure.update_yaxes(**(log_axis([low, high]) if log else {}))
    pad = (high - low) * 0.06 or 0.1
    if log:
        figure.update_yaxes(range=[math.log10(low) - 0.05, math.log10(high) + 0.06])
    else:
        figure.update_yaxes(range=[low - pad, high + pad])
    for row in range(1, rows + 1):
        figure.update_yaxes(title_text=text(objective), row=row, col=1)
    figure.update_layout(margin={"t": 30}, shapes=shapes)  # all at once: each alone takes Plotly 50 ms
    return figure


def _shapes(marks: Marks, axis: str) -> list[dict[str, Any]]:
    """Return the bands and lines of a panel, whose axes are called ``x`` and ``y`` with this number behind."""
    whole = {"xref": f"x{axis}", "yref": f"y{axis} domain", "y0": 0, "y1": 1}
    drawn: list[dict[str, Any]] = []
    if marks.good is not None:
        low, high = marks.good
        drawn.append({**whole, "type": "rect", "x0": low, "x1": high, "fillcolor": "rgba(26,156,107,.16)",
                      "line": {"width": 0}, "layer": "below"})  # fmt: skip
    lines = (
        (marks.border, {"color": DIVERGED, "width": 1.5, "dash": "dash"}),
        (marks.reference, {"color": BASELINE, "width": 1.2, "dash": "dot"}),
        (marks.chosen, {"color": BASELINE, "width": 2.4}),
    )
    drawn += [{**whole, "type": "line", "x0": rate, "x1": rate, "line": line} for rate, line in lines if rate]
    return drawn


def _points(figure: go.Figure, own: pd.DataFrame, name: str, edge: float, place: dict[str, int]) -> None:
    diverged = own["state"] == "diverged"
    color = color_of(name)
    looks = (
        (own[~diverged & (own["state"] == "finished")], {"color": color, "size": 7, "symbol": symbol_of(name)}),
        (own[~diverged & (own["state"] != "finished")], {"color": color, "size": 6,
                                                         "opacity": 0.55 if len(own) > FEW else 0.9,
                                                         "symbol": f"{symbol_of(name)}-open"}),
    )  # fmt: skip
    for part, marker in looks:
        if len(part):
            figure.add_trace(go.Scatter(
                x=part["lr"], y=part["y"], mode="markers", marker=marker,
                customdata=np.stack([part["id"], part["state"].astype(str)], axis=-1),
                hovertemplate="run %{customdata[0]} (%{customdata[1]})<br>rate %{x:.3g}: %{y:.4g}<extra></extra>",
            ), **place)  # fmt: skip
    if diverged.any():
        lost = own[diverged]
        figure.add_trace(go.Scatter(
            x=lost["lr"], y=[edge] * len(lost), mode="markers", customdata=lost["id"],
            marker={"symbol": "circle-open", "color": DIVERGED, "size": 7, "line": {"width": 1.4}},
            hovertemplate="run %{customdata} diverged at rate %{x:.3g}<extra></extra>",
        ), **place)  # fmt: skip
