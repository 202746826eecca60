"""The finalists and the baseline, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from autoopt.dashboard.charts.drawing import baseline_line, empty_figure, log_axis, text, wants_log
from autoopt.dashboard.readable import show
from autoopt.dashboard.theme import BASELINE, color_of, symbol_of, title_of
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.recommendation import Recommendation

WORDS = 26


def finalists_table(recommendation: Recommendation) -> pd.DataFrame:
    """Return a row for every finalist and seed, the chosen one first and the baseline last."""
    rows = [
        {"finalist": name, "recipe": str(each.recipe), "seed": seed, recommendation.objective: score,
         "on test data": each.test_scores.get(seed)}
        for name, each in _named(recommendation) for seed, score in each.scores.items()
    ]  # fmt: skip
    rows += [
        {"finalist": name, "recipe": str(each.recipe), "seed": seed, recommendation.objective: None,
         "failed with": note}
        for name, each in _named(recommendation) for seed, note in each.failures.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def draw_finalists(recommendation: Recommendation) -> go.Figure:
    """Draw a row a finalist: a dot a seed, its mean with the interval, the baseline's mean as a dashed line."""
    named = _named(recommendation)
    figure = empty_figure(height=110 + (62 if len(named) < 6 else 50) * len(named), showlegend=False)
    scores = [score for _, each in named for score in each.scores.values()]
    for place, (name, each) in enumerate(reversed(named)):
        label = _label(name, each)
        is_baseline = name == "baseline"
        color = BASELINE if is_baseline else color_of(each.recipe.optimizer)
        chosen = each is recommendation.chosen
        if each.interval is not None and each.interval.bounded:
            figure.add_trace(go.Scatter(
                x=[each.interval.low, each.interval.high], y=[place, place], mode="lines", hoverinfo="skip",
                line={"color": color, "width": 5 if chosen else 3}, opacity=0.45,
            ))  # fmt: skip
        figure.add_trace(go.Scatter(
            x=list(each.scores.values()), y=[place] * len(each.scores), mode="markers", name=text(name),
            customdata=list(each.scores),
            hovertemplate=f"{text(label)}<br>seed %{{customdata}}: %{{x:.4g}}<extra></extra>",
            marker={"color": color, "size": 11 if chosen else 8, "symbol": symbol_of(each.recipe.optimizer),
                    "line": {"width": 1, "color": "rgba(255,255,255,.75)"}},
        ))  # fmt: skip
        if each.mean is not None:
            figure.add_trace(go.Scatter(
                x=[each.mean], y=[place], mode="markers+text", text=[show(each.mean)],
                textposition="top left" if is_baseline else "top center",
                textfont={"size": 13}, hoverinfo="skip", cliponaxis=False,
                marker={"symbol": "line-ns-open", "size": 20, "color": color, "line": {"width": 3}},
            ))  # fmt: skip
    labels = [_label(name, each) for name, each in reversed(named)]
    figure.update_yaxes(tickvals=list(range(len(named))), ticktext=[text(label) for label in labels], showgrid=False,
                        range=[-0.6, len(named) - 0.35])  # fmt: skip
    axis = log_axis(scores) if wants_log(scores) else {}
    better = "lower" if recommendation.direction == "minimize" else "higher"
    figure.update_xaxes(title_text=f"{text(recommendation.objective)} ({better} is better)", **axis)
    if recommendation.baseline.mean is not None:
        baseline_line(figure, recommendation.baseline.mean, "baseline", vertical=True)
        figure.update_layout(margin={"t": 26})
    return figure


def _named(recommendation: Recommendation) -> Sequence[tuple[str, Confirmation]]:
    finalists = [recommendation.chosen, *recommendation.runners_up]
    named = [("chosen" if n == 0 else f"finalist {n + 1}", each) for n, each in enumerate(finalists)
             if each.recipe != recommendation.baseline.recipe]  # fmt: skip
    return [*named, ("baseline", recommendation.baseline)]


def _label(name: str, each: Confirmation) -> str:
    title = title_of(each.recipe.optimizer)
    return f"{title}, {name}" if name in ("chosen", "baseline") else title
