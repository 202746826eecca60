"""A recommendation as HTML, for notebooks; all text in it is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from autoopt.recipe import Recipe
from autoopt.verdict.statistics import Interval

if TYPE_CHECKING:
    from autoopt.verdict.recommendation import Recommendation

_COLORS = {"better": "#1a7f37", "tie": "#9a6700", "worse": "#cf222e"}
_CELL = 'style="text-align:left;padding:0.15em 1em 0.15em 0"'


def write_html(recommendation: Recommendation) -> str:
    """Return the answer as one block: verdict, recipe, figures, reasons and notes."""
    objective = recommendation.objective
    figures = [(objective, said(recommendation.chosen.interval)),
               (f"baseline {objective}", said(recommendation.baseline.interval)),
               ("gain", said(recommendation.gain)),
               ("chance to be the best", f"{recommendation.chance_best:.0%}")]  # fmt: skip
    parts = [
        f'<b style="color:{_COLORS[recommendation.verdict]}">{escape(recommendation.verdict)}</b> '
        f"<span>than the baseline, {escape(str(recommendation.baseline.recipe))}</span>",
        _table(recipe_rows(recommendation.recipe)),
        _table(figures),
        _list(f"{reason.stance}: {reason.says} ({reason.source})" for reason in recommendation.reasons),
        _list(recommendation.notes),
    ]
    return f'<div class="autoopt">{"".join(parts)}</div>'


def recipe_rows(recipe: Recipe) -> list[tuple[str, str]]:
    """Return what to train with, a name and a value each."""
    named = {"optimizer": recipe.optimizer, **recipe.settings, "schedule": recipe.schedule, **recipe.schedule_settings,
             "batch size": recipe.batch_size, "clip norm": recipe.clip_norm, "clip value": recipe.clip_value,
             **recipe.extras}  # fmt: skip
    return [
        (name, f"{value:.4g}" if isinstance(value, float) else str(value))
        for name, value in named.items()
        if value is not None
    ]


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = (
        f"<tr><th {_CELL}>{escape(name)}</th><td {_CELL}>{escape(value)}</td></tr>" for name, value in rows
    )
    return f"<table>{''.join(cells)}</table>"


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def said(interval: Interval | None) -> str:
    """Return a mean with its bounds in a few digits."""
    if interval is None:
        return "unknown"
    if not interval.bounded:
        return f"{interval.middle:.4g}"
    return f"{interval.middle:.4g} [{interval.low:.4g}, {interval.high:.4g}]"
