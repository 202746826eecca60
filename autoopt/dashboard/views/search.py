"""Search: how did it get there, and where did the compute go?"""

from __future__ import annotations

import streamlit as st

from autoopt.dashboard import data, page, readable
from autoopt.dashboard.charts.progress import (
    anytime_table,
    budget_table,
    draw_anytime,
    draw_budget,
    draw_states,
    rungs_table,
)
from autoopt.dashboard.theme import title_of
from autoopt.errors import UsageError
from autoopt.run import RunState
from autoopt.search.fidelity import rungs_of
from autoopt.verdict.recommendation import Recommendation

_MOST_LETTERS = 160


def draw(study: str) -> None:
    """Show the best score against compute, who was given the compute, and how trials ended."""
    summary = data.summary(study)
    record = summary.study
    tallies = data.tallies(study)
    budget = budget_table(tallies, record.epochs)
    if budget.empty:
        page.heading("How did the search go?", "It has not begun")
        page.nothing("No trial has been started.", f"Carry on with 'autoopt resume {study}'.")
        return
    anytime = anytime_table(data.levels(study), record.epochs, record.direction)
    verdict = _verdict(study)
    counts = {state: int(budget[str(state)].sum()) for state in RunState}
    best = "No trial has a score yet" if anytime.empty else (
        f"{record.objective.capitalize()} {readable.show(anytime['best'].iloc[-1])} after "
        f"{readable.show(_cost_of_best(anytime))} of {_runs(budget['compute'].sum())} of compute"
    )  # fmt: skip
    page.heading("How did the search go?", best, _saved(counts, budget["compute"].sum()))
    st.html(f'<p class="ao-say">{page.state_line(summary)}</p>{page.progress_bar(summary)}')
    if page.state_of(record) == "running":
        page.at_work(study)
    if not anytime.empty:
        page.figure(
            "anytime", _anytime_statement(record.objective, verdict),
            "A step down (or up) is a better score than any before; hollow marks are runs at a rung, filled ones "
            "complete, the star is the mean on fresh seeds. Dashed: the baseline.",
            draw_anytime(anytime, record.objective, record.epochs,
                         baseline=verdict.baseline.mean if verdict else None,
                         confirmed=verdict.chosen.mean if verdict else None),
            anytime,
        )  # fmt: skip
    left, right = st.columns(2, gap="medium")
    with left:
        top = budget.iloc[0]
        most = f"{title_of(top['optimizer'])} was given most: {_runs(top['compute'])}"
        parts = rungs_table(data.ways(study), rungs_of(record.epochs), record.epochs)
        page.figure("budget", most, "The first bar is all compute of the search, those below what was spent between "
                    "one look at the trials and the next. A part is an optimizer.",
                    draw_budget(parts), parts)  # fmt: skip
        _troubles(study, counts)
    with right:
        page.figure("states", _states_statement(counts),
                    "A bar is an optimizer's trials. Finished: trained to the end; stopped: others did better at a "
                    "rung; hollow red: diverged.", draw_states(budget), budget)  # fmt: skip


def _verdict(study: str) -> Recommendation | None:
    try:
        return data.verdict(study)
    except UsageError:  # the page of the recommendation says so
        return None


def _cost_of_best(anytime) -> float:  # type: ignore[no-untyped-def]
    return float(anytime.loc[anytime["better"], "cost"].iloc[-1])


def _saved(counts: dict[RunState, int], compute: float) -> str:
    trials = sum(counts.values())
    saved = trials - counts[RunState.RUNNING] - compute
    stopped = readable.grouped(counts[RunState.STOPPED]) if counts[RunState.STOPPED] else "None"
    verb = "was" if counts[RunState.STOPPED] == 1 else "were"
    early = f"{stopped} of {readable.counted(trials, 'trial')} {verb} stopped early"
    return f"{early}, which saved {readable.show(saved)} complete trainings." if saved > 0.5 else f"{early}."


def _runs(number: float) -> str:
    return "1 run" if number == 1 else f"{readable.show(number)} runs"


def _anytime_statement(objective: str, verdict: Recommendation | None) -> str:
    if verdict is None or verdict.chosen.mean is None:
        return f"The best {objective} so far, against compute"
    return f"The {objective} that the search reached, and {readable.show(verdict.chosen.mean)} on fresh seeds"


def _states_statement(counts: dict[RunState, int]) -> str:
    parts = [f"{readable.grouped(counts[state])} {state}" for state in RunState if counts[state]]
    return f"How the trials ended: {', '.join(parts)}" if parts else "No trial"


def _troubles(study: str, counts: dict[RunState, int]) -> None:
    from autoopt.dashboard.views import page_at

    with st.container(border=True):
        page.subheading("Look at them", "The list of trials, filtered.")
        with st.container(horizontal=True):
            for state in RunState:
                if counts[state]:
                    words = f"{readable.grouped(counts[state])} {state}"
                    st.page_link(page_at("trials"), label=words, icon=":material/filter_alt:",
                                 query_params=page.link_parameters(study, state=str(state)))  # fmt: skip
        if endings := data.endings(study):
            page.subheading("Why they ended early", "What was noted, the most frequent first.")
            page.facts((f"{readable.grouped(each.runs)} {each.state}", _short(each.note)) for each in endings)


def _short(note: str) -> str:
    """Return a note as far as a line or two of the page hold it."""
    if not note:
        return "nothing was noted"
    return note if len(note) <= _MOST_LETTERS else f"{note[:_MOST_LETTERS]}…"
