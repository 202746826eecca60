import pytest

from autoopt.finals import Finals
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.run import Purpose, RunState
from autoopt.search import journal as journal_module
from autoopt.search.budget import Budget, Ledger, race
from autoopt.search.journal import Journal
from autoopt.search.loop import Search, shortlist
from autoopt.search.study import Study
from autoopt.space.build import build_space
from autoopt.space.written import BASELINE
from autoopt.subject import Subject
from autoopt.training.replay import replay_cohort
from tests.unit.search.curves import CurveCohort

EPOCHS = 18
SEED = 0


@pytest.fixture(autouse=True)
def every_report_is_saved_at_once(monkeypatch):
    monkeypatch.setattr(journal_module, "PAUSE_SECONDS", 0.0)


def _budget(given):
    return given if isinstance(given, Budget) else Budget(given)


def hold(url, budget, stop_after=None, costs=None, tell=None, **cohort):
    """A search and its finals; with ``stop_after`` an interruption comes after so many reports."""
    store = Store.open(url)
    if store.study("s") is None:
        store.create_study(StudyRecord("s", "t", "t.py", "f", "loss", "minimize", EPOCHS))
    reports = 0

    def watch(progress):
        nonlocal reports
        reports += 1
        if reports == stop_after:
            raise KeyboardInterrupt

    journal = Journal(
        store, "s", "loss", "minimize", Ledger(_budget(budget), EPOCHS, costs=costs or {}), watch
    )
    subject = Subject("t", "t.py", "f", "loss", "minimize", EPOCHS, start=lambda new: CurveCohort(new, **cohort),
                      profile=lambda: None)  # fmt: skip
    start = lambda runs: replay_cohort(runs, journal.recorded, subject.start)  # noqa: E731
    study = Study(build_space(optimizers=("sgd", "adamw", "rmsprop")), "minimize", EPOCHS, SEED, costs=costs,
                  room=journal.ledger.left_for_search)  # fmt: skip
    finals = Finals(subject, BASELINE, journal, start, last_seed=100, tell=tell)
    finals.begin()
    Search(study, journal, start, EPOCHS, SEED).run()
    finals.hold(study)
    return finals, journal


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"


def test_few_finalists_are_the_best_of_the_search(url):
    finals, journal = hold(url, budget=20)
    assert finals.finalists == shortlist(journal, 7)


def test_of_many_finalists_some_are_picked_after_complete_trainings(url):
    finals, journal = hold(url, budget=40)
    best = [recipe for recipe, _ in shortlist(journal, 16)]
    picked = [recipe for recipe, _ in finals.finalists]
    assert picked[:11] == best[:11]
    assert len(set(picked)) == 16
    assert picked != best


def test_what_the_search_never_saw_has_no_score_of_it(url):
    finals, journal = hold(url, budget=40)
    seen = {record.run.recipe for record in journal.of_purpose(Purpose.SEARCH)}
    unseen = [recipe for recipe, score in finals.finalists if score is None]
    assert unseen
    assert not seen & set(unseen)


def test_the_finals_cost_what_the_budget_says(url):
    finals, journal = hold(url, budget=40)
    assert len(finals.runs) == sum(race(16, 5)) + 5 == journal.ledger.budget.confirm_runs


@pytest.mark.parametrize("stop_after", [150, 300, 500, 650])
def test_an_interrupted_study_comes_to_the_same_finalists(tmp_path, stop_after):
    whole, _ = hold(f"sqlite:///{tmp_path}/whole.db", budget=40)
    url = f"sqlite:///{tmp_path}/parts.db"
    with pytest.raises(KeyboardInterrupt):
        hold(url, budget=40, stop_after=stop_after)
    again, _ = hold(url, budget=40)
    assert again.finalists == whole.finalists
    assert [(r.run, r.score) for r in again.runs] == [(r.run, r.score) for r in whole.runs]


def test_a_confirmation_for_which_the_time_does_not_suffice_is_cut_short(url, monkeypatch):
    monkeypatch.setattr(
        Journal, "is_out_of_time", lambda journal, _: len(journal.of_purpose(Purpose.CONFIRM)) > 7
    )
    finals, _ = hold(url, budget=20)
    assert finals.cut_short


def test_a_confirmation_that_was_done_is_not_cut_short(url):
    finals, _ = hold(url, budget=20)
    assert not finals.cut_short


def test_a_finalist_that_diverges_on_a_fresh_seed_is_no_end(url):
    finals, _ = hold(url, budget=40, spoil=lambda run: run.seed == 101 and run.id % 2 == 0)
    states = {record.state for record in finals.runs}
    assert RunState.DIVERGED in states
    assert len(finals.finalists) == 16


@pytest.mark.parametrize("budget", [7, 12, 20, 40])
@pytest.mark.parametrize("cost", [2.0, 6.0])
def test_dear_finalists_stay_within_the_budget(url, budget, cost):
    _, journal = hold(url, budget=budget, costs={"sgd": cost})
    assert journal.ledger.search_runs + journal.ledger.confirm_runs <= budget + 1e-9


def test_costs_of_one_confirm_the_same(url, tmp_path):
    plain, _ = hold(url, budget=40)
    charged, _ = hold(f"sqlite:///{tmp_path}/other.db", budget=40, costs={"sgd": 1.0})
    assert plain.finalists == charged.finalists


@pytest.mark.parametrize("budget", [7, 20, 30, 40])
def test_what_is_told_ahead_is_trained_and_nothing_else_than_without(tmp_path, budget):
    told = []
    plain, _ = hold(f"sqlite:///{tmp_path}/plain.db", budget)
    finals, _ = hold(f"sqlite:///{tmp_path}/told.db", budget, tell=told.extend)
    assert {record.run for record in finals.runs} >= set(told)
    assert all(record.state is RunState.FINISHED for record in finals.runs)
    trained = [[(r.run.recipe, r.run.seed, r.score) for r in each.runs] for each in (finals, plain)]
    assert trained[0] == trained[1]
    assert {run.seed for run in told if run.recipe == BASELINE} == {r.run.seed for r in finals.runs}
    assert any(run.recipe != BASELINE for run in told) == (budget >= 25)


@pytest.mark.parametrize(
    "budget", [Budget(20, seconds=1000.0), Budget(6)], ids=["a time-out", "no comparison"]
)
def test_nothing_is_told_ahead_where_it_may_be_in_vain(url, budget):
    told = []
    hold(url, budget, tell=told.extend)
    assert told == []
