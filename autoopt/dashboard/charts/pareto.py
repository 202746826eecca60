"""What a better score costs: recipes that nothing beats in score, time and memory together."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from autoopt.dashboard.charts.drawing import empty_figure, text
from autoopt.dashboard.theme import color_of, symbol_of, title_of
from autoopt.verdict.pareto import Point


def pareto_table(points: Sequence[Point], objective: str) -> pd.DataFrame:
    """Return a row a recipe, best score first."""
    return pd.DataFrame([
        {"recipe": str(point.recipe), objective: point.score, "from": point.low, "to": point.high,
         "seeds": point.seeds, "seconds a training": point.seconds,
         "MB": None if point.bytes is None else point.bytes / 1e6,
         "tie": "within the noise of something that costs no more" if point.ties else ""}
        for point in points
    ])  # fmt: skip


def draw_pareto(points: Sequence[Point], objective: str) -> go.Figure:
    """Draw score against seconds of a training: a mark a recipe with its interval, hollow where it ties."""
    figure = empty_figure(showlegend=False)
    for point in points:
        name = point.recipe.optimizer
        color, known = color_of(name), point.low is not None and point.high is not None
        symbol = symbol_of(name)
        memory = "" if point.bytes is None else f"<br>{point.bytes / 1e6:.3g} MB"
        figure.add_trace(go.Scatter(
            x=[point.seconds], y=[point.score], mode="markers", cliponaxis=False,
            marker={"color": color, "size": 11, "symbol": f"{symbol}-open" if point.ties else symbol},
            error_y={"type": "data", "symmetric": False, "array": [(point.high or 0) - point.score],
                     "arrayminus": [point.score - (point.low or 0)], "color": color} if known else None,
            hovertemplate=f"{text(title_of(name))}: %{{y:.4g}} in %{{x:.3g}} s{memory}<br>{text(point.recipe)}"
            "<extra></extra>",
        ))  # fmt: skip
    figure.update_xaxes(title_text="seconds a training")
    figure.update_yaxes(title_text=text(objective))
    return figure
