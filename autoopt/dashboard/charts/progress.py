"""How the search went: the best score against what it cost, and where the compute went."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from autoopt.dashboard.charts.drawing import baseline_line, empty_figure, log_axis, text, wants_log
from autoopt.dashboard.theme import ACCENT, DIVERGED, color_of, title_of
from autoopt.records.endings import Way
from autoopt.records.overview import Level, Tally
from autoopt.run import Direction, Purpose, RunState

MOST_POINTS = 2000


def anytime_table(levels: Sequence[Level], epochs: int, direction: Direction) -> pd.DataFrame:
    """Return the best score so far against compute: a row each time that a cohort came to a rung or its end.

    Args:
        levels: in the order of training, every cohort at every epoch that was asked for.
        epochs: of a complete training, so that costs are in complete trainings.
    """
    best: float | None = None
    cost, rows, cohort, before = 0.0, [], None, 0
    for level in levels:
        if level.cohort != cohort:
            cohort, before = level.cohort, 0
        cost += level.runs * (level.epoch - before) / epochs
        before = level.epoch
        score = level.lowest if direction == "minimize" else level.highest
        better = score is not None and (
            best is None or (score < best if direction == "minimize" else score > best)
        )
        best = score if better else best
        if best is not None:
            rows.append({"cost": cost, "best": best, "cohort": level.cohort + 1, "epoch": level.epoch,
                         "runs": level.runs, "better": better})  # fmt: skip
    columns = ["cost", "best", "cohort", "epoch", "runs", "better"]
    return pd.DataFrame(rows, columns=columns).astype({"better": bool})


def draw_anytime(
    table: pd.DataFrame, objective: str, epochs: int, *, baseline: float | None, confirmed: float | None
) -> go.Figure:
    """Draw the best score so far against compute, from ``anytime_table``; each step is a promotion that paid."""
    figure = empty_figure(360, showlegend=False)
    steps = table[table["better"] | (table.index == len(table) - 1)] if len(table) > MOST_POINTS else table
    figure.add_trace(go.Scatter(
        x=steps["cost"], y=steps["best"], mode="lines", line={"color": ACCENT, "width": 2.5, "shape": "hv"},
        customdata=steps[["cohort", "epoch", "runs"]],
        hovertemplate="%{y:.4g} after %{x:.3g} runs<br>cohort %{customdata[0]}, epoch %{customdata[1]}, "
        "%{customdata[2]} runs in it<extra></extra>",
    ))  # fmt: skip
    better = steps[steps["better"]]
    whole = better["epoch"] == epochs
    for part, symbol, words in (
        (better[~whole], "circle-open", "at a rung"),
        (better[whole], "circle", "complete"),
    ):
        figure.add_trace(go.Scatter(
            x=part["cost"], y=part["best"], mode="markers", name=words, hoverinfo="skip",
            marker={"color": ACCENT, "size": 8, "symbol": symbol, "line": {"width": 1.5}},
        ))  # fmt: skip
    values = [*table["best"], *([baseline] if baseline is not None else [])]
    figure.update_yaxes(
        title_text=f"best {text(objective)} so far", **(log_axis(values) if wants_log(values) else {})
    )
    figure.update_xaxes(title_text="compute, in complete trainings", rangemode="tozero")
    if baseline is not None:
        baseline_line(figure, baseline, "baseline, confirmed")
    if confirmed is not None and len(table):
        figure.add_trace(go.Scatter(
            x=[table["cost"].iloc[-1]], y=[confirmed], mode="markers", cliponaxis=False,
            marker={"color": ACCENT, "size": 14, "symbol": "star"},
            hovertemplate="confirmed on fresh seeds: %{y:.4g}<extra></extra>",
        ))  # fmt: skip
    return figure


def budget_table(tallies: Sequence[Tally], epochs: int) -> pd.DataFrame:
    """Return what every optimizer was given by the search: runs by state, compute, seconds."""
    rows = []
    searched = [tally for tally in tallies if tally.purpose is Purpose.SEARCH]
    for name in dict.fromkeys(tally.optimizer for tally in searched):
        own = [tally for tally in searched if tally.optimizer == name]
        states = {str(state): sum(t.runs for t in own if t.state is state) for state in RunState}
        compute, seconds = sum(t.epochs for t in own) / epochs, sum(t.seconds for t in own)
        trials = sum(t.runs for t in own)
        rows.append({"optimizer": name, "trials": trials, **states, "compute": compute, "seconds": seconds})
    columns = ["optimizer", "trials", *map(str, RunState), "compute", "seconds"]
    return pd.DataFrame(rows, columns=columns).sort_values("compute", ascending=False, ignore_index=True)


def rungs_table(ways: Sequence[Way], rungs: Sequence[int], epochs: int) -> pd.DataFrame:
    """Return what every optimizer was given between one rung and the next: trials that came there, and compute.

    Args:
        rungs: epochs after which trials are stopped; ``epochs`` are those of a complete training.
    """
    bounds, rows = [0, *rungs, epochs], []
    for name in dict.fromkeys(way.optimizer for way in ways):
        own = [way for way in ways if way.optimizer == name]
        for before, end in itertools.pairwise(bounds):
            beyond = [way for way in own if way.epochs > before]
            spent = sum(way.runs * (min(way.epochs, end) - before) for way in beyond)
            rows.append({"optimizer": name, "first epoch": before + 1, "last epoch": end,
                         "trials": sum(way.runs for way in beyond), "compute": spent / epochs})  # fmt: skip
    table = pd.DataFrame(rows, columns=["optimizer", "first epoch", "last epoch", "trials", "compute"])
    whole = table.groupby("optimizer")["compute"].sum()
    return table.assign(whole=table["optimizer"].map(whole)).sort_values(
        ["whole", "optimizer", "first epoch"], ascending=[False, True, True], ignore_index=True).drop(
        columns="whole")  # fmt: skip


def draw_budget(table: pd.DataFrame) -> go.Figure:
    """Draw the compute of the search from ``rungs_table``: a bar for all of it, one a rung, a part an optimizer."""
    stages = (
        table[["first epoch", "last epoch"]].drop_duplicates().sort_values("first epoch").to_numpy().tolist()
    )
    names = [f"epoch {first}" if first == last else f"epochs {first} to {last}" for first, last in stages]
    figure = empty_figure(150 + 26 * len(stages), barmode="stack")
    total = table["compute"].sum() or 1.0
    for optimizer, own in table.groupby("optimizer", sort=False):
        title, whole = text(title_of(optimizer)), own["compute"].sum()
        spent, trials = (
            [whole, *(part or None for part in own["compute"])],
            [own["trials"].max(), *own["trials"]],
        )
        figure.add_trace(go.Bar(
            x=spent, y=["all", *names], orientation="h", name=title, customdata=trials,
            marker={"color": color_of(optimizer), "line": {"width": 1, "color": "rgba(255,255,255,.6)"}},
            text=[title if whole / total > 0.2 else "", *[""] * len(names)], textposition="inside",
            insidetextanchor="middle", constraintext="none", textangle=0,
            hovertemplate=f"{title}, %{{y}}: %{{x:.3g}} runs of compute, %{{customdata}} trials<extra></extra>",
        ))  # fmt: skip
    figure.update_xaxes(title_text="compute, in complete trainings")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def draw_states(table: pd.DataFrame) -> go.Figure:
    """Draw how the trials of every optimizer ended, a bar an optimizer, from ``budget_table``."""
    figure = empty_figure(90 + 30 * len(table), barmode="stack")
    looks = {"finished": ACCENT, "stopped": "rgba(91,110,225,.35)", "running": "rgba(128,134,148,.35)",
             "diverged": "rgba(229,72,77,.25)", "failed": DIVERGED}  # fmt: skip
    names = [text(title_of(name)) for name in table["optimizer"]]
    for state, color in looks.items():
        if table[state].sum():
            figure.add_trace(go.Bar(
                x=table[state], y=names, orientation="h", name=state,
                hovertemplate="%{y}: %{x} " + state + "<extra></extra>",
                marker={"color": color, "line": {"width": 1.5, "color": DIVERGED if state == "diverged" else color}},
            ))  # fmt: skip
    figure.update_xaxes(title_text="trials")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure
