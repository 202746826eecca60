"""Studies beside each other: what each gained over its baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from autoopt.dashboard.charts.drawing import baseline_line, empty_figure, text
from autoopt.dashboard.charts.fields import GOOD_TO_BAD, draw_fields
from autoopt.dashboard.theme import color_of, symbol_of, title_of
from autoopt.run import Direction
from autoopt.verdict.recommendation import Recommendation

_BEHIND = ((0.0, GOOD_TO_BAD[0][1]), (0.15, GOOD_TO_BAD[1][1]), GOOD_TO_BAD[2])  # 1 is 100 % behind


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
    if table.empty:
        return table
    ordered = table.loc[table.mean(axis=1).sort_values().index]
    return ordered.assign(mean=ordered.mean(axis=1)) if len(columns) > 1 else ordered


def draw_standings(table: pd.DataFrame) -> go.Figure:
    """Draw ``standings_table`` as a map: the redder, the further behind the best of that study."""
    figure = empty_figure(120 + 30 * len(table), showlegend=False)
    shown = table.rename(columns=lambda study: str(study)[:24])
    hover = [[f"{text(name)} on {text(study)}: {value:.3g} % behind" for study, value in row.items()]
             for name, row in table.iterrows()]  # fmt: skip
    draw_fields(figure, shown, _BEHIND, (0, 100), lambda value: f"{value:.3g} %", hover)
    figure.update_xaxes(side="top")
    return figure
