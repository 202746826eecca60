import contextlib
import itertools
import pickle
from dataclasses import replace

import numpy as np
import optuna
import pytest
import torch
from torch import nn

import autoopt
from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.errors import BudgetError, SpaceError, StudyFailed, StudyMismatch, UsageError
from autoopt.records.margin import Margin
from autoopt.records.store import Store
from autoopt.run import Purpose, RunState
from autoopt.search import journal as journal_module
from autoopt.tasks.make import make_task
from autoopt.training import checkpoints as checkpoints_module
from autoopt.training import plan as plan_module
from autoopt.training.plan import Plan
from autoopt.tuning import resume

EPOCHS = 3
ROWS = 48


def make_data(seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(ROWS, 3)).astype(np.float32)
    return X, (X @ np.array([1.0, -2.0, 0.5], dtype=np.float32))[:, None]


def make_model():
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))


def line_task(model=make_model, **changes):
    return make_task(model=model, train_data=make_data(), val_data=make_data(1), epochs=EPOCHS, batch_size=16,
                     name="line", **changes)  # fmt: skip


@pytest.fixture(autouse=True)
def what_is_written_down_depends_on_no_clock(monkeypatch):
    monkeypatch.setattr(journal_module, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints_module, "perf_counter", lambda: 0.0)


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "autoopt.db")


def fast_tune(task=None, **arguments):
    return autoopt.tune(task or line_task(), **{"budget": 8, "optimizers": ["sgd", "adam"], **arguments})


def same(first, second):
    left, right = first.to_dict(), second.to_dict()
    for document in (left, right):
        document["spent"].pop("seconds")
        document.pop("pareto", None)  # of seconds as well
        for figures in document["audit"]["comparison"]["optimizers"]:
            for name in ("seconds_to_target", "seconds_epoch", "seconds_step"):
                figures.pop(name)
    return left == right


def test_what_each_sitting_may_spend_is_written_down(url):
    for budget in (7, 9):
        fast_tune(storage=url, budget=budget)
    with Store.open(url, readonly=True) as store:
        sitting = Margin(store).sitting("line")
        trained = sum(record.epochs_done for record in store.runs("line"))
    assert sitting.budget == {"runs": 9, "seconds": None, "trials": None, "seeds": None}
    assert 0 < sitting.epochs_before < trained


def test_tune_recommends_something_better_than_a_poor_baseline():
    recommendation = fast_tune(baseline="sgd lr=1e-5", budget=12)
    assert recommendation.verdict == "better"
    assert recommendation.gain.low > 0
    assert recommendation.recipe.optimizer in ("sgd", "adam")
    assert recommendation.recipe.batch_size == 16


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ("sparse_adam lr=1e-3", "no sparse gradients, which the baseline sparse_adam cannot use"),
        ("lion lr=1e-3", r"Lion lives in not_installed_here.*pip install 'autoopt\[optimizers\]'"),
    ],
)
def test_a_baseline_that_cannot_be_trained_is_refused_at_once(baseline, message, monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "lion", replace(OPTIMIZERS["lion"], target="not_installed_here:Lion"))
    with pytest.raises(SpaceError, match=message):
        fast_tune(baseline=baseline)


def test_a_study_of_all_optimizers_keeps_their_names(url, monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "lion", replace(OPTIMIZERS["lion"], target="not_installed_here:Lion"))
    fast_tune(optimizers="all", schedules="all", trials=2, storage=url)
    options = Store.open(url).study("line").options
    once = [name for name in OPTIMIZERS if name != "lion" and not name.startswith("lookahead_")]
    assert options["optimizers"] == once
    assert options["schedules"] == list(SCHEDULES)


def test_the_confirmation_uses_seeds_that_the_search_never_used(url):
    recommendation = fast_tune(storage=url)
    records = Store.open(url).runs("line")
    searched = {r.run.seed for r in records if r.run.purpose is Purpose.SEARCH}
    assert set(recommendation.chosen.scores) == set(recommendation.baseline.scores)
    assert len(recommendation.chosen.scores) >= 3
    assert not searched & set(recommendation.chosen.scores)


@pytest.mark.parametrize("budget", [7, 10.5, 16])
def test_search_and_confirmation_stay_within_the_budget(budget):
    spent = fast_tune(budget=budget).spent
    assert spent.search_runs > 0
    assert spent.search_runs + spent.confirm_runs <= budget


def test_equal_seeds_give_equal_verdicts():
    assert same(fast_tune(seed=3), fast_tune(seed=3))


def test_it_is_silent_and_leaves_random_states_alone(capfd):
    torch.manual_seed(1)
    np.random.seed(1)
    before = (torch.random.get_rng_state(), np.random.get_state()[1].tolist(), optuna.logging.get_verbosity())
    fast_tune()
    after = (torch.random.get_rng_state(), np.random.get_state()[1].tolist(), optuna.logging.get_verbosity())
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("after", [1, 3, 6, 11, 14])
def test_an_interrupted_study_carries_on_to_the_same_verdict(url, after):
    seen = 0

    def interrupt(_):
        nonlocal seen
        seen += 1
        if seen == after:
            raise KeyboardInterrupt

    try:
        assert fast_tune(storage=url, watch=interrupt).interrupted
        assert Store.open(url).study("line").state == "interrupted"
    except KeyboardInterrupt:
        assert not any(r.state is RunState.FINISHED for r in Store.open(url).runs("line"))
    assert same(fast_tune(storage=url), fast_tune())
    assert Store.open(url).study("line").state == "done"


def _after(calls):
    """Interrupt a study at that call of its watcher."""
    numbers = itertools.count(1)

    def watch(_):
        if next(numbers) == calls:
            raise KeyboardInterrupt

    return watch


def _count_batches(batches):
    def counting():
        model = make_model()
        model.register_forward_pre_hook(lambda model, _: batches.append(1) if model.training else None)
        return model

    return line_task(counting)


def _epochs(url):
    return sum(map(len, Store.open(url).reports("line").values()))


@pytest.mark.parametrize("after", [6, 9, 13])
def test_no_epoch_is_trained_twice_where_runs_have_checkpoints(url, tmp_path, after):
    whole, rest, other = [], [], str(tmp_path / "other.db")
    fast_tune(_count_batches(whole), storage=other)
    with contextlib.suppress(KeyboardInterrupt):
        fast_tune(storage=url, watch=_after(after))
    before = _epochs(url)
    files = list(tmp_path.glob("autoopt.db.checkpoints/line-*/run-*.pt"))
    assert same(fast_tune(_count_batches(rest), storage=url), fast_tune())
    assert files
    saved = len(whole) - len(rest) - before * ROWS // 16
    assert saved in (0, 1)  # the batch of the profile, where that was kept too
    assert not list(tmp_path.glob("*.checkpoints"))


def test_checkpoints_lie_where_one_wants_them_or_nowhere(url, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    for folder in (str(elsewhere), "none"):
        with contextlib.suppress(KeyboardInterrupt):
            fast_tune(storage=url, watch=_after(9), checkpoints=folder, study=folder[-4:])
    assert list(elsewhere.glob("here-*/run-*.pt"))
    assert {path.name.split("-")[0] for path in tmp_path.iterdir()} <= {"autoopt.db", "elsewhere"}


def test_a_limit_of_nothing_is_refused(url):
    with pytest.raises(UsageError, match="the checkpoint limit is 0 GB: it must be above 0"):
        fast_tune(storage=url, checkpoint_limit=0)


@pytest.mark.parametrize("after", [1, 6, 11])
def test_an_interrupted_study_of_stacked_runs_does_too(url, after):
    def interrupt(_):
        nonlocal after
        after -= 1
        if after == 0:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        assert fast_tune(storage=url, watch=interrupt, stacked="always").interrupted
    assert same(fast_tune(storage=url, stacked="always"), fast_tune(stacked="always"))


def test_how_runs_are_trained_is_decided_once_for_a_study(url, monkeypatch):
    decided = []

    def choose(*_, **how):
        decided.append(how)
        return Plan(3, "three are enough")

    monkeypatch.setattr(plan_module, "choose_plan", choose)
    fast_tune(storage=url, stacked="auto")
    fast_tune(storage=url, stacked="auto", budget=10)
    assert decided == [{"timed": True}]
    assert Plan.from_dict(Store.open(url).study("line").options["plan"]) == Plan(3, "three are enough")
    with pytest.raises(StudyMismatch, match="stacked='auto', now it is 'never'"):
        fast_tune(storage=url)


def test_stacked_runs_find_what_runs_by_themselves_find():
    stacked, alone = fast_tune(stacked="always"), fast_tune()
    assert stacked.recipe == alone.recipe
    for seed, score in alone.chosen.scores.items():
        assert stacked.chosen.scores[seed] == pytest.approx(score, rel=1e-3)


def test_a_finished_study_is_not_trained_again(url):
    task, trained = line_task(), 0

    def counted(model, batch):
        nonlocal trained
        trained += 1
        return task.batch_loss(model, batch)

    counting = replace(task, batch_loss=counted)
    first = fast_tune(counting, storage=url)
    before = trained
    assert same(first, fast_tune(counting, storage=url))
    assert trained == before > 0


def test_a_larger_budget_extends_a_study_and_keeps_its_runs(url):
    fast_tune(storage=url)
    before = {r.run.id: r for r in Store.open(url).runs("line")}
    recommendation = fast_tune(storage=url, budget=16)
    after = {r.run.id: r for r in Store.open(url).runs("line")}
    assert before.items() <= after.items()
    assert len(after) > len(before)
    assert recommendation.spent.search_runs > 2


def test_another_task_under_the_same_name_is_refused_with_the_way_out(url):
    fast_tune(storage=url)
    other = line_task(model=lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)))
    with pytest.raises(StudyMismatch, match="--new"):
        fast_tune(other, storage=url)
    assert fast_tune(other, storage=url, new=True).study == "line-2"
    assert {s.study.name for s in Store.open(url).studies()} == {"line", "line-2"}


def test_other_options_are_another_study(url):
    fast_tune(storage=url)
    with pytest.raises(StudyMismatch, match="seed=0, now it is 1"):
        fast_tune(storage=url, seed=1)


def test_another_precision_is_another_study_and_the_verdict_names_it(url):
    found = fast_tune(budget=7, storage=url, precision="bf16", accumulate=2)
    assert any("in bf16 (autocast)" in note for note in found.notes)
    assert any("gradients of 2 batches" in note for note in found.notes)
    with pytest.raises(StudyMismatch, match=r"made with precision='bf16', now it is None"):
        fast_tune(budget=7, storage=url, accumulate=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "half"}, "unknown precision 'half'"),
        ({"accumulate": 0}, "accumulate is 0: it must be at least 1"),
    ],
)
def test_a_precision_or_accumulation_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        fast_tune(**options)


def test_narrowing_and_fixing_hold_in_every_trial(url):
    fast_tune(storage=url, optimizers=["adam"], schedules=["cosine"], fixed={"lr": 1e-2, "beta1": 0.8})
    recipes = [r.run.recipe for r in Store.open(url).runs("line") if r.run.purpose is Purpose.SEARCH]
    assert {r.optimizer for r in recipes} == {"adam"}
    assert {r.schedule for r in recipes} == {"cosine"}
    assert {(r.settings["lr"], r.settings["beta1"]) for r in recipes} == {(1e-2, 0.8)}


def test_batch_size_and_clipping_are_searched_on_request(url):
    fast_tune(storage=url, tune_batch_size=True, tune_clip=True, budget=20)
    recipes = [r.run.recipe for r in Store.open(url).runs("line") if r.run.purpose is Purpose.SEARCH]
    assert len({r.batch_size for r in recipes}) > 1
    assert len({(r.clip_norm, r.clip_value) for r in recipes}) > 1


def test_the_number_of_trials_is_bounded(url):
    fast_tune(storage=url, trials=3, budget=20)
    assert sum(r.run.purpose is Purpose.SEARCH for r in Store.open(url).runs("line")) == 3


class Moody(nn.Module):
    """Raises in training on its third batch, when told so."""

    def __init__(self, moody):
        super().__init__()
        self.inner, self.moody, self.batches = nn.Linear(3, 1), moody, 0

    def forward(self, x):
        self.batches += self.training
        if self.moody and self.batches > 2:
            raise ValueError("bad mood")
        return self.inner(x)


def test_when_every_run_fails_the_study_stops_early_and_shows_the_cause(url):
    with pytest.raises(StudyFailed, match="bad mood"):
        fast_tune(line_task(model=lambda: Moody(True)), storage=url)
    records = Store.open(url).runs("line")
    assert {r.state for r in records} == {RunState.FAILED}
    assert len(records) == 6
    assert "bad mood" in records[0].note
    assert Store.open(url).study("line").state == "failed"


def test_a_run_that_fails_is_recorded_and_the_study_goes_on(url):
    made = 0

    def model():
        nonlocal made
        made += 1
        return Moody(made % 4 == 0)

    recommendation = fast_tune(line_task(model=model), storage=url, budget=12)
    states = [r.state for r in Store.open(url).runs("line")]
    assert RunState.FAILED in states
    assert RunState.FINISHED in states
    assert recommendation.chosen.scores


def test_optuna_opens_the_study(url):
    fast_tune(storage=url)
    study = optuna.load_study(study_name="line", storage=f"sqlite:///{url}")
    assert {"optimizer", "schedule", "lr_relative"} <= set(study.trials[0].params)
    assert study.best_value > 0


def test_a_study_is_resumed_by_name_only_with_its_source(url):
    fast_tune(storage=url)
    with pytest.raises(autoopt.AutooptError, match="Python objects"):
        resume("line", storage=url)


def test_the_recommendation_pickles_and_builds_plain_torch():
    recommendation = pickle.loads(pickle.dumps(fast_tune()))
    model = make_model()
    optimizer = recommendation.make_optimizer(model)
    scheduler = recommendation.make_scheduler(optimizer, 30)
    assert isinstance(optimizer, torch.optim.Optimizer)
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"seed": -1}, UsageError), ({"seed": 2**32}, UsageError), ({"stacked": "sometimes"}, UsageError), ({"budget": 0}, BudgetError), ({"optimizers": ["adamv"]}, SpaceError), ({"fixed": {"learning": 1}}, SpaceError),
     ({"baseline": "nothing lr=1"}, SpaceError), ({"timeout": -1}, BudgetError)],
)  # fmt: skip
def test_bad_arguments_are_refused_before_anything_is_written(url, arguments, error, tmp_path):
    with pytest.raises(error):
        fast_tune(storage=url, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_timeout_ends_in_a_recommendation(url, monkeypatch):
    clock = itertools.count(step=0.02)  # every look at it takes a fiftieth of a second
    monkeypatch.setattr("autoopt.search.budget.monotonic", lambda: next(clock))
    recommendation = fast_tune(storage=url, budget=1000, timeout=10.0)
    assert recommendation.spent.seconds < 20
    assert recommendation.spent.search_runs + recommendation.spent.confirm_runs < 900
    assert recommendation.recipe.optimizer in ("sgd", "adam", "adamw")


TASK_FILE = """
import torch
from torch import nn

epochs, train_data = 3, (torch.arange(40.0).reshape(20, 2) / 40, torch.arange(20.0)[:, None] / 20)


def model():
    return nn.Linear(2, 1)
"""


def test_a_study_is_resumed_from_any_folder_with_its_baseline(tmp_path, url, monkeypatch):
    (tmp_path / "task.py").write_text(TASK_FILE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    first = fast_tune("task.py", storage=url, baseline="sgd lr=0.05")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert same(resume("task", 8, storage=url), first)


def test_resume_offers_the_nearest_name(url):
    fast_tune(storage=url)
    with pytest.raises(StudyMismatch, match=r"did you mean 'line'\?"):
        resume("lime", storage=url)
