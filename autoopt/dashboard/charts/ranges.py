"""Range tests: the loss of a few dozen steps at a rising rate, a line an optimizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from autoopt.dashboard.charts.drawing import empty_figure, log_axis, text, wants_log
from autoopt.dashboard.theme import DIVERGED, color_of, dash_of, symbol_of, title_of


@dataclass(frozen=True)
class Tested:
    """A range test as it was kept: losses that were not finite are NaN; ``best`` and ``border`` may be unknown."""

    optimizer: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    best: float | None
    border: float | None


def read_tests(found: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> list[Tested]:
    """Return the range tests in what was kept with a study; what cannot be read is left out."""
    tests = []
    for recipe, document in found:
        try:
            losses = tuple(math.nan if loss is None else float(loss) for loss in document["losses"])
            rates = tuple(float(rate) for rate in document["rates"])
            test = Tested(
                str(recipe["optimizer"]), rates, losses, document.get("best"), document.get("border")
            )
        except (KeyError, TypeError, ValueError):
            continue
        if rates and len(rates) == len(losses):
            tests.append(test)
    return tests


def range_table(tests: Sequence[Tested]) -> pd.DataFrame:
    """Return a row a rate of a test."""
    rows = [{"optimizer": t.optimizer, "rate": rate, "loss": loss, "best": t.best, "border": t.border}
            for t in tests for rate, loss in zip(t.rates, t.losses, strict=True)]  # fmt: skip
    return pd.DataFrame(rows, columns=["optimizer", "rate", "loss", "best", "border"])


def draw_tests(tests: Sequence[Tested]) -> go.Figure:
    """Draw the loss against the rate, a line a test: its lowest point marked, a red circle where it broke."""
    figure = empty_figure(340)
    first = [loss for t in tests for loss in t.losses[:1] if math.isfinite(loss)]
    ceiling = 1.6 * max(first, default=1.0)  # beyond it only the break is of interest
    shown: list[float] = []
    for test in tests:
        points = [
            (r, v) for r, v in zip(test.rates, test.losses, strict=True) if math.isfinite(v) and v <= ceiling
        ]
        if not points:
            continue
        shown += [loss for _, loss in points]
        look = {"color": color_of(test.optimizer), "width": 2.2, "dash": dash_of(test.optimizer)}
        figure.add_trace(go.Scatter(
            x=[r for r, _ in points], y=[v for _, v in points], mode="lines", line=look,
            name=text(title_of(test.optimizer)), legendgroup=test.optimizer,
            hovertemplate=f"{text(title_of(test.optimizer))} %{{x:.2g}}: %{{y:.4g}}<extra></extra>",
        ))  # fmt: skip
        for rate, marker, words in (
            (
                test.best,
                {"symbol": symbol_of(test.optimizer), "size": 12, "color": look["color"]},
                "lowest at",
            ),
            (
                test.border,
                {"symbol": "circle-open", "size": 10, "color": DIVERGED, "line": {"width": 2}},
                "breaks at",
            ),
        ):
            if rate:
                _, loss = min((abs(math.log(r / rate)), v) for r, v in points)
                figure.add_trace(go.Scatter(
                    x=[rate], y=[loss], mode="markers", marker=marker, legendgroup=test.optimizer, showlegend=False,
                    hovertemplate=f"{text(title_of(test.optimizer))} {words} %{{x:.2g}}<extra></extra>",
                ))  # fmt: skip
    figure.update_xaxes(title_text="learning rate", type="log", dtick=1, tickformat="~e")
    figure.update_yaxes(title_text="training loss", **(log_axis(shown) if wants_log(shown) else {}))
    return figure
