"""Learning curves: one of them with everything about it, or hundreds at once."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from autoopt.dashboard.charts.drawing import clipped, lay_out, log_axis, text, wants_log
from autoopt.dashboard.theme import BASELINE, DIVERGED, color_of, dash_of, title_of
from autoopt.run import Direction, EpochReport, RunRecord

FEW = 60  # lines, up to which each can be seen by itself


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
    figure.update_yaxes(title_text="gradient", row=2, col=1, secondary_y=True, showgrid=False, nticks=3,
                        tickmode="auto", rangemode="tozero")  # fmt: skip
    figure.update_xaxes(title_text="epoch", row=2, col=1)
    figure.update_layout(hovermode="x unified")
    return figure


def _finite(values: Sequence[float | None]) -> list[float | None]:
    return [value if value is not None and math.isfinite(value) else None for value in values]


def curves_table(records: Sequence[RunRecord], curves: Mapping[int, Sequence[EpochReport]]) -> pd.DataFrame:
    """Return the epochs of many runs, a row each."""
    rows = [
        {"run": record.run.id, "optimizer": record.run.recipe.optimizer, "state": str(record.state), "epoch": r.epoch,
         "train_loss": r.train_loss, "valid_loss": r.valid_loss, "score": r.score, "learning_rate": r.learning_rate,
         "gradient_norm": r.gradient_norm}
        for record in records for r in curves.get(record.run.id, ())
    ]  # fmt: skip
    columns = [
        "run",
        "optimizer",
        "state",
        "epoch",
        "train_loss",
        "valid_loss",
        "score",
        "learning_rate",
        "gradient_norm",
    ]
    return pd.DataFrame(rows, columns=columns)


def draw_curves(
    table: pd.DataFrame, value: str, title: str, direction: Direction, *, strip: str = "learning_rate",
    on_top: Collection[int] = (), whole: bool = False,
) -> go.Figure:  # fmt: skip
    """Draw many runs at once: a thin line each in the colour of its optimizer, and below what ``strip`` did.

    Args:
        table: from ``curves_table``.
        value: the column that is drawn, ``title`` what its axis says.
        strip: the column of the lower panel.
        on_top: ids of runs that are drawn thick, above all others.
        whole: show outliers, instead of the interesting part.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.78, 0.22], vertical_spacing=0.04)
    lay_out(figure, 560)
    below, above = table[~table["run"].isin(on_top)], table[table["run"].isin(on_top)]
    faint = 0.5 if below["run"].nunique() > FEW else 0.75
    for part, width, opacity in ((below, 1.1, faint), (above, 3.2, 1.0)):
        for name, own in part.groupby("optimizer", sort=False, observed=True):
            look = {
                "color": color_of(str(name)),
                "width": width,
                "dash": "solid" if width > 2 else dash_of(str(name)),
            }
            legend = {"name": text(title_of(str(name))), "legendgroup": str(name),
                      "showlegend": bool(width < 2 or name not in set(below["optimizer"]))}  # fmt: skip
            x, y, ids = _broken(own, value)
            figure.add_trace(go.Scatter(
                x=x, y=y, customdata=ids, mode="lines", line=look, opacity=opacity, **legend,
                hovertemplate=f"run %{{customdata}}, {text(title_of(str(name)))}"
                "<br>epoch %{x}: %{y:.4g}<extra></extra>",
            ), 1, 1)  # fmt: skip
            x, y, ids = _broken(own, strip)
            figure.add_trace(go.Scatter(
                x=x, y=y, mode="lines", line=look, opacity=opacity * 0.8, hoverinfo="skip",
                **{**legend, "showlegend": False},
            ), 2, 1)  # fmt: skip
    _lost(figure, table, value)
    finite = [v for v in table[value] if math.isfinite(v)]
    part = None if whole else clipped(finite, direction, 0.97)
    shown = [v for v in finite if part is None or part[0] <= v <= part[1]]
    axis = log_axis(shown) if wants_log(shown) else {}
    if part is not None:
        low, high = part
        axis["range"] = (
            [math.log10(low) - 0.04, math.log10(high)] if axis else [low - 0.03 * (high - low), high]
        )
    figure.update_yaxes(title_text=text(title), row=1, col=1, **axis)
    strips = [v for v in table[strip] if v is not None and math.isfinite(v)]
    logarithmic = {"type": "log", "nticks": 4, "tickformat": "~e"}
    figure.update_yaxes(
        title_text=strip.split("_")[-1], row=2, col=1, **(logarithmic if wants_log(strips) else {})
    )
    figure.update_xaxes(title_text="epoch", row=2, col=1)
    return figure


def _broken(own: pd.DataFrame, value: str) -> tuple[list[float | None], list[float | None], list[int | None]]:
    """Return the points of several runs as one line with gaps between them."""
    x: list[float | None] = []
    y: list[float | None] = []
    ids: list[int | None] = []
    for run, rows in own.groupby("run", sort=False):
        x += [*rows["epoch"].tolist(), None]
        y += [*_finite(rows[value].tolist()), None]
        ids += [run] * (len(rows) + 1)
    return x, y, ids


def _lost(figure: go.Figure, table: pd.DataFrame, value: str) -> None:
    """Mark where runs diverged: at the last loss that was a number."""
    diverged = table[(table["state"] == "diverged") & np.isfinite(table[value].astype(float))]
    if diverged.empty:
        return
    last = diverged.groupby("run").tail(1)
    figure.add_trace(go.Scatter(
        x=last["epoch"], y=last[value], mode="markers", name="diverged", customdata=last["run"],
        marker={"symbol": "circle-open", "color": DIVERGED, "size": 8, "line": {"width": 1.6}},
        hovertemplate="run %{customdata} diverged after epoch %{x}<extra></extra>",
    ), 1, 1)  # fmt: skip
