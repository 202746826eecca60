import pytest

from autoopt.errors import BudgetError
from autoopt.recipe import Recipe
from autoopt.run import Purpose, Run, RunRecord
from autoopt.search.budget import Budget, Ledger, affordable, race


@pytest.mark.parametrize("runs", [7, 8, 10, 12, 20, 30, 40, 100])
@pytest.mark.parametrize("seeds", [None, 3, 5])
def test_a_confirmation_always_leaves_a_run_for_the_search(runs, seeds):
    if seeds and runs < 2 * seeds + 1:
        with pytest.raises(BudgetError, match=f"give {2 * seeds + 1} or more"):
            Budget(runs, seeds=seeds)
        return
    budget = Budget(runs, seeds=seeds)
    finalists, planned = budget.confirmation
    assert finalists >= 1
    assert planned >= 3
    assert budget.runs - budget.confirm_runs >= 1


@pytest.mark.parametrize("bad", [{"runs": 0}, {"runs": -3}, {"runs": float("nan")}, {"runs": float("inf")},
                                 {"seconds": 0}, {"trials": 0}, {"seeds": 2}, {"runs": 1}, {"runs": 6, "seeds": 3}])  # fmt: skip
def test_a_budget_that_cannot_be_spent_is_refused(bad):
    with pytest.raises(BudgetError):
        Budget(**bad)


def test_the_ledger_counts_in_complete_trainings():
    ledger = Ledger(Budget(30), epochs=10)
    run = Run(0, Recipe("sgd"), seed=0, epochs=10)
    ledger.charge(RunRecord(run), 5, 1.0)
    ledger.charge(RunRecord(Run(1, Recipe("sgd"), 1, 10, Purpose.BASELINE)), 10, 2.0)
    assert (ledger.search_runs, ledger.confirm_runs) == (0.5, 1.0)
    assert ledger.left_for_search == pytest.approx(30 - Budget(30).confirm_runs - 0.5)


def test_the_search_ends_when_the_time_left_is_needed_for_the_confirmation():
    ledger = Ledger(Budget(30, seconds=100), epochs=10, seconds_before=50)
    assert not ledger.time_to_confirm
    for _ in range(3):
        ledger.charge(RunRecord(Run(0, Recipe("sgd"), 0, 10)), 1, 0.6)  # the confirming runs take 6 s each
    assert ledger.time_to_confirm
    assert not ledger.out_of_time


def test_a_slow_first_epoch_does_not_end_the_search():
    ledger = Ledger(Budget(30, seconds=100), epochs=10, seconds_before=10)
    run = RunRecord(Run(0, Recipe("sgd"), 0, 10))
    ledger.charge(run, 1, 5.0)
    assert not ledger.time_to_confirm
    ledger.charge(run, 1, 0.1)
    ledger.charge(run, 1, 0.1)
    assert ledger.seconds_a_run == pytest.approx(1.0)
    assert not ledger.time_to_confirm


def test_a_small_budget_confirms_without_the_baseline():
    budget = Budget(5)
    assert (budget.compares, budget.confirmation, budget.confirm_runs) == (False, (2, 1), 2)
    assert Budget(7).compares


def test_in_the_race_two_in_five_go_on_after_each_seed():
    assert race(5, 3) == [5, 2, 1]
    assert race(1, 3) == [1, 1, 1]


def test_a_dear_optimizer_is_charged_what_it_costs_and_an_ordinary_one_the_same_as_ever():
    ledger = Ledger(Budget(30), epochs=10, costs={"muon": 3.0})
    for name in ("muon", "sgd"):
        ledger.charge(RunRecord(Run(0, Recipe(name), seed=0, epochs=10)), 5, 1.0)
        ledger.charge(RunRecord(Run(1, Recipe(name), 1, 10, Purpose.CONFIRM)), 10, 2.0)
    assert (ledger.search_runs, ledger.confirm_runs) == (2.0, 4.0)


def test_the_time_of_a_run_is_that_of_an_ordinary_one():
    ledger = Ledger(Budget(30), epochs=10, costs={"muon": 4.0})
    for _ in range(3):
        ledger.charge(RunRecord(Run(0, Recipe("muon"), 0, 10)), 1, 2.0)
    assert ledger.seconds_a_run == pytest.approx(5.0)


@pytest.mark.parametrize("finalists", [1, 2, 7, 16])
@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_finalists_that_cost_one_all_fit(finalists, seeds):
    assert affordable([1.0] * finalists, finalists, seeds) == (list(range(finalists)), seeds)


def test_a_finalist_that_does_not_fit_gives_way_to_the_next():
    assert affordable([1, 12, 1, 1], 3, 3) == ([0, 2, 3], 3)


def test_finalists_never_cost_more_than_the_share_but_for_a_single_training():
    for prices in ([3, 1, 6, 1, 2, 2], [2, 2, 2, 2], [1, 8, 1], [16, 3]):
        for finalists, seeds in ((1, 3), (3, 3), (7, 3), (16, 5)):
            chosen, on = affordable(prices, finalists, seeds)
            dearest = sorted((prices[k] for k in chosen), reverse=True)
            cost = sum(sum(dearest[:n]) for n in race(len(chosen), on))
            assert cost <= sum(race(finalists, seeds)) or (len(chosen), on) == (1, 1)


def test_where_nobody_fits_the_best_is_trained_on_fewer_seeds():
    assert affordable([3, 3], 2, 3) == ([0], 1)
    assert affordable([2], 2, 3) == ([0], 2)
