"""Compare studies: does the same answer hold elsewhere?"""

from __future__ import annotations

import streamlit as st

from autoopt.dashboard import data, page, readable
from autoopt.dashboard.charts.gains import draw_gains, draw_standings, gains_table, standings_table
from autoopt.dashboard.theme import title_of
from autoopt.verdict.comparison import title_of as title_of_method
from autoopt.verdict.recommendation import Recommendation

MOST = 12


def draw() -> None:
    """Show what several studies recommend and gained, and how each optimizer did across them."""
    known = data.names()
    if not known:
        page.heading("Does the same answer hold elsewhere?", "No study yet")
        page.nothing("There is nothing to compare.", "Begin with 'autoopt tune TASK'.")
        return
    top = st.container()
    names = st.multiselect("Studies", known, default=known[: min(MOST, len(known))], max_selections=MOST, key="studies",
                           bind="query-params")  # fmt: skip
    verdicts = data.verdicts()
    judged = [verdict for name in names if isinstance(verdict := verdicts.get(name), Recommendation)]
    with top:
        page.heading("Does the same answer hold elsewhere?", *_answer(judged, len(names)))
    if judged:
        table = gains_table(judged)
        page.figure("gains", "What each study gained over its baseline",
                    "Mark: the gain, paired by seed; bar: its 95 % interval. Right of the dashed line is better than "
                    "the baseline.", draw_gains(table), table)  # fmt: skip
    best, directions = {}, {}
    for name in names:
        directions[name] = data.summary(name).study.direction
        best[name] = _best(name)
    standings = standings_table(best, directions)
    if len(standings):
        standings = standings.rename(index=title_of_method)
        page.figure(
            "standings", f"{standings.index[0]} "
            + ("lies closest to the best across these studies" if len(names) > 1 else "led the search"),
            "A field is an optimizer in a study: how far its best trial lies behind the best of all, in percent, after "
            "as many epochs as trials of each were trained. Empty: not tried there.",
            draw_standings(standings), standings.reset_index(names="optimizer"),
        )  # fmt: skip
    else:
        page.nothing("No trial of these studies has a score yet.", "Choose others, or come back later.")


def _best(name: str) -> dict[str, float]:
    """Return the best score of each optimizer after as many epochs as trials of all of them were trained."""
    rows = data.comparison(name).optimizers
    return {each.method: each.score for each in rows if each.score is not None}


def _answer(judged: list[Recommendation], chosen: int) -> tuple[str, str]:
    if not judged:
        return "None of these studies has a verdict yet", ""
    if chosen == 1:
        return (
            f"{title_of(judged[0].recipe.optimizer)} is recommended here",
            "Choose more studies to compare with.",
        )
    winners = [verdict.recipe.optimizer for verdict in judged]
    often = max(set(winners), key=lambda name: (winners.count(name), name))
    better = sum(verdict.verdict == "better" for verdict in judged)
    if len(judged) > 1 and winners.count(often) == 1:
        return f"Each of {readable.counted(len(judged), 'study')} has another winner", ""
    return (
        f"{title_of(often)} is recommended in {winners.count(often)} of {readable.counted(len(judged), 'study')}",
        f"In {better} of {readable.counted(chosen, 'study')} the recommendation beats the baseline.",
    )
