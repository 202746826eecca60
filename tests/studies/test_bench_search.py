"""The benchmark of the search: every training once, every method in the same coin, and tests that find differences."""

import json
import math
import textwrap
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import autoopt
from autoopt.recipe import Recipe
from autoopt.run import EpochReport
from autoopt.space.choose import suggest
from studies.bench_search import __main__ as command
from studies.bench_search import cells, suite
from studies.bench_search.bench import Bench, Event, incumbent
from studies.bench_search.cache import Curve, CurveCache
from studies.bench_search.cells import FRESH_SEEDS, Cell, cells_for, run_cell
from studies.bench_search.choice import BEST, RIGHT, VALLEYS, ChoiceProblem, choices_of
from studies.bench_search.evaluator import Evaluator
from studies.bench_search.flat import Answers, questions_of
from studies.bench_search.methods import METHODS, find_method
from studies.bench_search.recorded import load_recorded, record
from studies.bench_search.results import Row, Table
from studies.bench_search.runner import known_results
from studies.bench_search.statistics import duels, holm, rank, welch

TINY = """
    import torch
    from torch import nn

    epochs, batch_size, loss = 9, 16, "mse_loss"
    torch.manual_seed(0)
    X = torch.randn(80, 4)
    rows = X, X[:, :1].sin()
    train_data, val_data, test_data = ([p[a:b] for p in rows] for a, b in ((0, 48), (48, 64), (64, 80)))

    def model():
        return nn.Linear(4, 1)
    """


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    place = tmp_path_factory.mktemp("tasks") / "tiny.py"
    place.write_text(textwrap.dedent(TINY))
    return autoopt.load_task(place)


@pytest.fixture
def cache(tmp_path):
    made = CurveCache(tmp_path / "cache")
    yield made
    made.close()


@pytest.fixture
def tiny_suite(monkeypatch, tiny):
    """Every task of the suite is the tiny one."""
    monkeypatch.setattr(cells, "loaded", lambda name: tiny)


class Formula:
    """An evaluator whose curves follow a formula, so that methods are tried in milliseconds."""

    def __init__(self, task):
        self.task, self.seconds_inside, self.asked = task, 0.0, set()

    def curve(self, recipe, seed, epochs):
        self.asked.add((recipe, seed))
        rate = math.log10(float(recipe.settings["lr"]))
        if rate > 0.5:
            return Curve((EpochReport(0, 1, math.nan, math.nan, math.nan, diverged=True),), (0.1,))
        reports = [EpochReport(0, n + 1, 1.0, 1.0, abs(rate + 2) + 1 / (n + 1), 1.0) for n in range(epochs)]
        return Curve(tuple(reports), (0.1,) * epochs)


def test_every_task_of_the_suite_is_a_family_of_its_own_and_a_third_is_kept_aside():
    assert len({member.family for member in suite.SUITE.values()}) == 12
    assert [len(suite.members(part)) for part in ("development", "kept-aside")] == [8, 4]
    assert set(suite.SUITE) == {file.stem for file in suite.TASKS_FOLDER.glob("*.py")}


@pytest.mark.parametrize("name", suite.SUITE)
def test_a_task_of_the_suite_loads_and_has_rungs_and_a_test(name):
    task = suite.loaded(name)
    assert task.epochs % 9 == 0
    assert task.test is not None
    assert task.sparse_gradients is ("sparse" in suite.SUITE[name].family)


def test_a_training_is_done_once_and_carries_on_where_it_stopped(tiny, cache):
    recipe = Recipe("sgd", {"lr": 0.1}, batch_size=16)
    at_once = Evaluator(tiny, cache).curve(recipe, 1, 9)
    evaluator = Evaluator(tiny, CurveCache(cache.folder.parent / "other"))
    in_parts = [evaluator.curve(recipe, 1, n) for n in (1, 3, 9)][-1]
    assert [r.score for r in in_parts.reports] == [r.score for r in at_once.reports]
    assert in_parts.reports[-1].test_score == at_once.reports[-1].test_score is not None
    assert Evaluator(tiny, CurveCache(cache.folder)).curve(recipe, 1, 9) == at_once


def test_a_new_field_of_recipes_does_not_orphan_old_curves(tiny, cache, monkeypatch):
    recipe = Recipe("sgd", {"lr": 0.1}, batch_size=16)
    known = Evaluator(tiny, cache).curve(recipe, 1, 1)
    plain = recipe.to_dict()
    monkeypatch.setattr(Recipe, "to_dict", lambda self: plain | {"something_new": None})
    assert cache.curve(tiny, recipe, 1) == known


def test_a_result_is_of_the_space_at_hand(tiny, monkeypatch):
    monkeypatch.setattr(cells, "loaded", lambda name: tiny)
    before = cells.key_of("random", "digits_mlp", 0)
    assert cells.key_of("random", "digits_mlp", 0) == before
    narrower = replace(suite.space_of(tiny), schedules=("linear",))
    monkeypatch.setattr(cells, "space_of", lambda task: narrower)
    assert cells.key_of("random", "digits_mlp", 0) != before


def test_a_divergence_is_remembered_as_one(tiny, cache):
    recipe = Recipe("sgd", {"lr": 1e9}, batch_size=16)
    curve = Evaluator(tiny, cache).curve(recipe, 1, 9)
    again = cache.curve(tiny, recipe, 1)
    assert curve.over
    assert (again.over, len(again.reports)) == (True, len(curve.reports))


@pytest.mark.parametrize(
    "name", [n for n, m in METHODS.items() if m.installed and n not in ("adamw", "autoopt")]
)
def test_a_method_spends_its_budget_and_no_more(name, tiny):
    bench = Bench(Formula(tiny), 12, seed=3)
    METHODS[name].search(bench)
    assert 8 <= bench.spent <= 12
    best = incumbent(bench.events, 12, 1)
    assert best is not None
    assert math.isfinite(next(e.score for e in bench.events if e.recipe == best))


@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if m.installed])
def test_a_method_answers_the_same_again(name, tiny):
    found = []
    for _ in range(2):
        bench = Bench(Formula(tiny), 12, seed=1)
        winner = METHODS[name].search(bench)
        found.append((winner, bench.spent, [e.recipe for e in bench.events]))
    assert found[0] == found[1]


def test_autoopt_pays_for_its_confirmation_too(tiny):
    evaluator = Formula(tiny)
    bench = Bench(evaluator, 12, seed=2)
    assert METHODS["autoopt"].search(bench) is not None
    seeds = {seed for _, seed in evaluator.asked}
    assert 2000 in seeds
    assert len(seeds) > 1
    assert not seeds & set(FRESH_SEEDS)
    assert 6 < bench.spent <= 12


def test_wide_rates_are_absolute_and_the_same_for_all(tiny):
    bench = Bench(Formula(tiny), 40, seed=0)
    METHODS["tpe-wide"].search(bench)
    rates = [float(e.recipe.settings["lr"]) for e in bench.events]
    assert min(rates) >= 1e-5
    assert max(rates) <= 1.0
    assert min(rates) < 3e-4 < 0.1 < max(rates)


def test_the_incumbent_is_the_best_of_those_trained_longest_and_paid_for():
    long, short, late = (Recipe("sgd", {"lr": lr}) for lr in (1.0, 2.0, 3.0))
    events = [Event(1, 0, 0, long, 9, 0.5), Event(1.5, 0, 0, short, 3, 0.1), Event(3, 0, 0, late, 9, 0.2)]
    assert incumbent(events, 2, 1) == long
    assert incumbent(events, 3, 1) == late
    assert incumbent(events, 0.5, 1) is None


def test_the_questions_of_a_space_answer_every_walk(tiny):
    space = suite.space_of(tiny)
    answers = {q.name: q.reference for q in questions_of(space)}
    for optimizer in space.optimizers:
        for schedule in space.schedules:
            recipe = suggest(space, Answers(answers | {"optimizer": optimizer, "schedule": schedule}))
            assert (recipe.optimizer, recipe.schedule) == (optimizer, schedule)


@pytest.mark.usefixtures("tiny_suite")
def test_a_cell_that_is_known_is_not_run_again(cache, monkeypatch):
    cell = Cell("random", "digits_mlp", 0, (2, 3), fresh=2)
    first = run_cell(cell, cache)
    monkeypatch.setattr(cells, "Evaluator", None)
    assert run_cell(cell, cache) == first
    assert [w["budget"] for w in first["winners"]] == [2, 3]
    assert [w["runs"] for w in first["winners"]] == [2, 3]
    assert all(len(w["scores"]) == 2 for w in first["winners"])


@pytest.mark.usefixtures("tiny_suite")
def test_what_is_known_is_shown_whatever_the_budgets_it_was_run_with(cache):
    for budgets in ((1, 3), (2,)):
        run_cell(Cell("random", "digits_mlp", 0, budgets, fresh=2), cache)
    asked = [Cell(method, "digits_mlp", 0, (5,), fresh=2) for method in ("random", "tpe")]
    found = known_results(asked, cache.folder)
    assert [[w["budget"] for w in result["winners"]] for result in found] == [[1, 2, 3], []]


@pytest.mark.usefixtures("tiny_suite")
def test_a_budget_that_autoopt_refuses_is_told_and_gives_no_row(cache):
    result = run_cell(Cell("autoopt", "digits_mlp", 0, (1,), fresh=2), cache)
    assert "too small" in result["refused"]


def test_cells_ask_a_method_once_for_all_budgets_unless_it_knows_its_budget():
    found = cells_for([METHODS["tpe"], METHODS["autoopt"]], ["digits_mlp"], 1, (10, 20), 5)
    assert [(c.method, c.budgets) for c in found] == [
        ("tpe", (10, 20)),
        ("autoopt", (10,)),
        ("autoopt", (20,)),
    ]


def test_a_search_of_ones_own_is_a_method(monkeypatch):
    assert find_method("studies.bench_search.optuna_peers:random").search is METHODS["random"].search
    with pytest.raises(autoopt.AutooptError, match="did you mean 'random'"):
        find_method("randon")
    with pytest.raises(autoopt.AutooptError, match="module:function"):
        find_method("no.such.module:search")


def test_the_example_in_the_readme_is_a_search(tiny):
    readme = (suite.TASKS_FOLDER.parent / "README.md").read_text(encoding="utf-8")
    code = readme.split("```python\n")[1].split("```")[0]
    names = {}
    exec(code, names)
    bench = Bench(Formula(tiny), 5, seed=0)
    names["screen"](bench)
    assert incumbent(bench.events, 5, 1) is not None
    assert 3 < bench.spent <= 5


def rows(method, budget, level, spread=0.01):
    random = np.random.default_rng([ord(method[0]), budget])
    return [
        Row(method, task, seed, budget, (score,) * 2, (), None, budget, 1.0, 0.1)
        for task in ("a", "b", "c", "d")
        for seed in range(5)
        for score in [level + spread * random.random()]
    ]


def test_the_better_method_ranks_first_and_wins_its_duel():
    found = [*rows("adamw", 5, 1.0), *rows("good", 5, 0.2), *rows("mean", 5, 0.5)]
    table = Table.of(found)
    ranking = rank(table, [("adamw", 5), ("good", 5), ("mean", 5)])
    assert ranking.mean_ranks == {("adamw", 5): 3.0, ("good", 5): 1.0, ("mean", 5): 2.0}
    assert ranking.friedman_p < 0.05
    duel = duels(table, ("good", 5), [("mean", 5)])[0]
    assert duel.gap == pytest.approx(-0.3 / 0.8, abs=0.05)
    assert (duel.better, duel.worse, duel.ahead) == (("a", "b", "c", "d"), (), 1.0)
    assert duel.p < 0.001


def test_methods_that_are_alike_win_nothing():
    table = Table.of([*rows("adamw", 5, 1.0), *rows("one", 5, 0.5, 0.3), *rows("two", 5, 0.5, 0.3)])
    duel = duels(table, ("one", 5), [("two", 5)])[0]
    assert duel.p > 0.05
    assert len(duel.better) + len(duel.worse) <= 1


def test_a_winner_that_diverges_is_as_bad_as_can_be():
    bad = [Row("bad", "a", 0, 5, (math.nan, 0.2), (), None, 5, 1, 1)]
    table = Table.of([*rows("adamw", 5, 1.0), *rows("good", 5, 0.2), *bad])
    assert table.regrets["bad", 5][0, 0] == pytest.approx(1.0, abs=0.02)


def test_welch_agrees_with_scipy():
    a, b = np.array([0.1, 0.3, 0.2, 0.4]), np.array([0.5, 0.9, 0.7])
    found = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert welch(a, b) == pytest.approx((found.low, found.high))
    assert welch(np.ones(3), np.zeros(3)) == (1.0, 1.0)


def test_holm_leaves_out_what_could_not_be_tested():
    assert holm([0.01, math.nan, 0.04]) == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)


def test_tasks_kept_aside_are_shown_in_the_end_only(monkeypatch, capsys, tmp_path):
    def result(method, task, score):
        winner = {"budget": 5, "runs": 5, "seconds": 1.0, "overhead": 0.1, "scores": [score] * 2,
                  "test_scores": [score] * 2, "recipe": {"optimizer": "sgd"}}  # fmt: skip
        return {"method": method, "task": task, "seed": 0, "refused": "", "winners": [winner]}

    told = [
        result(m, t, s) for t in ("digits_mlp", "digits_vit") for m, s in (("adamw", 1.0), ("random", 0.5))
    ]
    monkeypatch.setattr(command, "run_cells", lambda cells, folder, workers: told)
    arguments = [
        "--tasks",
        "all",
        "--methods",
        "random",
        "--cache",
        str(tmp_path),
        "--json",
        str(tmp_path / "j.json"),
    ]
    assert command.main(arguments) == 0
    shown = capsys.readouterr()
    assert "digits_mlp" in shown.out
    assert "digits_vit" not in shown.out + (tmp_path / "j.json").read_text()
    assert "not shown without --final: digits_vit, photo_denoise" in shown.err
    assert command.main([*arguments, "--final"]) == 0
    assert "digits_vit" in capsys.readouterr().out


@pytest.mark.parametrize(("wrong", "message"), [
    (["--tasks", "digit_mlp"], "did you mean 'digits_mlp'"), (["--methods", "tpf"], "did you mean 'tpe'"),
    (["--budgets", "0"], "whole number"),
])  # fmt: skip
def test_a_wrong_command_line_is_explained(wrong, message, capsys):
    assert command.main(wrong) == 2
    assert message in capsys.readouterr().err


def test_the_choice_problem_has_its_optimum_where_it_says():
    problem = ChoiceProblem(seed=5)
    exact = VALLEYS[RIGHT].rate / problem.known[RIGHT]
    assert problem.loss(RIGHT, exact, 1e-3) == pytest.approx(BEST)
    assert 10**-0.5 <= exact <= 10**0.5


def test_a_chooser_of_ones_own_is_put_to_the_choice_problem(monkeypatch, capsys):
    def choose(problem, evaluations):
        for _ in range(evaluations):
            problem.loss("sgd", 1.0, 1e-3)

    monkeypatch.setattr(command, "CHOOSERS", {})
    monkeypatch.setattr("studies.bench_search.choice.mine", choose, raising=False)
    assert command.main(["--choice", "--methods", "studies.bench_search.choice:mine"]) == 0
    assert "| studies.bench_search.choice:mine | 0/60 |" in capsys.readouterr().out


def test_choices_count_the_best_evaluation():
    def always_right(problem, evaluations):
        for name in VALLEYS:
            problem.loss(name, VALLEYS[name].rate / problem.known[name], 1e-3)

    found = choices_of("oracle", always_right, range(3))
    assert (found.right, found.seeds, found.mean_best) == (3, 3, pytest.approx(BEST))


def test_recorded_tables_come_back_as_they_were_written(tiny, cache, tmp_path):
    place = tmp_path / "tables" / "tiny.npz"
    written = record(tiny, cache, place, count=2, seeds=2)
    read = load_recorded(place)
    assert read.recipes == written.recipes
    assert read.scores.shape == (4, 2, 9)
    np.testing.assert_array_equal(read.scores, written.scores)
    assert np.isnan(read.averaged[..., -1]).all()


@pytest.mark.slow
def test_the_benchmark_runs_from_end_to_end(tmp_path, capsys):
    place = tmp_path / "found.json"
    assert command.main(["--tasks", "digits_mlp", "--methods", "random,autoopt", "--budgets", "7", "--seeds", "2", "--fresh",
                         "2", "--workers", "2", "--cache", str(tmp_path / "cache"), "--json", str(place)]) == 0  # fmt: skip
    found = json.loads(place.read_text())
    assert {cell["method"] for cell in found["regret"]} == {"adamw", "random", "autoopt"}
    assert all(cell["runs"] <= 7 for cell in found["regret"])
    assert "Mean ranks at 7 runs" in capsys.readouterr().out
