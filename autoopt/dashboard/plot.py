"""Plot: a Plotly figure on the page, drawn by ``static/plot.js`` with Plotly's own script (``bundle``).

Streamlit's own element sets up all of Plotly, maps too, before it draws a line, and tells nothing of what is zoomed to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from autoopt.dashboard import bundle
from autoopt.dashboard.charts.drawing import CONFIG
from autoopt.dashboard.doors import STATIC

if TYPE_CHECKING:
    import plotly.graph_objects as go


@cache
def _element() -> Callable[..., Any]:
    code = (STATIC / "plot.js").read_text(encoding="utf-8")
    element: Callable[..., Any] = st.components.v2.component("autoopt_plot", js=code, isolate_styles=False)
    return element


def draw(name: str, says: str, drawing: go.Figure, select: Callable[[], None] | None = None) -> None:
    """Show a figure; the address keeps what the reader zooms to.

    Args:
        name: key of the widget, and of the file that is downloaded.
        says: the figure in words, for those who cannot see it.
        select: called when a point is clicked, or some are drawn a box around; see ``picked``.
    """
    study = st.session_state.get("study")
    drawing.update_layout(uirevision=f"{name} {study}")
    config = {**CONFIG, "toImageButtonOptions": {"format": "png", "filename": f"autoopt-{name}", "scale": 2}}
    if zoom := read_zoom(st.query_params.get(_place(name), "")):
        shared = {drawing.layout.xaxis.matches} - {None}  # by which an axis is told its range
        drawing.update_layout({name.replace("x", "xaxis"): {"range": zoom[:2]} for name in {"x", *shared}})
        drawing.update_layout(yaxis={"range": zoom[2:]})
    data = {
        "source": bundle.place(),
        "figure": drawing.to_json(),
        "config": config,
        "says": says,
        "select": select is not None,
    }
    _element()(
        key=name, data=data, on_picked_change=select or _ignore, on_zoomed_change=lambda: _keep_zoom(name),
    )  # fmt: skip


def picked(name: str) -> tuple[list[str], bool]:
    """Return the ``customdata`` of the points that were just clicked or boxed, and whether a box was drawn."""
    found = (st.session_state.get(name) or {}).get("picked") or {}
    return [str(each) for each in found.get("ids", [])], bool(found.get("box"))


def read_zoom(written: str) -> list[float] | None:
    """Return the ranges of both axes from the address, ``None`` where there are none or they make no sense.

    >>> read_zoom("1,20,-1.5,0.3"), read_zoom("1,1,0,2"), read_zoom("x")
    ([1.0, 20.0, -1.5, 0.3], None, None)
    """
    try:
        bounds = [float(each) for each in written.split(",")]
    except ValueError:
        return None
    usable = len(bounds) == 4 and all(map(math.isfinite, bounds)) and bounds[0] != bounds[1]
    return bounds if usable and bounds[2] != bounds[3] else None


def forget_zooms() -> None:
    """Take what was zoomed to out of the address, since it is about another study."""
    for name in [name for name in st.query_params if name.startswith(_place(""))]:
        del st.query_params[name]


def _keep_zoom(name: str) -> None:
    bounds = (st.session_state.get(name) or {}).get("zoomed")
    if (
        isinstance(bounds, list)
        and len(bounds) == 4
        and all(isinstance(each, int | float) for each in bounds)
    ):
        st.query_params[_place(name)] = ",".join(f"{each:.5g}" for each in bounds)
    else:
        st.query_params.pop(_place(name), None)


def _place(name: str) -> str:
    return f"zoom-{name}"


def _ignore() -> None:
    """Take no notice of what is picked."""
