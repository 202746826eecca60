"""Guidance: what do the documents say, does it hold, and what is each optimizer?"""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st

from autoopt.catalogue import OPTIMIZERS, SCHEDULES, OptimizerEntry, ScheduleEntry
from autoopt.catalogue.entry import Hyperparameter
from autoopt.dashboard import data, page, readable, wording
from autoopt.dashboard.theme import BASELINE, DIVERGED, GOOD, WARN, color_of
from autoopt.guidance.audit import Finding
from autoopt.guidance.load import load_documents, load_rules
from autoopt.guidance.rule import Rule
from autoopt.verdict.recommendation import Recommendation

_KINDS = {
    "choice": "Which optimizer",
    "alike": "Which do equally well",
    "practice": "How to train",
    "symptom": "When it goes wrong",
}
_COLORS = {"supported": GOOD, "mixed": WARN, "contradicted": DIVERGED, "no data": BASELINE}
_MARKS = {"supported": "✓", "mixed": "±", "contradicted": "✗", "no data": "?"}


def draw() -> None:
    """Show the rules with their evidence and what the studies here say of them, or an entry of the catalogue."""
    rules = load_rules()
    verdicts = [rule.evidence.verdict for rule in rules]
    of = readable.counted(len(rules), "rule")
    page.heading(
        "What do the documents say, and does it hold?",
        f"{verdicts.count('supported')} of {of} are borne out by published measurements",
        f"{verdicts.count('mixed')} are mixed, {verdicts.count('contradicted')} contradicted, for "
        f"{verdicts.count('no data')} no measurement was found.",
    )  # fmt: skip
    what = st.segmented_control("Show", ["Rules", "Optimizers", "Schedules", "Sources"], default="Rules", key="guide",
                                bind="query-params", label_visibility="collapsed")  # fmt: skip
    if what == "Optimizers":
        _catalogue("optimizer", OPTIMIZERS)
    elif what == "Schedules":
        _catalogue("schedule", SCHEDULES)
    elif what == "Sources":
        _sources()
    else:
        _rules(rules)


def _rules(rules: tuple[Rule, ...]) -> None:
    found = _findings()
    held = sum(len(v) for v in found.values())
    page.subheading("Rules", "The mark says what published measurements make of a rule; below it, what the studies in "
                    f"this database measured ({readable.counted(held, 'finding')}).")  # fmt: skip
    for kind, title in _KINDS.items():
        own = [rule for rule in rules if rule.kind == kind]
        if own:
            with st.container(border=True):
                page.subheading(title)
                st.html('<div class="ao-why" role="list">' + "".join(rule_html(r, found.get(r.id, []))
                                                                     for r in own) + "</div>")  # fmt: skip


def _findings() -> dict[str, list[tuple[str, Finding]]]:
    """Return what every study here says of each rule that it could test, by the rule's id."""
    found: dict[str, list[tuple[str, Finding]]] = {}
    for study, verdict in data.verdicts().items():
        if isinstance(verdict, Recommendation) and verdict.audit is not None:
            for finding in verdict.audit.findings:
                if finding.stance != "not tested":
                    found.setdefault(finding.rule_id, []).append((study, finding))
    return found


def rule_html(rule: Rule, found: list[tuple[str, Finding]]) -> str:
    """Return a rule with its evidence, its remedies, and what studies measured, as an item of an HTML list."""
    evidence = rule.evidence
    lines = [f"{escape(figure.says)} <i>{escape(figure.source)}</i>" for figure in evidence.figures]
    lines += [f"Remedies: {escape('; '.join(rule.remedies))}"] if rule.remedies else []
    lines += [
        f"{wording.MARKS.get(finding.stance, wording.MARKS['measured'])} {escape(study)}: {escape(finding.figures)}"
        for study, finding in found[:8]
    ]
    symptom = f"{escape(rule.symptom)}: " if rule.symptom else ""
    below = "".join(f'<br><span class="ao-soft">{line}</span>' for line in lines)
    return (
        f'<div role="listitem"><span class="ao-mark" role="img" aria-label="{evidence.verdict}" '
        f'style="color:{_COLORS[evidence.verdict]}">{_MARKS[evidence.verdict]}</span>'
        f"<span>{symptom}{escape(rule.says)} "
        f'<span class="ao-soft">{escape(rule.source)} · {evidence.verdict}</span>{below}</span></div>'
    )


def _catalogue(kind: str, entries: dict[str, OptimizerEntry] | dict[str, ScheduleEntry]) -> None:
    titles = {entry.title: entry for entry in entries.values()}
    chosen = st.selectbox(
        kind.capitalize(), list(titles), key=f"{kind}-entry", bind="query-params", width=320
    )
    entry: OptimizerEntry | ScheduleEntry = titles[chosen or next(iter(titles))]
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True):
        dot = (
            f'<span class="ao-dot" style="background:{color_of(entry.name)}"></span>'
            if kind == "optimizer"
            else ""
        )
        st.html(f'<h2 class="ao-h">{dot}{escape(entry.title)}</h2><p class="ao-say">{escape(entry.says)}</p>')
        page.facts(_facts(entry))
    with right, st.container(border=True):
        page.subheading("Formula")
        for part in entry.formula.split(r", \quad"):
            st.latex(part.strip())
        page.subheading("References")
        st.html("".join(f'<p class="ao-say">{escape(reference)}</p>' for reference in entry.references))
    if entry.hyperparameters:
        page.subheading("Settings", "Searched range, the best guess, and where both come from.")
        st.dataframe(pd.DataFrame([_setting(h) for h in entry.hyperparameters]), hide_index=True, key="settings",
                     row_height=60, column_config={"says": st.column_config.TextColumn(width="large")})  # fmt: skip


def _facts(entry: OptimizerEntry | ScheduleEntry) -> list[tuple[str, str]]:
    rows = [("name", entry.name), ("tried", "by default" if entry.in_default_search else "where it is named")]
    if isinstance(entry, OptimizerEntry):
        rows += [
            ("family", entry.family.replace("_", " ")), ("class", entry.target.replace(":", ".")),
            ("memory", f"{entry.state_floats:.3g} × the weights, kept beside them"),
            ("needs", ", ".join(sorted(entry.needs)).replace("_", " ") or "nothing special"),
        ]  # fmt: skip
    return rows


def _setting(h: Hyperparameter) -> dict[str, str]:
    searched = ", ".join(map(str, h.choices)) if h.choices else (
        "on or off" if h.kind == "bool" else f"{readable.show(float(h.low))} to {readable.show(float(h.high))}"
        + (" or 0" if h.or_zero else "")
    )  # fmt: skip
    return {
        "setting": h.name,
        "searched": searched,
        "best guess": readable.show_setting(h.name, h.reference),
        "says": h.says,
    }


def _sources() -> None:
    page.subheading("Sources", "Articles claim, measurements have figures.")
    rows = [{"id": d.id, "kind": d.kind, "title": d.title, "where": d.where, "licence": d.licence}
            for d in load_documents().values()]  # fmt: skip
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="sources")
