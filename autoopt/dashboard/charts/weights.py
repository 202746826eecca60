"""Which settings mattered: their importance, the score along each, and all of them at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from autoopt.dashboard.charts.drawing import clipped, empty_figure, lay_out, log_axis, text, wants_log
from autoopt.dashboard.theme import ACCENT, color_of, title_of
from autoopt.run import Direction

SCALE = [[0.0, ACCENT], [0.5, "#8f9bb3"], [1.0, "#d9a441"]]


def draw_importance(shares: Mapping[str, float]) -> go.Figure:
    """Draw a bar a setting, the most important first."""
    figure = empty_figure(90 + 34 * len(shares), showlegend=False)
    figure.add_trace(go.Bar(
        x=[100 * share for share in shares.values()], y=[text(name) for name in shares], orientation="h",
        marker={"color": ACCENT}, text=[f"{share:.0%}" for share in shares.values()], textposition="outside",
        cliponaxis=False, hovertemplate="%{y}: %{x:.3g} %<extra></extra>",
    ))  # fmt: skip
    figure.update_xaxes(title_text="share of how scores differ, %", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def draw_slices(
    trials: pd.DataFrame, names: Sequence[str], objective: str, direction: Direction
) -> go.Figure:
    """Draw the score along each setting, a panel a setting.

    Args:
        trials: columns ``id``, ``optimizer``, ``y`` and the settings.
    """
    columns = min(3, len(names)) or 1
    rows = max(1, math.ceil(len(names) / columns))
    figure = make_subplots(rows=rows, cols=columns, shared_yaxes=True, horizontal_spacing=0.04,
                           vertical_spacing=min(0.2, 0.4 / rows))  # fmt: skip
    lay_out(figure, 60 + 220 * rows, showlegend=False)
    tried = sorted(map(str, trials["optimizer"].unique()))
    # numbers with a scale of their own, for Plotly looks at each of a list of colours
    codes = trials["optimizer"].astype(str).map({name: n for n, name in enumerate(tried)})
    marker = {
        "size": 5,
        "opacity": 0.6,
        "cmin": 0,
        "cmax": max(1, len(tried) - 1),
        "colorscale": _stairs(tried),
    }
    for n, name in enumerate(names):
        place = {"row": n // columns + 1, "col": n % columns + 1}
        own = trials[trials[name].notna()]
        words = own[name].dtype.kind not in "fiu"
        figure.add_trace(go.Scatter(
            x=own[name].astype(str).map(title_of) if words else own[name], y=own["y"], mode="markers",
            customdata=own["id"],
            marker={**marker, "color": codes[own.index]},
            hovertemplate="run %{customdata}: %{y:.4g} at %{x}<extra></extra>",
        ), **place)  # fmt: skip
        log = log_axis(own[name]) if not words and wants_log(own[name]) else {}
        figure.update_xaxes(title_text=text(name), tickfont={"size": 11}, **log, **place)
    part = clipped(trials["y"], direction)
    if part is not None:
        pad = 0.04 * (part[1] - part[0])
        figure.update_yaxes(range=[part[0] - pad, part[1] + pad])
    for row in range(1, rows + 1):
        figure.update_yaxes(title_text=text(objective), row=row, col=1)
    return figure


def _stairs(optimizers: Sequence[str]) -> list[list[float | str]]:
    """Return a scale of colours that gives the optimizer of each number its own."""
    last = max(1, len(optimizers) - 1)
    return [[n / last, color_of(name)] for n, name in enumerate(optimizers)] if len(optimizers) > 1 else [
        [0.0, color_of(optimizers[0])], [1.0, color_of(optimizers[0])]]  # fmt: skip


def draw_parallel(
    trials: pd.DataFrame, names: Sequence[str], objective: str, direction: Direction
) -> go.Figure:
    """Draw a line a trial across its settings, coloured by its score; the axes can be brushed."""
    figure = empty_figure(430)
    own = trials[np.isfinite(trials["y"])]
    part = clipped(own["y"], direction)
    scores = own["y"] if part is None else own["y"].clip(*part)
    axes = [_axis(own[name], name) for name in names]
    figure.add_trace(go.Parcoords(
        dimensions=[*axes, {"label": objective, "values": scores}], labelfont={"size": 12}, tickfont={"size": 10},
        line={"color": scores, "colorscale": SCALE, "reversescale": direction == "maximize", "showscale": False},
        unselected={"line": {"opacity": 0.05}},
    ))  # fmt: skip
    figure.update_layout(margin={"l": 60, "r": 40, "t": 40, "b": 20})
    return figure


def _axis(values: pd.Series, name: str) -> dict[str, Any]:
    if values.dtype.kind not in "fiu":
        kinds = sorted(map(str, values.dropna().unique()))
        return {"label": name, "values": values.astype(str).map({k: n for n, k in enumerate(kinds)}).fillna(-1),
                "tickvals": list(range(len(kinds))), "ticktext": [title_of(k) for k in kinds]}  # fmt: skip
    if wants_log(values):
        logs = np.log10(values)
        ticks = list(range(math.floor(logs.min()), math.ceil(logs.max()) + 1))
        return {"label": name, "values": logs, "tickvals": ticks, "ticktext": [f"1e{k}" for k in ticks]}
    return {"label": name, "values": values}
