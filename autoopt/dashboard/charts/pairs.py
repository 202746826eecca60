"""Pairs of settings: do two of them act on the score together, beyond what each does alone?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from autoopt.dashboard.charts.drawing import lay_out, text
from autoopt.dashboard.charts.fields import GOOD_TO_BAD, draw_fields
from autoopt.dashboard.readable import show
from autoopt.dashboard.theme import title_of
from autoopt.run import Direction

CLASSES = 4  # of a setting: quarters of its trials, or its most frequent names


def interactions(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return how much of the order of scores each pair of settings explains together beyond both alone.

    A two-way analysis of variance of the ranks of ``y`` over classes of both settings: the adjusted share that the
    cells explain, less what the two settings explain as a sum.

    Args:
        table: columns ``y`` and the settings; rows without a score are left out.

    Returns:
        Columns ``first``, ``second`` and ``share`` (0 to 1), the strongest first; pairs that cannot be judged are
        left out.
    """
    own = table[np.isfinite(table["y"])]
    ranks = own["y"].rank().to_numpy()
    classes = {name: codes for name in names if (codes := _classes(own[name])[0]).max(initial=0) > 0}
    rows = []
    for first, second in combinations(classes, 2):
        a, b = classes[first], classes[second]
        cells = a * (b.max() + 1) + b
        together = _explained(ranks, _dummies(cells))
        alone = _explained(ranks, np.hstack([_dummies(a), _dummies(b)]))
        if together is not None and alone is not None:
            rows.append({"first": first, "second": second, "share": max(0.0, together - alone)})
    found = pd.DataFrame(rows, columns=["first", "second", "share"])
    return found.sort_values("share", ascending=False, ignore_index=True)


def draw_pairs(
    table: pd.DataFrame, pairs: Sequence[tuple[str, str]], objective: str, direction: Direction
) -> go.Figure:
    """Draw a map a pair: the median score of the trials in each of its cells, the number of them when pointed at."""
    figure = make_subplots(rows=1, cols=max(1, len(pairs)), horizontal_spacing=0.16,
                           subplot_titles=[text(f"{a} (rows) × {b}") for a, b in pairs])  # fmt: skip
    lay_out(figure, 380, showlegend=False)
    own = table[np.isfinite(table["y"])]
    medians = [_cells(own, a, b) for a, b in pairs]
    values = np.concatenate([m.to_numpy(float).ravel() for m, _ in medians]) if medians else np.array([])
    low, high = (np.nanmin(values), np.nanmax(values)) if np.isfinite(values).any() else (0.0, 1.0)
    figure.update_annotations(font={"size": 13})
    stops = [(place, color) for (place, _), (_, color) in
             zip(GOOD_TO_BAD, GOOD_TO_BAD if direction == "minimize" else GOOD_TO_BAD[::-1], strict=True)]  # fmt: skip
    for place, (middle, count) in enumerate(medians, 1):
        hover = [[f"median {text(objective)} {show(value)} of {n} trials" for value, n in zip(*row, strict=True)]
                 for row in zip(middle.to_numpy(float), count.to_numpy(), strict=True)]  # fmt: skip
        draw_fields(
            figure, middle, stops, (float(low), float(high)), show, hover, str(place) if place > 1 else ""
        )
    figure.update_xaxes(tickangle=0, tickfont={"size": 10})
    figure.update_yaxes(tickfont={"size": 10})
    figure.update_layout(margin={"t": 34})
    return figure


def _cells(table: pd.DataFrame, first: str, second: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the median score and the number of trials by class of both settings."""
    (a, rows), (b, columns) = _classes(table[first]), _classes(table[second])
    by = table.assign(a=a, b=b).groupby(["a", "b"])["y"]
    shape = {"index": range(len(rows)), "columns": range(len(columns))}
    middle, count = by.median().unstack().reindex(**shape), by.size().unstack().reindex(**shape).fillna(0)
    for frame in (middle, count):
        frame.index, frame.columns = pd.Index(rows), pd.Index(columns)
    return middle, count.astype(int)


def _classes(values: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return the class of each value as a number, and what the classes are called."""
    if values.dtype.kind in "fiu":
        known = values.fillna(values.median())
        if known.nunique() <= CLASSES:
            levels = sorted(known.unique())
            return known.map({v: n for n, v in enumerate(levels)}).to_numpy(int), [show(v) for v in levels]
        codes = pd.qcut(known, CLASSES, duplicates="drop").cat.codes
        bounds = known.groupby(codes).agg(["min", "max"]).itertuples(index=False)
        names = [show(low) if low == high else f"{show(low)} – {show(high)}" for low, high in bounds]
        return codes.rank(method="dense").to_numpy(int) - 1, names
    names = values.astype(str)
    most = list(names.value_counts().index[:CLASSES])
    rest = [] if names.isin(most).all() else ["others"]
    codes = names.map({name: n for n, name in enumerate(most)}).fillna(len(most))
    return codes.to_numpy(int), [title_of(name) for name in most] + rest


def _dummies(codes: np.ndarray) -> np.ndarray:
    same: np.ndarray = codes[:, None] == np.unique(codes)[None, :]
    return same.astype(float)


def _explained(values: np.ndarray, design: np.ndarray) -> float | None:
    """Return the adjusted share of the variance that a linear model explains; ``None`` with too few values."""
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    size, parameters = len(values), int(np.linalg.matrix_rank(design))
    total = float(((values - values.mean()) ** 2).sum())
    if size <= parameters + 1 or total == 0:
        return None
    return 1 - float(((values - fitted) ** 2).sum()) / total * (size - 1) / (size - parameters)
