"""Studies beside each other: what each gained over its baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from autoopt.dashboard.charts.drawing import baseline_line, empty_figure, text
from autoopt.dashboard.theme import color_of, symbol_of, title_of
from autoopt.run import Direction
from autoopt.verdict.recommendation import Recommendation


def gains_table(verdicts: Sequence[Recommendation]) -> pd.DataFrame:
    """Return a row a study: what it recommends, and the gain over its baseline in percent with bounds."""
    rows = [
        {"study": v.study, "task": v.task, "optimizer": v.recipe.optimizer, "lr": v.recipe.settings.get("lr"),
         "schedule": v.recipe.schedule, "metric": v.objective, "score": v.chosen.mean, "baseline": v.baseline.mean,
         "gain %": _percent(v, "middle"), "from": _percent(v, "low"), "to": _percent(v, "high"), "verdict": v.verdict}
        for v in verdicts
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _percent(verdict: Recommendation, bound: str) -> float | None:
    value = getattr(verdict.relative_gain, bound) if verdict.relative_gain is not None else math.nan
    return 100 * value if math.isfinite(value) else None


def draw_gains(table: pd.DataFrame) -> go.Figure:
    """Draw a row a study: its gain with the interval, in the colour of the recommended optimizer."""
    figure = empty_figure(110 + 36 * len(table), showlegend=False)
    for place, row in enumerate(table.to_dict("records")):
        color = color_of(row["optimizer"])
        if pd.isna(row["gain %"]):
            continue
        if not pd.isna(row["from"]) and not pd.isna(row["to"]):
            figure.add_trace(go.Scatter(x=[row["from"], row["to"]], y=[place, place], mode="lines", hoverinfo="skip",
                                        line={"color": color, "width": 5}, opacity=0.45))  # fmt: skip
        figure.add_trace(go.Scatter(
            x=[row["gain %"]], y=[place], mode="markers", cliponaxis=False,
            marker={"color": color, "size": 12, "symbol": symbol_of(row["optimizer"])},
            hovertemplate=f"{text(row['study'])}: {text(title_of(row['optimizer']))} %{{x:+.3g}} %<extra></extra>",
        ))  # fmt: skip
    labels = [f"{row['study']} · {title_of(row['optimizer'])}" for row in table.to_dict("records")]
    names = [text(label[:48]) for label in labels]
    figure.update_yaxes(
        tickvals=list(range(len(table))), ticktext=names, showgrid=False, range=[len(table) - 0.4, -0.6]
    )
    figure.update_xaxes(title_text="gain over the baseline, %")
    baseline_line(figure, 0.0, "baseline", vertical=True)
    figure.update_layout(margin={"t": 26})
    return figure


def standings_table(
    best: Mapping[str, Mapping[str, float]], direction: Mapping[str, Direction]
) -> pd.DataFrame:
    """Return a row an optimizer, a column a study: how far its best score lies behind the study's best, in percent.

    Args:
        best: by study, the best score of each optimizer; ``direction`` of the scores by study.
    """
    columns: dict[str, dict[str, float]] = {}
    for study, scores in best.items():
        if not scores:
            continue
        lead = (min if direction[study] == "minimize" else max)(scores.values())
        if lead:
            columns[study] = {name: 100 * abs(score - lead) / abs(lead) for name, score in scores.items()}
    table = pd.DataFrame(columns)
    return table.assign(mean=table.mean(axis=1)).sort_values("mean") if len(table) else table


def draw_standings(table: pd.DataFrame) -> go.Figure:
    """Draw ``standings_table`` as a map: the darker, the further behind the best of that study."""
    values = table.clip(upper=100)
    figure = empty_figure(120 + 30 * len(table))
    names = [text(title_of(name)) for name in table.index]
    studies = [text(column[:24]) for column in table.columns]
    figure.add_trace(go.Heatmap(
        z=values, x=studies, y=names, zmin=0, zmax=100, xgap=3, ygap=3, showscale=False, customdata=table,
        colorscale=[[0, "rgba(26,156,107,.5)"], [0.15, "rgba(128,134,148,.16)"], [1, "rgba(229,72,77,.4)"]],
        hovertemplate="%{y} on %{x}: %{customdata:.3g} % behind<extra></extra>",
    ))  # fmt: skip
    for name, row in zip(names, table.to_numpy(), strict=True):  # notes take the colour of the theme's text
        for study, value in zip(studies, row, strict=True):
            if math.isfinite(value):
                figure.add_annotation(
                    x=study, y=name, text=f"{value:.3g}", showarrow=False, font={"size": 12}
                )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False, side="top")
    return figure
