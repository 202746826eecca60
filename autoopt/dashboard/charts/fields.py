"""Fields: a map of values by two names, a coloured field each with its value on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from autoopt.dashboard.charts.drawing import text

Stop = tuple[float, tuple[int, int, int, float]]
GAP = 0.05  # between fields, of their height; across it is about as many pixels
# From good to bad, with nothing much in between: green, grey, red, as they read on white and on black.
GOOD_TO_BAD: tuple[Stop, ...] = (
    (0.0, (26, 156, 107, 0.55)), (0.5, (128, 134, 148, 0.16)), (1.0, (229, 72, 77, 0.45))
)  # fmt: skip


def draw_fields(
    figure: go.Figure, values: pd.DataFrame, stops: Sequence[Stop], bounds: tuple[float, float],
    note: Callable[[float], str], hover: Sequence[Sequence[str]], axis: str = "",
) -> None:  # fmt: skip
    """Draw a field for every finite value, the rows of the table from top to bottom.

    Args:
        stops: colours by place between the bounds, 0 to 1.
        note: what a field says.
        hover: what each says when it is pointed at.
        axis: number behind the names of its axes, empty for the first.
    """
    low, high = bounds
    tall, wide = 0.5 - GAP / 2, 0.5 - GAP * len(values.columns) / 40
    shapes, notes, points = [], [], []
    for (row, column), value in np.ndenumerate(values.to_numpy(float)):
        if not math.isfinite(value):
            continue
        place = min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.0
        shapes.append({
            "type": "rect", "xref": f"x{axis}", "yref": f"y{axis}", "layer": "below", "line": {"width": 0},
            "x0": column - wide, "x1": column + wide, "y0": row - tall, "y1": row + tall,
            "fillcolor": color_at(place, stops),
        })  # fmt: skip
        notes.append({"x": column, "y": row, "xref": f"x{axis}", "yref": f"y{axis}", "text": note(value),
                      "showarrow": False, "font": {"size": 12}})  # fmt: skip
        points.append((column, row, hover[row][column]))
    figure.add_trace(go.Scatter(
        x=[p[0] for p in points], y=[p[1] for p in points], text=[p[2] for p in points], xaxis=f"x{axis}",
        yaxis=f"y{axis}", mode="markers", marker={"size": 30, "opacity": 0}, hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    ))  # fmt: skip
    figure.update_layout(
        shapes=[*figure.layout.shapes, *shapes], annotations=[*figure.layout.annotations, *notes]
    )
    quiet = {"showgrid": False, "fixedrange": True}
    figure.update_layout({
        f"xaxis{axis}": {**quiet, "range": [-0.5, len(values.columns) - 0.5], **_names(list(values.columns))},
        f"yaxis{axis}": {**quiet, "range": [len(values) - 0.5, -0.5], **_names(list(values.index))},
    })  # fmt: skip


def color_at(place: float, stops: Sequence[Stop]) -> str:
    """Return the colour at a place between the first stop and the last.

    >>> color_at(0.25, [(0.0, (0, 0, 0, 0.0)), (1.0, (200, 100, 0, 1.0))])
    'rgba(50,25,0,0.25)'
    """
    places = [stop for stop, _ in stops]
    red, green, blue, alpha = (
        float(np.interp(place, places, part)) for part in zip(*(c for _, c in stops), strict=True)
    )
    return f"rgba({red:.0f},{green:.0f},{blue:.0f},{alpha:.3g})"


def _names(names: Sequence[object]) -> dict[str, object]:
    return {"tickvals": list(range(len(names))), "ticktext": [text(name) for name in names]}
