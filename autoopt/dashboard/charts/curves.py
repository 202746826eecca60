"""Learning curves: one of them with everything about it, or hundreds at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from autoopt.dashboard.charts.drawing import lay_out, log_axis, text, wants_log
from autoopt.dashboard.theme import BASELINE, DIVERGED, color_of
from autoopt.run import EpochReport, RunRecord


def run_table(reports: Sequence[EpochReport]) -> pd.DataFrame:
    """Return the epochs of a run, a row each."""
    columns = ["epoch", "train_loss", "valid_loss", "score", "averaged_score", "learning_rate", "gradient_norm",
               "seconds", "diverged", "failure", "test_score"]  # fmt: skip
    return pd.DataFrame(
        [{name: getattr(report, name) for name in columns} for report in reports], columns=columns
    )


def draw_run(record: RunRecord, reports: Sequence[EpochReport], objective: str) -> go.Figure:
    """Draw a run: losses above, and the learning rate and gradient norm below, on one axis of epochs."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.06,
                           specs=[[{}], [{"secondary_y": True}]])  # fmt: skip
    lay_out(figure, 430)
    epochs = [report.epoch for report in reports]
    color = color_of(record.run.recipe.optimizer)
    lines: list[tuple[str, list[float], dict[str, object]]] = [
        ("validation loss", [r.valid_loss for r in reports], {"color": color, "width": 2.6}),
        ("training loss", [r.train_loss for r in reports], {"color": color, "width": 1.6, "dash": "dot"}),
    ]
    if objective != "loss":
        lines.append((text(objective), [r.score for r in reports], {"color": BASELINE, "width": 2}))
    for name, values, line in lines:
        drawn = go.Scatter(x=epochs, y=_finite(values), name=name, mode="lines+markers", line=line,
                           marker={"size": 5}, hovertemplate=f"{name} %{{y:.4g}}<extra></extra>")  # fmt: skip
        figure.add_trace(drawn, 1, 1)
    averaged = [(r.epoch, r.averaged_score) for r in reports if r.averaged_score is not None]
    if averaged:
        figure.add_trace(go.Scatter(x=[e for e, _ in averaged], y=_finite([s for _, s in averaged]), mode="markers",
                                    name=f"{text(objective)}, averaged weights",
                                    marker={"symbol": "diamond-open", "size": 10, "color": color}), 1, 1)  # fmt: skip
    for report in reports:
        if report.over:
            figure.add_vline(report.epoch, line={"color": DIVERGED, "dash": "dot"}, row=1, col=1)
    rates = go.Scatter(x=epochs, y=[r.learning_rate for r in reports], name="learning rate", mode="lines",
                       line={"color": BASELINE, "width": 2}, hovertemplate="rate %{y:.3g}<extra></extra>")  # fmt: skip
    figure.add_trace(rates, 2, 1)
    norms = [r.gradient_norm for r in reports]
    if any(norm is not None for norm in norms):
        drawn = go.Scatter(x=epochs, y=_finite(norms), name="gradient norm", mode="lines",
                           line={"color": BASELINE, "width": 1.5, "dash": "dash"},
                           hovertemplate="gradient norm %{y:.3g}<extra></extra>")  # fmt: skip
        figure.add_trace(drawn, 2, 1, secondary_y=True)
    losses = [v for _, values, _ in lines[:2] for v in values if v is not None and math.isfinite(v)]
    figure.update_yaxes(title_text="loss", row=1, col=1, **(log_axis(losses) if wants_log(losses) else {}))
    figure.update_yaxes(title_text="rate", row=2, col=1, secondary_y=False, rangemode="tozero")
    figure.update_yaxes(title_text="gradient", row=2, col=1, secondary_y=True, showgrid=False)
    figure.update_xaxes(title_text="epoch", row=2, col=1)
    figure.update_layout(hovermode="x unified")
    return figure


def _finite(values: Sequence[float | None]) -> list[float | None]:
    return [value if value is not None and math.isfinite(value) else None for value in values]
