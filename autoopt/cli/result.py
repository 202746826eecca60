"""How the answer of a study looks. Renders, and prints nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autoopt.catalogue import SCHEDULES
from autoopt.catalogue.own import entry_of
from autoopt.cli.durations import show_seconds
from autoopt.cli.plain import clean
from autoopt.guidance.audit import STANCES

if TYPE_CHECKING:
    from autoopt.recipe import Recipe, Setting
    from autoopt.verdict.audit import Audit
    from autoopt.verdict.confirm import Confirmation
    from autoopt.verdict.recommendation import Recommendation
    from autoopt.verdict.statistics import Interval

_MARKS = {
    "agrees": ("✓", "green"),
    "measured": ("·", "dim"),
    "disagrees": ("✗", "red"),
    "caution": ("!", "yellow"),
}
_STYLES = {"better": "bold green", "tie": "bold yellow", "worse": "bold red"}


def headline(recommendation: Recommendation) -> str:
    """Say the verdict in a sentence."""
    best = entry_of(recommendation.recipe).title
    rival = entry_of(recommendation.baseline.recipe).title
    if recommendation.recipe == recommendation.baseline.recipe:
        return f"Nothing beat the baseline: stay with {rival}"
    if not recommendation.chosen.scores:
        return f"{best} led the search when it was stopped; nothing is confirmed"
    if best == rival:
        best = f"{best} with these settings"
    if recommendation.verdict == "better":
        by = "" if recommendation.gain is None else f" by {_gain(recommendation, bounds=False)}"
        return f"{best} beats the baseline ({rival}){by}"
    if recommendation.verdict == "worse":
        return f"{best} is worse than the baseline ({rival})"
    if recommendation.gain is None and not recommendation.baseline.scores:
        return f"{best} did best; there was no room to compare it with the baseline ({rival})"
    return f"{best} and the baseline ({rival}) are too close to call"


def one_line(recommendation: Recommendation) -> str:
    """Say the whole answer in one line."""
    score = f"{recommendation.objective} {_score(recommendation.chosen)}"
    return f"{headline(recommendation)} · {recommendation.recipe} · {score}"


def report(recommendation: Recommendation) -> RenderableType:
    """Draw the answer: the verdict, the configuration, the figures and the reasons."""
    title = Text(clean(headline(recommendation)), style=_STYLES[recommendation.verdict])
    parts: list[RenderableType] = [title, Text()]
    parts += _section("Train with", _pairs(_configuration(recommendation.recipe)))
    parts += _section("How good, how sure", _pairs(_figures(recommendation)))
    if recommendation.reasons:
        parts += _section("Why", _reasons(recommendation))
    if recommendation.audit is not None:
        told = f"{_audit_in_brief(recommendation.audit)}; 'autoopt audit {recommendation.study}' shows them"
        parts += _section("What the documents say", Text(clean(told)))
    if recommendation.notes:
        parts += _section("Note", Group(*(Text(clean(note)) for note in recommendation.notes)))
    return Group(*parts)


def count_stances(stances: Iterable[str]) -> str:
    """Say how many of each there are: ``3 agree, 1 disagrees, 2 not tested``."""
    counts = Counter(stances)
    verbs = {"agrees": "agree", "disagrees": "disagree"}
    return ", ".join(
        f"{counts[name]} {verbs.get(name, name) if counts[name] > 1 else name}" for name in STANCES if counts[name]
    ) or "none"  # fmt: skip


def _audit_in_brief(audit: Audit) -> str:
    rules = count_stances(finding.stance for finding in audit.findings)
    cells = count_stances(claim.stance for claim in audit.claims)
    return f"rules: {rules}; cells of the documents' tables: {cells}"


def show_interval(interval: Interval | None) -> str:
    """Write a mean with its bounds, as many digits as the bounds deserve."""
    if interval is None:
        return "none"
    if not interval.bounded:
        return f"{interval.middle:.4g}"
    form = _form(interval.high - interval.low)
    return f"{interval.middle:{form}} [{interval.low:{form}}, {interval.high:{form}}]"


def _form(width: float) -> str:
    """Return the format of numbers that are known to within such a width: two digits of half of it."""
    if not 1e-5 < width < 1e5:
        return ".4g"
    return f".{max(0, 1 - math.floor(math.log10(width / 2)))}f"


def _configuration(recipe: Recipe) -> list[tuple[str, str]]:
    rows = [("optimizer", entry_of(recipe).title)]
    rows += [(name, _show_setting(value)) for name, value in recipe.settings.items()]
    rows.append(("schedule", SCHEDULES[recipe.schedule].title))
    rows += [(name, _show_setting(value)) for name, value in recipe.schedule_settings.items()]
    if recipe.batch_size is not None:
        rows.append(("batch size", str(recipe.batch_size)))
    if recipe.clip_norm is not None:
        rows.append(("clip norm", _show_setting(recipe.clip_norm)))
    if recipe.clip_value is not None:
        rows.append(("clip value", _show_setting(recipe.clip_value)))
    return rows + [(f"loop: {name}", _show_setting(value)) for name, value in recipe.extras.items()]


def _figures(recommendation: Recommendation) -> list[tuple[str, str]]:
    chosen, baseline, spent = recommendation.chosen, recommendation.baseline, recommendation.spent
    rows = [(recommendation.objective, f"{_score(chosen)}  {_seeds(chosen)}")]
    if chosen.recipe != baseline.recipe:
        rows.append(("baseline", f"{show_interval(baseline.interval)}  {baseline.recipe}"))
        if chosen.scores:
            rows.append(("gain", _gain(recommendation, bounds=True)))
    if chosen.test_interval is not None:
        rows.append(("on test data", show_interval(chosen.test_interval)))
    finalists = 1 + len(recommendation.runners_up)
    if finalists > 1:
        chance = f"{100 * recommendation.chance_best:.0f} % of {finalists} finalists"
        rows.append(("chance best", chance))
    runs = f"{spent.search_runs:.1f} runs on search, {spent.confirm_runs:.1f} on confirmation"
    rows.append(("spent", f"{runs}, {show_seconds(spent.seconds)}"))
    if dear := {name: cost for name, cost in recommendation.costs.items() if cost > 1}:
        charged = ", ".join(f"{cost:g} for one with {name}" for name, cost in dear.items())
        rows.append(("charged", f"{charged}, whose epochs take as many times as long"))
    return rows


def _score(confirmation: Confirmation) -> str:
    """Write the confirmed score, or what the search saw where there is none."""
    if confirmation.interval is None and confirmation.search_score is not None:
        return f"{confirmation.search_score:.4g}"
    return show_interval(confirmation.interval)


def _seeds(confirmation: Confirmation) -> str:
    if not confirmation.scores and confirmation.search_score is not None:
        return "in the search, not confirmed"
    count, failed = len(confirmation.scores), len(confirmation.failures)
    text = f"mean of {count} seed{'s' if count != 1 else ''}"
    return f"{text}, {failed} more failed" if failed else text


def _gain(recommendation: Recommendation, *, bounds: bool) -> str:
    """Write the gain in percent of the baseline, or in units of the objective where that has no meaning."""
    relative, gain = recommendation.relative_gain, recommendation.gain
    shown, scale, unit = (
        (relative, 100, " %") if relative is not None else (gain, 1, f" {recommendation.objective}")
    )
    if shown is None:
        return "unknown"
    form = _form(scale * (shown.high - shown.low)) if shown.bounded else ".3g"
    text = f"{scale * shown.middle:{form}}{unit}"
    if not bounds:
        return text
    if not shown.bounded:
        return f"{text}, bounds unknown"
    return f"{text} [{scale * shown.low:{form}}, {scale * shown.high:{form}}]"


def _reasons(recommendation: Recommendation) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    for reason in recommendation.reasons:
        mark, style = _MARKS[reason.stance]
        source = f" ({clean(reason.source)})" if reason.source else ""
        grid.add_row(Text(mark, style=style), Text.assemble(clean(reason.says), (source, "dim")))
    sources = name_sources([reason.source for reason in recommendation.reasons])
    return Group(grid, *(Text(line, style="dim") for line in sources))


def name_sources(cited: Iterable[str]) -> list[str]:
    """Return a line for each document among what is cited, such as ``D2, D3``: its id and its title."""
    from autoopt.guidance.load import load_documents

    ids = {name for source in cited for name in source.split(", ")}
    titles = {name: document.title for name, document in sorted(load_documents().items()) if name in ids}
    return [title if title.startswith(name) else f"{name}: {title}" for name, title in titles.items()]


def _pairs(rows: list[tuple[str, str]]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(clean(name), clean(value))
    return grid


def _section(heading: str, body: RenderableType) -> list[RenderableType]:
    return [Text(heading, style="bold"), Padding(body, (0, 0, 1, 2), expand=False)]


def _show_setting(value: Setting) -> str:
    return (
        f"{value:.4g}"
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
