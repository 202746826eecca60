import math
from dataclasses import replace

import optuna
import pytest

from autoopt.errors import StudyFailed
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.run import Purpose, RunState
from autoopt.search import journal as journal_module
from autoopt.search.budget import Budget, Ledger
from autoopt.search.fidelity import rungs_of
from autoopt.search.journal import Journal
from autoopt.search.loop import Search, shortlist
from autoopt.search.study import Study
from autoopt.space.build import build_space
from autoopt.training.replay import replay_cohort
from tests.unit.search.curves import BEST_RATE, CurveCohort

EPOCHS = 18


@pytest.fixture(autouse=True)
def every_report_is_saved_at_once(monkeypatch):
    monkeypatch.setattr(journal_module, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"


def hold_search(
    url,
    budget=20,
    seed=0,
    optimizers=("sgd", "adamw"),
    direction="minimize",
    stop_after=None,
    costs=None,
    **cohort,
):
    """Search once; with ``stop_after`` an interruption comes after so many reports."""
    store = Store.open(url)
    if store.study("s") is None:
        store.create_study(StudyRecord("s", "t", "t.py", "f", "loss", direction, EPOCHS))
    reports = 0

    def watch(progress):
        nonlocal reports
        reports += 1
        if reports == stop_after:
            raise KeyboardInterrupt

    journal = Journal(store, "s", "loss", direction, Ledger(Budget(budget), EPOCHS, costs=costs or {}), watch)
    study = Study(build_space(optimizers=optimizers), direction, EPOCHS, seed, costs=costs,
                  room=journal.ledger.left_for_search)  # fmt: skip
    start = lambda runs: replay_cohort(runs, journal.recorded, lambda new: CurveCohort(new, **cohort))  # noqa: E731
    try:
        Search(study, journal, start, EPOCHS, seed).run()
    finally:
        journal.save()
        study.mirror("s", url)
    return journal


def walk(journal):
    return [(r.run.id, r.run.recipe, r.state, r.score, r.epochs_done) for r in journal.records.values()]


def test_the_search_leaves_the_share_of_the_confirmation(url):
    journal = hold_search(url, budget=20)
    assert journal.ledger.search_runs <= 20 - journal.ledger.budget.confirm_runs
    assert journal.ledger.search_runs > 20 - journal.ledger.budget.confirm_runs - 1


def test_every_optimizer_is_tried_at_its_reference_and_at_a_higher_rate_first(url):
    journal = hold_search(url)
    first = [r.run.recipe.optimizer for r in journal.records.values() if r.run.cohort == 0]
    assert first == ["sgd", "adamw"] * 3


@pytest.mark.parametrize("wrong", [1000.0, 0.001])
def test_references_that_are_far_off_are_left_behind(url, monkeypatch, wrong):
    best = {name: rate * wrong for name, rate in BEST_RATE.items()}
    monkeypatch.setattr("tests.unit.search.curves.BEST_RATE", best)
    ((recipe, _),) = shortlist(hold_search(url, budget=20), 1)
    assert abs(math.log10(recipe.settings["lr"] / best[recipe.optimizer])) < 0.7


@pytest.mark.parametrize("wrong", [100.0, 0.01])
def test_an_interrupted_search_finds_its_way_back_to_where_it_had_climbed(url, tmp_path, monkeypatch, wrong):
    best = {name: rate * wrong for name, rate in BEST_RATE.items()}
    monkeypatch.setattr("tests.unit.search.curves.BEST_RATE", best)
    whole = hold_search(f"sqlite:///{tmp_path}/whole.db")
    for after in (10, 15, 18, 25, 40):
        with pytest.raises(KeyboardInterrupt):
            hold_search(url, stop_after=after)
        journal = hold_search(url)
        assert walk(journal) == walk(whole)
        url = f"sqlite:///{tmp_path}/{after}.db"


def test_a_range_that_a_user_gave_is_never_left():
    space = build_space(optimizers=["adamw"])
    assert space.around(100.0).rates[1] > space.rates[1]
    given = replace(space, own={"adamw": entry_with_range(space.entry("adamw"), 1e-4, 1e-2)})
    assert given.around(100.0) is given


def entry_with_range(entry, low, high):
    lr, *others = entry.hyperparameters
    return replace(entry, hyperparameters=(replace(lr, low=low, high=high), *others))


def test_it_finds_a_good_rate(url):
    (_, score), *_ = shortlist(hold_search(url, budget=40), 3)
    assert score < 0.1 + math.exp(-6 / 3) + 0.2 * 0.15  # as after its first third


def test_an_interrupted_search_carries_on_to_the_same_end(url, tmp_path):
    whole = hold_search(f"sqlite:///{tmp_path}/whole.db")
    for after in (1, 2, 5, 17, 40):
        with pytest.raises(KeyboardInterrupt):
            hold_search(url, stop_after=after)
    CurveCohort.trained.clear()
    assert walk(hold_search(url)) == walk(whole)


def test_nothing_but_the_last_moments_is_lost_when_savings_are_far_apart(url, tmp_path, monkeypatch):
    whole = hold_search(f"sqlite:///{tmp_path}/whole.db")
    monkeypatch.setattr(journal_module, "PAUSE_SECONDS", 1e9)
    with pytest.raises(KeyboardInterrupt):
        hold_search(url, stop_after=3)
    assert walk(hold_search(url)) == walk(whole)
    assert len(Store.open(url).reports("s")) == len(whole.records)


def test_a_finished_search_is_walked_through_without_training(url):
    first = walk(hold_search(url))
    CurveCohort.trained.clear()
    assert walk(hold_search(url)) == first
    assert not CurveCohort.trained


def test_a_larger_budget_extends_a_search(url):
    before = walk(hold_search(url, budget=15))
    CurveCohort.trained.clear()
    after = walk(hold_search(url, budget=30))
    assert len(after) > len(before)
    for (one, recipe, *_, epochs), (other, same, *_, further) in zip(before, after, strict=False):
        assert (one, recipe) == (other, same)
        assert further >= epochs


def test_equal_seeds_give_equal_searches_and_other_seeds_others(tmp_path):
    walks = [walk(hold_search(f"sqlite:///{tmp_path}/{k}.db", seed=seed)) for k, seed in enumerate((1, 1, 2))]
    assert walks[0] == walks[1] != walks[2]


def test_optuna_opens_the_same_file_and_sees_every_trial(url):
    journal = hold_search(url, diverge_above=0.05)
    trials = optuna.load_study(study_name="s", storage=url).trials
    records = list(journal.records.values())
    assert len(trials) == len(records)
    for trial, record in zip(trials, records, strict=True):
        finished = record.state is RunState.FINISHED
        assert trial.state.name == ("COMPLETE" if finished else "PRUNED")
        assert trial.value is not None
        assert math.isfinite(trial.value)
    assert any("diverged" in trial.user_attrs for trial in trials)


def test_where_every_run_diverged_what_is_left_is_spent_on_new_ones(url):
    journal = hold_search(url, budget=7, diverge_above=0.0)
    assert {r.state for r in journal.records.values()} == {RunState.DIVERGED}
    assert journal.ledger.left_for_search * EPOCHS < rungs_of(EPOCHS)[0]


def test_a_diverged_run_is_told_as_worse_than_every_other(url):
    hold_search(url, diverge_above=0.05)
    trials = optuna.load_study(study_name="s", storage=url).trials
    worst = max(v for t in trials if "diverged" not in t.user_attrs for v in t.intermediate_values.values())
    assert all(t.value > worst for t in trials[3:] if "diverged" in t.user_attrs)


def test_a_study_in_which_every_run_fails_stops_early_with_the_cause(url):
    with pytest.raises(StudyFailed, match="ValueError: no"):
        hold_search(url, fail=True)
    assert len(Store.open(url).runs("s")) == 6


def test_runs_are_given_up_at_rungs_only(url):
    journal = hold_search(url)
    for record in journal.records.values():
        assert record.run.purpose is Purpose.SEARCH
        assert record.state is RunState.STOPPED
        assert record.epochs_done in rungs_of(EPOCHS)


def test_maximising_turns_the_ranking_round(url):
    journal = hold_search(url, direction="maximize")
    last = max(r.epochs_done for r in journal.records.values())
    (_, best), *_ = shortlist(journal, 1)
    assert best == max(r.score for r in journal.records.values() if r.epochs_done == last)


class SlowCohort(CurveCohort):
    """Reports one by one, and moves the clock by a minute with each."""

    clock = 0.0

    def advance(self, run_ids=None, until=None):
        for report in super().advance(run_ids, until):
            SlowCohort.clock += 60.0
            yield report


def test_a_timeout_is_looked_at_after_every_report_of_a_long_epoch(url, monkeypatch):
    SlowCohort.clock = 0.0
    monkeypatch.setattr("autoopt.search.budget.monotonic", lambda: SlowCohort.clock)
    store = Store.open(url)
    store.create_study(StudyRecord("s", "t", "t.py", "f", "loss", "minimize", EPOCHS))
    journal = Journal(store, "s", "loss", "minimize", Ledger(Budget(30, seconds=150.0), EPOCHS, _started=0.0))
    study = Study(build_space(), "minimize", EPOCHS, 0)
    Search(study, journal, SlowCohort, EPOCHS, 0).run()
    assert journal.ledger.search_epochs <= 3
    notes = [r.note for r in journal.records.values() if r.epochs_done < rungs_of(EPOCHS)[0]]
    assert set(notes) == {"the time was up"}
    assert (
        len(notes) >= len(journal.records) - 1
    )  # one run after the other: one of them came to its first rung


def test_no_two_finalists_are_nearly_the_same_while_there_are_others(url):
    journal = hold_search(url, budget=40, optimizers=("adamw",))
    found = [recipe for recipe, _ in shortlist(journal, 100)]
    leaders = [(recipe.schedule, recipe.settings["lr"]) for recipe in found[:4]]
    for k, (schedule, rate) in enumerate(leaders):
        assert all(s != schedule or abs(math.log(r / rate)) > math.log(1.5) for s, r in leaders[:k])
    assert len(found) == len({r.run.recipe for r in journal.records.values()})


def test_optuna_sees_the_finalists_as_complete_once_they_are_confirmed(url):
    store = Store.open(url)
    store.create_study(StudyRecord("s", "t", "t.py", "f", "loss", "minimize", EPOCHS))
    journal = Journal(store, "s", "loss", "minimize", Ledger(Budget(20), EPOCHS))
    study = Study(build_space(), "minimize", EPOCHS, 0)
    Search(study, journal, CurveCohort, EPOCHS, 0).run()
    (best, _), *_ = shortlist(journal, 1)
    study.mirror("s", url, {best: 0.123})
    told = optuna.load_study(study_name="s", storage=url)
    assert told.best_value == 0.123
    assert told.best_trial.user_attrs["recipe"] == str(best)


def test_costs_of_one_change_nothing(url, tmp_path):
    plain = hold_search(url, budget=30)
    charged = hold_search(f"sqlite:///{tmp_path}/other.db", budget=30, costs={"sgd": 1.0, "adamw": 1.0})
    assert walk(plain) == walk(charged)


@pytest.mark.parametrize("cost", [2.0, 6.0, 24.0])
@pytest.mark.parametrize("budget", [7, 20])
def test_a_search_of_dear_optimizers_stays_within_its_share(url, cost, budget):
    journal = hold_search(url, budget=budget, optimizers=("adamw", "muon", "sgd"), costs={"muon": cost})
    assert journal.ledger.search_runs <= budget - journal.ledger.budget.confirm_runs + 1e-9
    epochs = sum(r.epochs_done * (cost if r.run.recipe.optimizer == "muon" else 1)
                 for r in journal.of_purpose(Purpose.SEARCH))  # fmt: skip
    assert journal.ledger.search_runs == pytest.approx(epochs / EPOCHS)


def test_a_dear_optimizer_is_tried_less(url, tmp_path):
    def tried(place, costs):
        journal = hold_search(place, budget=60, optimizers=("adamw", "muon"), costs=costs)
        return sum(r.run.recipe.optimizer == "muon" for r in journal.of_purpose(Purpose.SEARCH))

    assert 0 < tried(url, {"muon": 6.0}) < tried(f"sqlite:///{tmp_path}/other.db", None)


def test_one_recipe_is_tried_though_nothing_is_affordable(url):
    journal = hold_search(url, budget=7, optimizers=("muon",), costs={"muon": 64.0})
    assert len(journal.of_purpose(Purpose.SEARCH)) == 1


def test_an_interrupted_search_of_dear_optimizers_carries_on_to_the_same_end(url, tmp_path):
    ways = {"budget": 30, "optimizers": ("adamw", "muon"), "costs": {"muon": 3.0}}
    whole = hold_search(f"sqlite:///{tmp_path}/whole.db", **ways)
    with pytest.raises(KeyboardInterrupt):
        hold_search(url, stop_after=30, **ways)
    assert walk(hold_search(url, **ways)) == walk(whole)
