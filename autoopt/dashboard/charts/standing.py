"""The optimizers of a study beside each other, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from autoopt.dashboard.charts.drawing import empty_figure, log_axis, text, wants_log
from autoopt.dashboard.theme import color_of, symbol_of
from autoopt.verdict.figures import Comparison, OptimizerFigures
from autoopt.verdict.statistics import Interval

ROW = 36  # pixels of an optimizer


def looks_of(method: str) -> tuple[str, str]:
    """Return colour and mark of a method of the comparison, SGD without momentum among them."""
    return (
        (color_of("momentum"), "square") if method == "plain sgd" else (color_of(method), symbol_of(method))
    )


def standing_table(comparison: Comparison, scores: pd.DataFrame, objective: str) -> pd.DataFrame:
    """Return a row an optimizer, best first.

    Args:
        scores: columns ``optimizer`` and ``y``, the scores at the first look; for medians and middle halves.
    """
    rows = []
    for each in comparison.optimizers:
        own = scores.loc[scores["optimizer"] == each.method, "y"].dropna()
        rows.append({
            "optimizer": each.title, "trials": each.trials, f"best {objective}": each.score,
            "confirmed": _middle(each.confirmed), "epochs to target": _middle(each.epochs_to_target),
            "seconds to target": _middle(each.seconds_to_target), "diverged %": _percent(each.diverged_share),
            "good rates, decades": _middle(each.basin), "state, × weights": each.state_floats,
            "median at first look": float(own.median()) if len(own) else None,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _middle(interval: Interval | None) -> float | None:
    return None if interval is None else interval.middle


def _percent(interval: Interval | None) -> float | None:
    return None if interval is None else 100 * interval.middle


def draw_scores(comparison: Comparison, scores: pd.DataFrame, objective: str) -> go.Figure:
    """Draw a row an optimizer: the middle half and the median of its trials at the first look, and its best score."""
    rows = comparison.optimizers
    figure = empty_figure(100 + ROW * len(rows), showlegend=False)
    values: list[float] = []
    for place, each in enumerate(rows):
        color, symbol = looks_of(each.method)
        own = scores.loc[scores["optimizer"] == each.method, "y"].dropna()
        if len(own):
            low, middle, high = (float(own.quantile(q)) for q in (0.25, 0.5, 0.75))
            values += [low, high]
            figure.add_trace(_bar(low, high, place, color, 9))
            tick = {"symbol": "line-ns-open", "size": 16, "color": color, "line": {"width": 2.5}}
            figure.add_trace(_mark(middle, place, tick, "median"))
        if each.score is not None:
            values.append(each.score)
            figure.add_trace(_mark(each.score, place, {"symbol": symbol, "size": 11, "color": color}, "best"))
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=[text(each.title) for each in rows],
                        range=[len(rows) - 0.4, -0.6], showgrid=False)  # fmt: skip
    figure.update_xaxes(title_text=text(objective), **(log_axis(values) if wants_log(values) else {}))
    return figure


def draw_intervals(rows: Sequence[OptimizerFigures], name: str, title: str, scale: float = 1.0) -> go.Figure:
    """Draw one figure of the comparison with its interval, a row an optimizer; what is not known stays empty."""
    figure = empty_figure(100 + ROW * len(rows), showlegend=False)
    for place, each in enumerate(rows):
        interval: Interval | None = getattr(each, name)
        if interval is None:
            continue
        color, symbol = looks_of(each.method)
        if math.isfinite(interval.low) and math.isfinite(interval.high):
            figure.add_trace(_bar(scale * interval.low, scale * interval.high, place, color, 4))
        marker = {"symbol": symbol, "size": 11, "color": color}
        figure.add_trace(_mark(scale * interval.middle, place, marker, text(each.title)))
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=[text(each.title) for each in rows],
                        range=[len(rows) - 0.4, -0.6], showgrid=False, ticklabelstandoff=12)  # fmt: skip
    figure.update_xaxes(title_text=title, rangemode="tozero")
    return figure


def _bar(low: float, high: float, place: int, color: str, width: int) -> go.Scatter:
    return go.Scatter(x=[low, high], y=[place, place], mode="lines", opacity=0.45, hoverinfo="skip",
                      line={"color": color, "width": width})  # fmt: skip


def _mark(value: float, place: int, marker: dict[str, object], words: str) -> go.Scatter:
    return go.Scatter(x=[value], y=[place], mode="markers", marker=marker, cliponaxis=False,
                      hovertemplate=f"{words} %{{x:.4g}}<extra></extra>")  # fmt: skip
