"""Figures as functions: what is drawn, and that names in them stay text."""

import math

import pandas as pd
import pytest

from autoopt.catalogue import OPTIMIZERS
from autoopt.dashboard import theme
from autoopt.dashboard.charts.curves import draw_run, run_table
from autoopt.dashboard.charts.drawing import clipped, text, wants_log
from autoopt.dashboard.charts.finalists import draw_finalists, finalists_table
from autoopt.dashboard.charts.progress import (
    anytime_table,
    budget_table,
    draw_anytime,
    draw_budget,
    draw_states,
)
from autoopt.records.overview import Level, Tally
from autoopt.run import EpochReport, Purpose, Run, RunRecord, RunState

from .conftest import ADAM, HOSTILE, SGD, make_recommendation

TALLIES = [
    Tally("sgd", Purpose.SEARCH, RunState.FINISHED, 2, 18, 4.0, 0.1, 0.3),
    Tally("sgd", Purpose.SEARCH, RunState.DIVERGED, 1, 1, 0.1, None, None),
    Tally("adam", Purpose.SEARCH, RunState.STOPPED, 4, 8, 1.0, 0.5, 0.9),
    Tally("adamw", Purpose.BASELINE, RunState.FINISHED, 3, 27, 6.0, 0.2, 0.3),
]
LEVELS = [Level(0, 1, 9, 0.9, 2.0), Level(0, 3, 3, 0.4, 0.8), Level(0, 9, 1, 0.2, 0.2), Level(1, 1, 9, 0.8, 3.0),
          Level(1, 3, 3, None, None)]  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_has_a_look_of_its_own(name):
    look = (theme.color_of(name), theme.symbol_of(name))
    assert all(
        (theme.color_of(other), theme.symbol_of(other)) != look for other in OPTIMIZERS if other != name
    )


def test_an_optimizer_that_the_catalogue_does_not_know_is_drawn_too():
    assert theme.color_of("of the future").startswith("#")
    assert theme.title_of("of the future") == "of the future"


def test_finalists_are_drawn_with_the_baseline_dashed_and_labelled():
    figure = draw_finalists(make_recommendation("s"))
    assert [shape.line.dash for shape in figure.layout.shapes] == ["dash"]
    assert figure.layout.shapes[0].x0 == pytest.approx(0.11)
    assert figure.layout.annotations[0].text == "baseline"
    assert list(figure.layout.yaxis.ticktext) == ["AdamW, baseline", "Adam", "SGD, chosen"]


def test_the_table_of_finalists_holds_scores_and_failures():
    table = finalists_table(make_recommendation("s"))
    assert table[table["finalist"] == "chosen"]["loss"].tolist() == [0.08, 0.09, 0.1]
    assert table["failed with"].dropna().tolist() == [HOSTILE]


def test_the_anytime_curve_counts_compute_rung_by_rung():
    table = anytime_table(LEVELS, epochs=9, direction="minimize")
    assert table["cost"].tolist() == pytest.approx([1, 1 + 6 / 9, 1 + 12 / 9, 2 + 12 / 9, 2 + 18 / 9])
    assert table["best"].tolist() == [0.9, 0.4, 0.2, 0.2, 0.2]
    assert table["better"].tolist() == [True, True, True, False, False]


def test_the_anytime_curve_rises_where_more_is_better():
    assert anytime_table(LEVELS, 9, "maximize")["best"].tolist() == [2.0, 2.0, 2.0, 3.0, 3.0]


def test_the_anytime_curve_is_drawn_with_the_baseline_where_it_lies():
    figure = draw_anytime(anytime_table(LEVELS, 9, "minimize"), HOSTILE, 9, baseline=0.01, confirmed=0.25)
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.annotations[0].y == pytest.approx(-2)
    assert "<script>" not in figure.to_json()


def test_an_anytime_curve_without_scores_is_empty_and_drawn():
    table = anytime_table([Level(0, 1, 9, None, None)], 9, "minimize")
    assert table.empty
    assert draw_anytime(table, "loss", 9, baseline=None, confirmed=None).data


def test_the_budget_counts_the_search_alone_and_puts_the_largest_first():
    table = budget_table(TALLIES, epochs=9)
    assert table["optimizer"].tolist() == ["sgd", "adam"]
    assert table["compute"].tolist() == pytest.approx([19 / 9, 8 / 9])
    assert table["diverged"].tolist() == [1, 0]


def test_budget_and_states_draw_a_part_for_each_optimizer_and_state():
    table = budget_table(TALLIES, 9)
    assert [bar.name for bar in draw_budget(table).data] == ["SGD", "Adam"]
    assert [bar.name for bar in draw_states(table).data] == ["finished", "stopped", "diverged"]


def test_a_run_is_drawn_with_gaps_where_its_loss_was_no_number():
    reports = [
        EpochReport(0, 1, 1.0, 2.0, 2.0, 1.9, 0.1, 3.0),
        EpochReport(0, 2, 1.0, math.nan, math.nan, diverged=True),
    ]
    figure = draw_run(RunRecord(Run(0, SGD, 0, 9)), reports, "accuracy")
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name["validation loss"].y) == [2.0, None]
    assert {"accuracy", "accuracy, averaged weights", "learning rate", "gradient norm"} <= set(by_name)
    assert isinstance(run_table(reports), pd.DataFrame)


def test_a_run_without_gradient_norms_is_drawn():
    assert len(draw_run(RunRecord(Run(0, ADAM, 0, 9)), [EpochReport(0, 1, 1.0, 2.0, 2.0)], "loss").data) == 3


def test_a_log_axis_is_for_what_spans_a_decade():
    assert wants_log([0.1, 1.0])
    assert not wants_log([0.1, 0.2])
    assert not wants_log([0.0, 10.0])


def test_the_interesting_part_leaves_outliers_out():
    scores = [0.1 * n for n in range(1, 30)] + [1e6, math.inf, math.nan]
    low, high = clipped(scores, "minimize")
    assert low == pytest.approx(0.1)
    assert high < 10
    assert clipped([1.0, 2.0], "minimize") is None
    assert clipped([-s for s in scores], "maximize")[1] == pytest.approx(-0.1)


def test_text_in_a_figure_stays_text():
    assert text("<b>a</b> & b") == "&lt;b&gt;a&lt;/b&gt; &amp; b"
