"""Learning rate: how fast may each optimizer go?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import learning_rate
from autoopt.dashboard import data, page, readable
from autoopt.dashboard.charts.ranges import draw_tests, range_table, read_tests
from autoopt.dashboard.charts.rates import Marks, divergence_border, draw_rates
from autoopt.dashboard.theme import title_of
from autoopt.errors import UsageError
from autoopt.records.study import StudyRecord
from autoopt.search.fidelity import rungs_of
from autoopt.verdict.figures import Comparison

MOST_POINTS = 1200
_FIRST, _LAST = "at the first look", "at the end"


def draw(study: str) -> None:
    """Show scores against rates by optimizer, with the rates that did well and those that diverged."""
    record, trials = data.summary(study).study, data.trials(study)
    trials = trials[trials["lr"] > 0]
    if trials.empty:
        page.heading("How fast may each optimizer go?", "No rate has been tried yet")
        page.nothing(
            "No trial with a learning rate has been started.", f"Carry on with 'autoopt resume {study}'."
        )
        return
    comparison = data.comparison(study)
    names = [name for name in _by_standing(comparison) if (trials["optimizer"] == name).any()]
    rest = [str(name) for name in trials["optimizer"].unique() if name not in names]
    marks = {name: _marks(study, name, trials, comparison) for name in [*names, *rest]}
    page.heading("How fast may each optimizer go?", _answer(marks), _about(comparison, record))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = st.multiselect("Optimizers", list(marks), key="of", bind="query-params", format_func=title_of,
                               placeholder="all", width=320)  # fmt: skip
        when = st.segmented_control(
            "Scores",
            [_FIRST, _LAST],
            default=_FIRST,
            key="when",
            bind="query-params",
            help="At the first look all trials compare; at the end each has trained as long as it was let.",
        )
    drawn = _drawn(study, record, trials, first=when != _LAST)
    chosen = {name: marks[name] for name in (shown or marks)}
    drawn = drawn[drawn["optimizer"].isin(list(chosen))]
    thinned = data.thin(drawn, MOST_POINTS, record.direction, by="y")
    left_out = len(drawn) - len(thinned)
    page.figure(
        "rate", _statement(chosen),
        "A mark is a trial, filled if trained to its end; hollow red ones on the edge diverged. Dotted: the "
        "catalogue's best guess; thick grey: the recommended rate."
        + (f" {readable.grouped(left_out)} of {readable.grouped(len(drawn))} trials are left out, evenly." if left_out
           else ""),
        draw_rates(thinned, chosen, record.objective, record.direction), _table(chosen), wide=True,
    )  # fmt: skip
    _range_tests(study, record)


def _statement(marks: dict[str, Marks]) -> str:
    """Say what is marked, if anything is."""
    good = "Good rates are green" if any(mark.good for mark in marks.values()) else ""
    border = (
        "the red line is where runs begin to diverge" if any(mark.border for mark in marks.values()) else ""
    )
    words = ", ".join(filter(None, (good, border)))
    return words[:1].upper() + words[1:] if words else "The trials of each optimizer by their rate"


def _range_tests(study: str, record: StudyRecord) -> None:
    """Show the range tests that are kept with the study, or how to add some."""
    tests = read_tests(data.range_tests(study))
    if not tests:
        page.nothing("No range test is kept with this study.",
                     f"'autoopt suggest {record.source or 'TASK'} --probe --keep {study}' makes one in seconds: a few "
                     "dozen steps at a rising rate, which show where training breaks.")  # fmt: skip
        return
    borders = [(test.border, test.optimizer) for test in tests if test.border]
    title = (
        f"In a range test {title_of(min(borders)[1])} breaks first, at {readable.show_rate(min(borders)[0])}"
        if borders
        else "In a range test no rate broke the training"
    )
    page.figure("range", title, "A line is the training loss of a few dozen steps at a rising rate; the mark is its "
                "lowest point, near which short trainings do best, the red circle is where it breaks.",
                draw_tests(tests), range_table(tests))  # fmt: skip


def _by_standing(comparison: Comparison) -> list[str]:
    return list(
        dict.fromkeys("sgd" if row.method == "plain sgd" else row.method for row in comparison.optimizers)
    )


def _drawn(study: str, record: StudyRecord, trials: pd.DataFrame, *, first: bool) -> pd.DataFrame:
    """Return the trials with what is drawn of them as ``y``."""
    if not first or not rungs_of(record.epochs):
        return trials.assign(y=trials["score"])
    return data.first_scores(study).loc[trials.index]


def _marks(study: str, name: str, trials: pd.DataFrame, comparison: Comparison) -> Marks:
    own = trials[trials["optimizer"] == name]
    figures = next((row for row in comparison.optimizers if row.method == name), None)
    good = figures.good_rates if figures is not None else None
    entry = OPTIMIZERS.get(name)
    scaled = entry is not None and entry.momentum_scales_lr
    try:
        verdict = data.verdict(study)
    except UsageError:
        verdict = None
    chosen = None
    if verdict is not None and verdict.recipe.optimizer == name and "lr" in verdict.recipe.settings:
        chosen = float(verdict.recipe.settings["lr"])
    return Marks(
        good=None if scaled else good,  # of these the good rates are in units of lr / (1 − momentum)
        border=divergence_border(own["lr"], own["state"] == "diverged"),
        reference=None if entry is None else learning_rate(entry, 1.0, {"momentum": 0.9} if scaled else {}),
        chosen=chosen,
    )


def _answer(marks: dict[str, Marks]) -> str:
    known = [(name, mark.good) for name, mark in marks.items() if mark.good is not None]
    if not known:
        return "No range of good rates is known yet"
    name, (low, high) = known[0]
    return f"{title_of(name)} does well between {readable.show_rate(low)} and {readable.show_rate(high)} here"


def _about(comparison: Comparison, record: StudyRecord) -> str:
    if comparison.bar is None:
        return "Too few trials came to the first look to say which rates do well."
    bar, epochs = readable.show(comparison.bar), readable.counted(comparison.bar_epochs, "epoch")
    return (f"A rate does well if its trial had reached {record.objective} {bar} after {epochs}, as the middle one of "
            "the first trials had.")  # fmt: skip


def _table(marks: dict[str, Marks]) -> pd.DataFrame:
    return pd.DataFrame([
        {"optimizer": title_of(name), "good from": mark.good and mark.good[0], "good to": mark.good and mark.good[1],
         "diverges from": mark.border, "best guess": mark.reference, "recommended": mark.chosen}
        for name, mark in marks.items()
    ])  # fmt: skip
