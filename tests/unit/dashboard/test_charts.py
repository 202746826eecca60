"""Figures as functions: what is drawn, and that names in them stay text."""

import math

import pandas as pd
import pytest

from autoopt.catalogue import OPTIMIZERS
from autoopt.dashboard import theme
from autoopt.dashboard.charts.curves import curves_table, draw_curves, draw_run, run_table
from autoopt.dashboard.charts.drawing import clipped, text, wants_log
from autoopt.dashboard.charts.finalists import draw_finalists, finalists_table
from autoopt.dashboard.charts.gains import draw_gains, draw_standings, gains_table, standings_table
from autoopt.dashboard.charts.pairs import draw_pairs, interactions
from autoopt.dashboard.charts.pareto import draw_pareto, pareto_table
from autoopt.dashboard.charts.progress import (
    anytime_table,
    budget_table,
    draw_anytime,
    draw_budget,
    draw_states,
    rungs_table,
)
from autoopt.dashboard.charts.ranges import draw_tests, range_table, read_tests
from autoopt.dashboard.charts.rates import Marks, divergence_border, draw_rates
from autoopt.dashboard.charts.standing import draw_intervals, draw_scores, standing_table
from autoopt.dashboard.charts.weights import draw_importance, draw_parallel, draw_slices
from autoopt.dashboard.data import thin
from autoopt.records.endings import Way
from autoopt.records.overview import Level, Tally
from autoopt.run import EpochReport, Purpose, Run, RunRecord, RunState
from autoopt.verdict.figures import Comparison, OptimizerFigures
from autoopt.verdict.pareto import Point
from autoopt.verdict.statistics import Interval

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


def test_states_draw_a_part_for_each_state():
    table = budget_table(TALLIES, 9)
    assert [bar.name for bar in draw_states(table).data] == ["finished", "stopped", "diverged"]


WAYS = [Way("adam", 1, 4), Way("adam", 3, 2), Way("sgd", 0, 1), Way("sgd", 2, 1), Way("sgd", 9, 2)]


def test_what_was_spent_between_rungs_adds_up_to_what_was_spent():
    table = rungs_table(WAYS, (1, 3), 9)
    assert table["optimizer"].tolist() == ["sgd"] * 3 + ["adam"] * 3
    assert table["trials"].tolist() == [3, 3, 2, 6, 2, 0]
    assert (9 * table["compute"]).tolist() == pytest.approx([3, 5, 12, 6, 4, 0])
    assert 9 * table["compute"].sum() == pytest.approx(sum(way.epochs * way.runs for way in WAYS))


def test_the_budget_is_drawn_as_a_whole_and_by_rung():
    first, second = draw_budget(rungs_table(WAYS, (1, 3), 9)).data
    assert [first.name, second.name] == ["SGD", "Adam"]
    assert list(first.y) == ["all", "epoch 1", "epochs 2 to 3", "epochs 4 to 9"]
    assert first.x[0] == pytest.approx(sum(part or 0 for part in first.x[1:]))


def test_a_budget_without_rungs_or_trials_is_drawn():
    assert list(draw_budget(rungs_table(WAYS, (), 9)).data[0].y) == ["all", "epochs 1 to 9"]
    assert not draw_budget(rungs_table([], (), 9)).data


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


def make_trials(count):
    return pd.DataFrame({
        "id": range(count), "optimizer": ["sgd", "adam"] * (count // 2), "lr": [10 ** (-3 + k / count) for k in range(count)],
        "state": ["finished" if k % 7 else "diverged" for k in range(count)], "y": [1.0 + k / count for k in range(count)],
        "score": [1.0 + k / count for k in range(count)],
    })  # fmt: skip


def test_the_border_of_divergence_parts_those_that_did_from_those_that_did_not():
    rates, diverged = pd.Series([1e-3, 1e-2, 1e-1, 1.0]), pd.Series([False, False, True, True])
    assert divergence_border(rates, diverged) == pytest.approx(10**-1.5)


@pytest.mark.parametrize("diverged", [[False] * 4, [True, False, False, False]])
def test_there_is_no_border_where_high_rates_do_not_diverge(diverged):
    assert divergence_border(pd.Series([1e-3, 1e-2, 1e-1, 1.0]), pd.Series(diverged)) is None


def test_rates_are_drawn_in_a_panel_an_optimizer_with_what_is_marked():
    marks = {"sgd": Marks((1e-3, 5e-3), 8e-3, 2e-3, 3e-3), "adam": Marks()}
    figure = draw_rates(make_trials(60), marks, "loss", "minimize")
    assert [note.text for note in figure.layout.annotations] == ["SGD", "Adam"]
    assert len(figure.layout.shapes) == 4
    assert any(trace.marker.symbol == "circle-open" and len(trace.x) for trace in figure.data)


def test_thinning_keeps_the_best_and_an_even_share_of_every_optimizer():
    trials = make_trials(10_000)
    kept = thin(trials, 500, "minimize")
    assert 400 < len(kept) <= 500
    assert kept["optimizer"].value_counts().min() > 200
    assert trials["id"].head(20).isin(kept["id"]).all()
    assert kept["id"].max() > 9_900
    assert thin(trials, 20_000, "minimize") is trials


def test_curves_are_a_line_an_optimizer_with_gaps_between_runs():
    records = [
        RunRecord(Run(n, SGD, 0, 2), RunState.DIVERGED if n == 2 else RunState.FINISHED) for n in range(3)
    ]
    curves = {n: [EpochReport(n, e, 1.0, 1.0 / e, 1.0 / e, None, 0.1) for e in (1, 2)] for n in range(3)}
    figure = draw_curves(curves_table(records, curves), "valid_loss", HOSTILE, "minimize", on_top={0})
    lines = [trace for trace in figure.data if trace.mode == "lines" and trace.yaxis == "y"]
    assert list(lines[0].y) == [1.0, 0.5, None, 1.0, 0.5, None]
    assert [line.line.width for line in lines] == [1.1, 3.2]
    assert [list(trace.x) for trace in figure.data if trace.name == "diverged"] == [[2]]
    assert "<script>" not in figure.to_json()


def test_outliers_do_not_ruin_the_axis_of_curves():
    records = [RunRecord(Run(n, SGD, 0, 2), RunState.FINISHED) for n in range(40)]
    curves = {n: [EpochReport(n, 1, 1.0, 1e9 if n == 7 else 1 + n / 100, 1.0)] for n in range(40)}
    table = curves_table(records, curves)
    assert draw_curves(table, "valid_loss", "loss", "minimize").layout.yaxis.range[1] < 2
    assert draw_curves(table, "valid_loss", "loss", "minimize", whole=True).layout.yaxis.range is None


COMPARISON = Comparison(
    (OptimizerFigures("sgd", "SGD with momentum", 3, score=0.1, epochs_to_target=Interval(1, 2, 3)),
     OptimizerFigures("plain sgd", "SGD without momentum", 1)), 3, 0.2, 0.3, 1, 0.01,
)  # fmt: skip


def test_the_standing_of_optimizers_is_drawn_and_tabled():
    scores = pd.DataFrame({"optimizer": ["sgd"] * 4, "y": [0.1, 0.2, 0.3, 0.4]})
    assert standing_table(COMPARISON, scores, "loss")["median at first look"].tolist()[0] == pytest.approx(
        0.25
    )
    assert list(draw_scores(COMPARISON, scores, "loss").layout.yaxis.ticktext) == [
        "SGD with momentum",
        "SGD without momentum",
    ]
    assert len(draw_intervals(COMPARISON.optimizers, "epochs_to_target", "epochs").data) == 2


def test_gains_of_studies_are_drawn_beside_the_baseline():
    table = gains_table([make_recommendation("one"), make_recommendation("two", relative_gain=None)])
    assert table["gain %"].tolist()[0] == pytest.approx(10)
    figure = draw_gains(table)
    assert figure.layout.shapes[0].x0 == 0
    assert len(figure.data) == 2


def test_standings_say_how_far_each_optimizer_lies_behind():
    table = standings_table({"a": {"sgd": 2.0, "adam": 1.0}, "b": {"adam": 0.9, "sgd": 0.45}, "c": {}},
                            {"a": "minimize", "b": "maximize", "c": "minimize"})  # fmt: skip
    assert table.loc["sgd", "a"] == pytest.approx(100)
    assert table.loc["sgd", "b"] == pytest.approx(50)
    assert table.index[0] == "adam"
    figure = draw_standings(table)
    assert sorted(note.text for note in figure.layout.annotations) == [
        "0 %", "0 %", "0 %", "100 %", "50 %", "75 %"]  # fmt: skip
    assert "sgd on a: 100 % behind" in figure.data[0].text


def test_importance_is_drawn_with_slices_and_all_settings_at_once():
    trials = make_trials(40).assign(schedule=["cosine", "linear"] * 20)
    assert draw_importance({"lr": 0.8, "schedule": 0.2}).data[0].x == (80, 20)
    slices = draw_slices(trials, ["lr", "schedule"], "loss", "minimize")
    assert slices.layout.xaxis.title.text == "lr"
    parallel = draw_parallel(trials, ["lr", "schedule"], "loss", "minimize").data[0]
    assert [axis.label for axis in parallel.dimensions] == ["lr", "schedule", "loss"]


def crossed(rows=80):
    """Trials in which the best of one setting depends on another, and a third does nothing."""
    table = pd.DataFrame({"id": range(rows), "a": [n % 2 for n in range(rows)], "b": ["xy"[n // 2 % 2] for n in range(rows)],
                          "c": [n % 5 / 5 for n in range(rows)]})  # fmt: skip
    return table.assign(
        y=[float(a == (b == "x")) + n % 7 / 50 for n, (a, b) in enumerate(zip(table.a, table.b, strict=True))]
    )


def test_settings_that_act_together_are_told_from_those_that_do_not():
    found = interactions(crossed(), ["a", "b", "c"])
    assert found.loc[0, ["first", "second"]].tolist() == ["a", "b"]
    assert found.loc[0, "share"] > 0.5
    assert found["share"][1:].max() < 0.05


def test_settings_that_add_up_do_not_act_together():
    table = crossed().assign(y=lambda t: t["a"] + (t["b"] == "x") + t["id"] % 7 / 50)
    assert interactions(table, ["a", "b"])["share"].item() < 0.05


def test_a_pair_is_drawn_as_a_map_of_medians():
    figure = draw_pairs(crossed(), [("a", "b")], "loss", "minimize")
    place = list(figure.layout.xaxis.ticktext).index("x")
    (median,) = [float(n.text) for n in figure.layout.annotations if (n.x, n.y, n.xref) == (place, 1, "x")]
    assert median == pytest.approx(1.06, abs=0.03)
    assert figure.data[0].text[0] == "median loss 0.0600 of 20 trials"


def test_a_range_test_is_drawn_up_to_where_it_breaks():
    kept = [({"optimizer": "sgd"}, {"rates": [1e-3, 1e-2, 0.1], "losses": [1.0, 0.5, None], "best": 1e-2, "border": 0.1}),
            ({"optimizer": "adam"}, {"rates": [1.0], "losses": []})]  # fmt: skip
    tests = read_tests(kept)
    assert [test.optimizer for test in tests] == ["sgd"]
    line, best, border = draw_tests(tests).data
    assert (list(line.x), list(best.x), list(border.x)) == ([1e-3, 1e-2], [1e-2], [0.1])
    assert math.isnan(range_table(tests)["loss"].iloc[2])


def test_what_a_better_score_costs_is_a_mark_a_recipe_hollow_where_it_ties():
    points = [Point(ADAM, 0.2, 9.0, 4_000_000, 3, 0.1, 0.3, ties=True), Point(SGD, 0.21, 3.0)]
    first, second = draw_pareto(points, HOSTILE).data
    assert (list(first.x), list(first.y)) == ([9.0], [0.2])
    assert first.marker.symbol.endswith("-open")
    assert not second.marker.symbol.endswith("-open")
    assert first.error_y.array[0] == pytest.approx(0.1)
    assert second.error_y.array is None
    table = pareto_table(points, "loss")
    assert table["MB"].iloc[0] == 4.0
    assert table["tie"].iloc[1] == ""
