"""Optimizers compared: which one is best here, how fast, and how sure to train?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import pandas as pd
import streamlit as st

from autoopt.dashboard import data, page, readable
from autoopt.dashboard.charts.pareto import draw_pareto, pareto_table
from autoopt.dashboard.charts.standing import draw_intervals, draw_scores, standing_table
from autoopt.dashboard.theme import BASELINE, DIVERGED, GOOD
from autoopt.errors import UsageError
from autoopt.guidance.claims import load_claims
from autoopt.run import Direction, Purpose
from autoopt.verdict.claims import ClaimFinding, judge_claims
from autoopt.verdict.comparison import title_of as title_of_method
from autoopt.verdict.figures import Comparison, OptimizerFigures
from autoopt.verdict.recommendation import Recommendation

_HELD = {"agrees": (GOOD, "✓"), "disagrees": (DIVERGED, "✗"), "undecided": (BASELINE, "·")}
_WORDS = {"agrees": "holds here", "disagrees": "does not hold here", "undecided": "not decided here"}


def draw(study: str) -> None:
    """Show how the optimizers of a study compare, and what the documents claim of them."""
    record, scores = data.summary(study).study, data.first_scores(study)
    comparison = data.comparison(study)
    if scores.empty or not comparison.optimizers:
        page.heading("Which optimizer is best here?", "No optimizer has been tried yet")
        page.nothing("No trial has been started.", f"Carry on with 'autoopt resume {study}'.")
        return
    first = data.first_look(record)
    table = standing_table(comparison, scores, record.objective)
    table["trials"] = [_trials_of(study, each) for each in comparison.optimizers]
    page.heading("Which optimizer is best here?", *_answer(comparison, record.objective, record.direction))
    level = readable.counted(comparison.level, "epoch")
    left, right = st.columns(2, gap="medium")
    with left:
        page.figure(
            "standing", f"Best {record.objective} after {level}",
            f"Mark: best trial after {level}, where trials of each got to. Bar and tick: middle half and median of "
            f"its trials after {readable.counted(first, 'epoch')}.",
            draw_scores(comparison, scores, record.objective), table,
        )  # fmt: skip
    with right:
        target = (
            "" if comparison.target is None else f" {record.objective} {readable.show(comparison.target)}"
        )
        page.figure("speed", f"Epochs until{target or ' a common score'}",
                    "Mark: the trial that was there first; bar: within the seed noise. Empty: nobody came there.",
                    draw_intervals(comparison.optimizers, "epochs_to_target", "epochs"), table)  # fmt: skip
    with left:
        page.figure("stability", "How many trials diverged",
                    "Mark: share of an optimizer's trials; bar: its 95 % interval. Further left is steadier.",
                    draw_intervals(comparison.optimizers, "diverged_share", "% of trials", 100.0), table)  # fmt: skip
    with right:
        page.figure("basin", "Decades of rates that do well",
                    "Mark: from the lowest to the highest learning rate that does well; bar: at least, and at most. "
                    "Further right is easier to tune.",
                    draw_intervals(comparison.optimizers, "basin", "decades"), table)  # fmt: skip
    findings = judge_claims(load_claims(), comparison, record.direction)
    with st.container(border=True):
        page.subheading(_claims_statement(findings), "The rankings of the documents (D3, D4 …), cell by cell; ✓ the "
                        "order holds, ✗ it is broken, · within the noise.")  # fmt: skip
        st.html(claims(findings))
    page.subheading(
        "All figures", "Sort by a click on a heading; the line is the best trial, epoch by epoch."
    )
    curves = _best_curves(study, scores, record.direction)
    shown = table.copy()
    shown.insert(1, "best trial", [curves.get(each.method, []) for each in comparison.optimizers])
    st.dataframe(shown, hide_index=True, key="comparison", placeholder="–", height="content", column_config={
        **{name: st.column_config.NumberColumn(format="%.3g") for name in table if table[name].dtype.kind == "f"},
        "best trial": st.column_config.LineChartColumn(width="small"),
    })  # fmt: skip
    _confirmed(study, comparison, record.objective)


def _trials_of(study: str, figures: OptimizerFigures) -> int:
    """Return how many trials there were; of a large study the comparison has seen a sample of them."""
    if figures.method == "plain sgd":
        return figures.trials
    tallies = data.tallies(study)
    return sum(t.runs for t in tallies if t.optimizer == figures.method and t.purpose is Purpose.SEARCH)


def _answer(comparison: Comparison, objective: str, direction: Direction) -> tuple[str, str]:
    scored = [each for each in comparison.optimizers if each.score is not None]
    if not scored:
        return "No trial has a score yet", ""
    best = scored[0]
    confirmed = [
        (each.confirmed.middle, each) for each in comparison.optimizers if each.confirmed is not None
    ]
    if len(confirmed) > 1:
        value, first = (min if direction == "minimize" else max)(confirmed, key=lambda pair: pair[0])
        led = "led the search too" if first is best else f"{best.title} led the search"
        after = readable.counted(comparison.level, "epoch")
        return (f"{first.title} is best on fresh seeds: {objective} {readable.show(value)}",
                f"After {after} {led}, with {readable.show(best.score)}.")  # fmt: skip
    after = f"{objective} {readable.show(best.score)} after {readable.counted(comparison.level, 'epoch')}"
    if len(scored) == 1:
        return f"Only {best.title} was tried: {after}", ""
    second, noise = scored[1], comparison.noise
    ahead = f"{second.title} is next with {readable.show(second.score)}"
    spread = "" if noise is None else f"; seeds alone move a score by {readable.show(noise)}"
    return f"{best.title} leads: {after}", f"{ahead}{spread}."


def claims(findings: Sequence[ClaimFinding]) -> str:
    """Return the documents' tables beside what was measured, a row a cell, as HTML."""
    tested = [each for each in findings if each.stance in _HELD]
    if not tested:
        return '<p class="ao-say">None of the methods that the documents rank could be compared here.</p>'
    head = "".join(
        f"<th>{name}</th>" for name in ("", "method", "what", "the document says", "measured here")
    )
    lines = []
    for each in tested:
        color, mark = _HELD[each.stance]
        lines.append(
            f'<tr><td><span class="ao-mark" style="color:{color}; display:inline-block" role="img" '
            f'aria-label="{_WORDS[each.stance]}">{mark}</span></td><th>{escape(title_of_method(each.method))}</th>'
            f"<td>{each.quantity}</td><td>{escape(each.says)} <span class='ao-soft'>{escape(each.source)}</span></td>"
            f"<td class='ao-soft'>{escape(each.figures)}</td></tr>"
        )
    untested = len(findings) - len(tested)
    rest = (
        f'<p class="ao-read" style="margin-top:.5rem">{untested} more are about methods that were not tried here.</p>'
        if untested
        else ""
    )
    table = f'<table class="ao-table"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    return f'<div class="ao-scroll">{table}</div>{rest}'


def _claims_statement(findings: Sequence[ClaimFinding]) -> str:
    stances = [each.stance for each in findings]
    tested = sum(stance in _HELD for stance in stances)
    if not tested:
        return "What the documents rank could not be compared here"
    held, broken = stances.count("agrees"), stances.count("disagrees")
    return f"Of {tested} places in the documents' tables {held} hold here, {broken} do not"


def _best_curves(study: str, scores: pd.DataFrame, direction: Direction) -> dict[str, list[float]]:
    """Return the scores, epoch by epoch, of the best trial of each optimizer."""
    ended = scores[scores["score"].notna() & ~scores["state"].isin(["diverged", "failed"])]
    longest = ended[
        ended["epochs_done"] == ended.groupby("optimizer", observed=True)["epochs_done"].transform("max")
    ]
    ordered = longest.sort_values("score", ascending=direction == "minimize", kind="stable")
    best = ordered.drop_duplicates("optimizer").set_index("id")["optimizer"].astype(str)
    curves = data.curves(study, best.index.tolist())
    return {
        name: [r.score for r in curves.get(run, ()) if math.isfinite(r.score)] for run, name in best.items()
    }


def _confirmed(study: str, comparison: Comparison, objective: str) -> None:
    rows = [{"optimizer": each.title, f"{objective} on fresh seeds": readable.show_interval(each.confirmed),
             "seeds": each.seeds} for each in comparison.optimizers if each.confirmed is not None]  # fmt: skip
    if rows:
        page.subheading(
            "Confirmed on fresh seeds", "Only these differences are free of the luck of the search."
        )
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="confirmed")
    try:
        verdict = data.verdict(study)
    except UsageError:
        verdict = None
    if verdict is not None:
        _pareto(verdict)
        held = [r for r in verdict.reasons if r.stance in ("agrees", "disagrees")]
        if held:
            agreed = sum(r.stance == "agrees" for r in held)
            rules = readable.counted(len(held), "rule")
            st.html(f'<p class="ao-say">{agreed} of {rules} of the documents that this study could test held here; the '
                    "recommendation lists them.</p>")  # fmt: skip


def _pareto(verdict: Recommendation) -> None:
    """Show which confirmed recipes nothing beats in score, time and memory together."""
    if verdict.pareto is None or not verdict.pareto.confirmed:
        return
    points = verdict.pareto.confirmed
    page.figure("pareto", f"What a better {verdict.objective} costs",
                "Confirmed recipes that nothing beats in score, seconds and memory at once. Bar: 95 % interval. "
                "Hollow: no better, beyond the noise, than one that costs no more.",
                draw_pareto(points, verdict.objective), pareto_table(points, verdict.objective))  # fmt: skip
