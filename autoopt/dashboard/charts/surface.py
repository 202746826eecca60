"""A loss surface, in three dimensions and as contours, with the trails of those who walk down it."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from PIL import Image

from autoopt.dashboard.charts.drawing import empty_figure, log_axis, text, wants_log
from autoopt.dashboard.playground.surfaces import Surface
from autoopt.dashboard.playground.walk import Walk
from autoopt.dashboard.theme import BASELINE, color_of, dash_of, symbol_of, title_of

FRAMES = 40
CONTOURS = 22
PICTURE = (840, 420)  # pixels of the contours
SCALE: list[tuple[float, str]] = [(0.0, "#3f51d8"), (0.35, "#8f9ff0"), (1.0, "#dfe3ee")]


def walks_table(walks: Mapping[str, Walk]) -> pd.DataFrame:
    """Return every step of every walk."""
    return pd.concat([
        pd.DataFrame({"optimizer": name, "step": np.arange(len(went.path)), "x": went.path[:, 0], "y": went.path[:, 1],
                      "loss": went.losses}) for name, went in walks.items()
    ], ignore_index=True)  # fmt: skip


def _heights(surface: Surface, points: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = np.linspace(*surface.x, points[0]), np.linspace(*surface.y, points[1])
    return x, y, np.log10(np.asarray(surface.loss(*np.meshgrid(x, y))) + 0.05)


@cache
def paint_contours(surface: Surface) -> str:
    """Return the height of a surface in steps of colour with lines between them, as a PNG in a ``data:`` address.

    A browser shows the picture at once; to work contours out of numbers takes it a second.
    """
    z = _heights(surface, (PICTURE[0] + 1, PICTURE[1] + 1))[2][::-1]
    steps = np.floor((z - z.min()) / (np.ptp(z) or 1.0) * (CONTOURS - 1e-9)).astype(int)
    edge = (steps[:-1, :-1] != steps[1:, :-1]) | (steps[:-1, :-1] != steps[:-1, 1:])
    places = [place for place, _ in SCALE]
    stops = np.array([[int(color[n : n + 2], 16) for n in (1, 3, 5)] for _, color in SCALE])
    colors = [np.interp(np.linspace(0, 1, CONTOURS), places, stops[:, part]) for part in range(3)]
    painted = np.stack([*(color[steps[:-1, :-1]] for color in colors), np.full(edge.shape, 115.0)], axis=-1)
    painted[edge] = (128, 134, 148, 150)
    picture = Image.fromarray(painted.round().astype(np.uint8), "RGBA")
    file = BytesIO()
    picture.quantize(64, Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + b64encode(file.getvalue()).decode()


def draw_contours(surface: Surface, walks: Mapping[str, Walk]) -> go.Figure:
    """Draw contours of the loss with a trail for each walk; the play button lets them go, the slider steps."""
    figure = empty_figure(470)
    figure.add_layout_image(
        source=paint_contours(surface), xref="x", yref="y", x=surface.x[0], y=surface.y[1], sizing="stretch",
        sizex=surface.x[1] - surface.x[0], sizey=surface.y[1] - surface.y[0], layer="below",
    )  # fmt: skip
    figure.add_trace(go.Scatter(
        x=[p[0] for p in surface.minima], y=[p[1] for p in surface.minima], mode="markers", name="minimum",
        marker={"symbol": "x-thin", "size": 11, "line": {"width": 2, "color": BASELINE}}, hoverinfo="skip",
    ))  # fmt: skip
    for name, went in walks.items():
        figure.add_trace(_trail(name, went))
    for name, went in walks.items():
        figure.add_trace(_head(name, went))
    longest = max((len(went.path) for went in walks.values()), default=1)
    ends = sorted({round(n) for n in np.linspace(1, longest, min(FRAMES, longest))})
    figure.frames = [
        {"name": str(end - 1), "traces": list(range(1, 1 + 2 * len(walks))), "data": _moved(walks, end)}
        for end in ends
    ]  # fmt: skip
    figure.update_layout(
        updatemenus=[{"type": "buttons", "direction": "left", "showactive": False, "x": 0, "y": -0.08,
                      "xanchor": "left", "yanchor": "top", "font": {"color": BASELINE}, "bgcolor": "rgba(0,0,0,0)",
                      "bordercolor": BASELINE, "buttons": [
                          _button("▶ Play", None, 70), _button("❚❚", [None], 0)]}],
        sliders=[{"active": len(ends) - 1, "x": 0.36, "len": 0.64, "y": -0.03, "pad": {"t": 8}, "font": {"size": 10},
                  **dict.fromkeys(("bgcolor", "bordercolor", "tickcolor"), BASELINE),
                  "currentvalue": {"prefix": "step ", "xanchor": "right"},
                  "steps": [_button(str(end - 1), [str(end - 1)], 0) for end in ends]}],
    )  # fmt: skip
    figure.update_xaxes(range=surface.x, showgrid=False)
    figure.update_yaxes(range=surface.y, showgrid=False)
    return figure


def _button(label: str, frames: list[str | None] | None, milliseconds: int) -> dict[str, object]:
    """Return a button that shows frames: all of them with ``None``, none (a halt) with ``[None]``."""
    timing = {"frame": {"duration": milliseconds, "redraw": False}, "transition": {"duration": 0}}
    mode = {"fromcurrent": False} if frames is None else {"mode": "immediate"}
    return {"label": label, "method": "animate", "args": [frames, {**timing, **mode}]}


def _moved(walks: Mapping[str, Walk], end: int) -> list[dict[str, Any]]:
    """Return what a frame changes: how far each trail goes, and where each walk stands."""
    paths = [went.path[:end].round(5) for went in walks.values()]
    parts = [*paths, *(path[-1:] for path in paths)]
    return [{"type": "scatter", "x": part[:, 0].tolist(), "y": part[:, 1].tolist()} for part in parts]


def _trail(name: str, went: Walk) -> go.Scatter:
    return go.Scatter(
        x=went.path[:, 0], y=went.path[:, 1], mode="lines+markers", name=text(title_of(name)), legendgroup=name,
        line={"color": color_of(name), "width": 2, "dash": dash_of(name)}, marker={"color": color_of(name), "size": 4},
        customdata=np.arange(len(went.path)), hovertemplate="step %{customdata}: (%{x:.3g}, %{y:.3g})",
    )  # fmt: skip


def _head(name: str, went: Walk) -> go.Scatter:
    return go.Scatter(
        x=went.path[-1:, 0], y=went.path[-1:, 1], mode="markers", legendgroup=name, showlegend=False, hoverinfo="skip",
        marker={"symbol": symbol_of(name), "color": color_of(name), "size": 12,
                "line": {"width": 1, "color": "rgba(255,255,255,.75)"}},
    )  # fmt: skip


def draw_surface(surface: Surface, walks: Mapping[str, Walk]) -> go.Figure:
    """Draw the surface in three dimensions, its height the logarithm of the loss, with the trails on it."""
    figure = empty_figure(470)
    x, y, z = _heights(surface, (60, 60))
    figure.add_trace(
        go.Surface(x=x, y=y, z=z, colorscale=SCALE, showscale=False, opacity=0.85, hoverinfo="skip")
    )
    for name, went in walks.items():
        inside = [(*point, loss) for point, loss in zip(went.path, went.losses, strict=True)
                  if surface.x[0] <= point[0] <= surface.x[1] and surface.y[0] <= point[1] <= surface.y[1]]  # fmt: skip
        if inside:
            px, py, loss = np.array(inside).T
            figure.add_trace(go.Scatter3d(
                x=px, y=py, z=np.log10(loss + 0.05) + 0.03, mode="lines+markers", name=text(title_of(name)),
                line={"color": color_of(name), "width": 5}, marker={"color": color_of(name), "size": 2.2},
                hovertemplate="(%{x:.3g}, %{y:.3g})",
            ))  # fmt: skip
    axis = {"showbackground": False, "gridcolor": "rgba(128,134,148,.3)", "title": ""}
    figure.update_layout(scene={
        "xaxis": {**axis, "title": "x"}, "yaxis": {**axis, "title": "y"}, "zaxis": {**axis, "title": "log loss"},
        "camera": {"eye": {"x": 1.3, "y": -1.5, "z": 1.0}}, "aspectratio": {"x": 1.1, "y": 1.1, "z": 0.7},
    })  # fmt: skip
    return figure


def draw_losses(walks: Mapping[str, Walk]) -> go.Figure:
    """Draw the loss against steps, a line a walk."""
    figure = empty_figure(300)
    values = [loss for went in walks.values() for loss in went.losses if loss > 1e-12]
    for name, went in walks.items():
        figure.add_trace(go.Scatter(
            x=np.arange(len(went.losses)), y=np.maximum(went.losses, 1e-12), mode="lines", name=text(title_of(name)),
            line={"color": color_of(name), "width": 2, "dash": dash_of(name)},
            hovertemplate="step %{x}: %{y:.3g}",
        ))  # fmt: skip
    highest = 100 * max(
        went.losses[0] for went in walks.values()
    )  # who diverges must not press the others flat
    values = [loss for loss in values if loss <= highest]
    axis = log_axis(values) if wants_log(values) else {}
    if axis:
        axis["range"] = [math.log10(min(values)) - 0.2, math.log10(max(values)) + 0.3]
    figure.update_yaxes(title_text="loss", **axis)
    figure.update_xaxes(title_text="step")
    figure.update_layout(hovermode="x unified")
    return figure
