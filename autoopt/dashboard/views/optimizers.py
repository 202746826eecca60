"""Optimizers compared: which one is best here, how fast, and how sure to train?"""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st

from autoopt.dashboard import data, page, readable
from autoopt.dashboard.charts.standing import draw_intervals, draw_scores, standing_table
from autoopt.errors import UsageError
from autoopt.run import Purpose
from autoopt.verdict.figures import Comparison, OptimizerFigures

# The comparison table of D4: speed, stability and memory as it ranks them.
_CLAIMS = {
    "plain sgd": ("slow", "medium", "low"),
    "sgd": ("faster", "good", "medium"),
    "rmsprop": ("fast", "very good", "medium"),
    "adam": ("very fast", "excellent", "higher"),
}


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
    page.heading("Which optimizer is best here?", *_answer(comparison, record.objective))
    level = readable.counted(comparison.level, "epoch")
    left, right = st.columns(2, gap="medium")
    with left:
        page.figure(
            "standing", f"Best {record.objective} after {level}, and the middle half of trials",
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
    with right, st.container(border=True):
        page.subheading("What the documents claim, and what was measured",
                        "D4's table of speed, stability and memory, where this study tried the method.")  # fmt: skip
        st.html(claims(comparison))
    page.subheading("All figures", "Sort by a click on a heading.")
    st.dataframe(table, hide_index=True, key="comparison", placeholder="–", column_config={
        name: st.column_config.NumberColumn(format="%.3g") for name in table.columns if table[name].dtype.kind == "f"
    })  # fmt: skip
    _confirmed(study, comparison, record.objective)


def _trials_of(study: str, figures: OptimizerFigures) -> int:
    """Return how many trials there were; of a large study the comparison has seen a sample of them."""
    if figures.method == "plain sgd":
        return figures.trials
    tallies = data.tallies(study)
    return sum(t.runs for t in tallies if t.optimizer == figures.method and t.purpose is Purpose.SEARCH)


def _answer(comparison: Comparison, objective: str) -> tuple[str, str]:
    scored = [each for each in comparison.optimizers if each.score is not None]
    if not scored:
        return "No trial has a score yet", ""
    best = scored[0]
    after = f"{objective} {readable.show(best.score)} after {readable.counted(comparison.level, 'epoch')}"
    if len(scored) == 1:
        return f"Only {best.title} was tried: {after}", ""
    second, noise = scored[1], comparison.noise
    ahead = f"{second.title} is next with {readable.show(second.score)}"
    spread = "" if noise is None else f"; seeds alone move a score by {readable.show(noise)}"
    return f"{best.title} leads: {after}", f"{ahead}{spread}."


def claims(comparison: Comparison) -> str:
    """Return D4's table beside what was measured, as HTML."""
    rows = [(each, _CLAIMS[each.method]) for each in comparison.optimizers if each.method in _CLAIMS]
    if not rows:
        return '<p class="ao-say">None of the methods in the table was tried here.</p>'
    head = "".join(f"<th>{name}</th>" for name in ("", "speed", "stability", "memory"))
    lines = "".join(
        f"<tr><th>{escape(each.title)}</th>"
        + "".join(f"<td>{claim}<br><span class='ao-soft'>{escape(found)}</span></td>"
                  for claim, found in zip(claim, _measured(each), strict=True)) + "</tr>"
        for each, claim in rows
    )  # fmt: skip
    return f'<table class="ao-table"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'


def _measured(each: OptimizerFigures) -> tuple[str, str, str]:
    target, diverged = each.epochs_to_target, each.diverged_share
    return (
        f"{readable.show(target.middle)} epochs to the target"
        if target
        else f"not there in {each.epochs} epochs",
        f"{readable.show_percent(diverged.middle)} diverged" if diverged else "no trial",
        f"{readable.show(each.state_floats)} × the weights" if each.state_floats is not None else "unknown",
    )


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
        held = [r for r in verdict.reasons if r.stance in ("agrees", "disagrees")]
        if held:
            agreed = sum(r.stance == "agrees" for r in held)
            rules = readable.counted(len(held), "rule")
            st.html(f'<p class="ao-say">{agreed} of {rules} of the documents that this study could test held here; the '
                    "recommendation lists them.</p>")  # fmt: skip
