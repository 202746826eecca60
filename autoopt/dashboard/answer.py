"""The answer as HTML: the recommended recipe with its figures, and what speaks for and against it."""

from __future__ import annotations

from html import escape

from autoopt.dashboard import wording
from autoopt.dashboard.theme import BASELINE, DIVERGED, GOOD, WARN, color_of, title_of
from autoopt.guidance.load import load_documents
from autoopt.verdict.recommendation import Recommendation

_COLORS = {"agrees": GOOD, "disagrees": DIVERGED, "measured": BASELINE, "caution": WARN}


def card(verdict: Recommendation, state: str) -> str:
    """Return the verdict as HTML: the recipe and its figures.

    Args:
        state: of the study, as HTML.
    """
    recipe = verdict.recipe
    color = color_of(recipe.optimizer)
    chips = "".join(
        f'<span class="ao-chip"><span class="ao-soft">{escape(name)}</span> {escape(value)}</span>'
        for name, value in wording.settings_of(recipe)
    )
    figures = "".join(
        f'<div class="ao-figure"><div class="l">{escape(name)}</div><div class="v">{escape(value)}</div>'
        f'<div class="i">{escape(small) or "&nbsp;"}</div></div>'
        for name, value, small in wording.figures(verdict)
    )
    early = " · stopped early" if verdict.interrupted else ""
    facts = escape(f"{verdict.study} · {wording.cost(verdict)}{early}")
    return (
        f'<div class="ao-card ao-{verdict.verdict}"><div class="ao-row">'
        f"<b>{escape(wording.VERDICTS[verdict.verdict])}</b>"
        f'<span class="ao-soft">{facts} · {state}</span></div>'
        f'<div class="ao-recipe"><span class="ao-dot" style="background:{color}"></span>'
        f"{escape(title_of(recipe.optimizer))}</div>"
        f'<div class="ao-chips">{chips}</div><div class="ao-figures">{figures}</div></div>'
    )


def reasons(verdict: Recommendation) -> str:
    """Return what speaks for and against the recommendation as an HTML list, cautions first."""
    if not verdict.reasons:
        return '<p class="ao-say">No rule of the documents could be tested on this study.</p>'
    ordered = sorted(
        verdict.reasons, key=lambda r: ("caution", "disagrees", "agrees", "measured").index(r.stance)
    )
    documents = load_documents()
    lines = []
    for reason in ordered:
        titles = "; ".join(documents[name].title for name in reason.source.split(", ") if name in documents)
        lines.append(
            f'<div role="listitem"><span class="ao-mark" style="color:{_COLORS[reason.stance]}" role="img" '
            f'aria-label="{escape(wording.STANCES[reason.stance])}">{wording.MARKS[reason.stance]}</span>'
            f'<span>{escape(reason.says)} <span class="ao-soft" title="{escape(titles)}">'
            f"{escape(reason.source)} · {wording.STANCES[reason.stance]}</span></span></div>"
        )
    return f'<div class="ao-why" role="list">{"".join(lines)}</div>'
