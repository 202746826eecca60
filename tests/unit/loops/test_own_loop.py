"""A study of a training loop of one's own, from tune() to the verdict."""

import contextlib
import random
import signal
import threading

import numpy as np
import pytest
import torch
from torch import nn

import autoopt
from autoopt.errors import (
    AutooptWarning,
    LoopError,
    SpaceError,
    StudyFailed,
    StudyMismatch,
    TaskError,
    UsageError,
)
from autoopt.records.store import Store
from autoopt.run import Purpose, RunState
from tests.unit.loops.examples import data, epoch, evaluate, train, tune

_EARLIER: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def _remember_threads_of_other_tests():
    _EARLIER.clear()
    _EARLIER.update(threading.enumerate())


def threads_left():
    return [t for t in threading.enumerate() if t.name.startswith("autoopt") and t not in _EARLIER]


def same(first, second):
    left, right = first.to_dict(), second.to_dict()
    for document in (left, right):
        document["spent"].pop("seconds")
        document.pop("pareto", None)  # of seconds as well
        for figures in document["audit"]["comparison"]["optimizers"]:
            for name in ("seconds_to_target", "seconds_epoch", "seconds_step"):
                figures.pop(name)
    return left == right


def with_extras(trial):
    width = trial.suggest_int("width", 2, 8, default=4)
    slope = trial.suggest_float("slope", 1e-3, 1e-1, log=True)
    act = trial.suggest_categorical("act", ["relu", "tanh"])
    nonlinear = nn.LeakyReLU(slope) if act == "relu" else nn.Tanh()
    run(trial, nn.Sequential(nn.Linear(3, width), nonlinear, nn.Linear(width, 1)))


def run(trial, model):
    X, y = data()
    batches = list(zip(X.split(trial.batch_size), y.split(trial.batch_size), strict=True))
    optimizer, scheduler = trial.optimizer(model, total_steps=trial.epochs * len(batches))
    for _ in range(trial.epochs):
        epoch(trial, model, optimizer, scheduler, batches)
        loss = evaluate(model)
        trial.report(loss, accuracy=1 / (1 + loss), test=2 * loss)


def test_a_loop_gets_a_verdict_as_a_task_does():
    recommendation = tune(baseline="sgd lr=1e-5", budget=12)
    assert recommendation.verdict == "better"
    assert recommendation.study == "train"
    assert recommendation.audit.profile["n_parameters"] == 4
    assert len(recommendation.chosen.scores) == 3
    assert recommendation.recipe.batch_size is None


def test_runs_are_stopped_early_and_nothing_stays_behind(tmp_path):
    tune(budget=12, storage=str(tmp_path / "a.db"))
    states = {r.state for r in Store.open(str(tmp_path / "a.db")).runs("train")}
    assert states == {RunState.STOPPED, RunState.FINISHED}
    assert not threads_left()


def test_it_is_silent_and_leaves_random_states_alone(capfd):
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), float(torch.rand(()))
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    tune()
    assert (random.random(), np.random.rand(), float(torch.rand(()))) == expected
    assert capfd.readouterr() == ("", "")


def test_equal_seeds_give_equal_verdicts_whatever_the_caller_draws():
    first = tune(with_extras, seed=3)
    torch.manual_seed(99)
    assert same(tune(with_extras, seed=3), first)


@pytest.mark.parametrize("after", [1, 4, 9, 13])
def test_an_interrupted_study_carries_on_to_the_same_verdict(tmp_path, after, monkeypatch):
    monkeypatch.setattr("autoopt.search.journal.PAUSE_SECONDS", 0.0)
    seen, url = 0, str(tmp_path / "a.db")

    def interrupt(_):
        nonlocal seen
        seen += 1
        if seen == after:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        assert tune(storage=url, watch=interrupt).interrupted
    assert not threads_left()
    assert same(tune(storage=url), tune())


def test_an_interruption_in_mid_epoch_ends_the_loop_at_once():
    ends = []

    def interrupted(trial):
        try:
            if trial.number == 2:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                while True:  # an epoch that would take for ever
                    sum(range(100))
            train(trial)
        finally:
            ends.append(trial.number)

    with pytest.raises(KeyboardInterrupt):
        tune(interrupted)
    assert set(ends) == {-1, 0, 1, 2}
    assert not threads_left()


def test_hyperparameters_of_the_loop_are_searched_confirmed_and_told(tmp_path):
    url = str(tmp_path / "a.db")
    recommendation = tune(with_extras, budget=16, batch_size=16, storage=url)
    runs = [r.run for r in Store.open(url).runs("with_extras")]
    searched = {tuple(run.recipe.extras.items()) for run in runs if run.purpose is Purpose.SEARCH}
    assert len(searched) > 2
    assert recommendation.baseline.recipe.extras == {"width": 4, "slope": 0.01, "act": "relu"}
    assert set(recommendation.recipe.extras) == {"width", "slope", "act"}
    assert f"width {recommendation.recipe.extras['width']}" in str(recommendation)
    assert autoopt.Recommendation.load(recommendation.to_dict()) == recommendation


def test_a_hyperparameter_of_the_loop_can_be_fixed():
    assert tune(with_extras, fixed={"width": 3}).recipe.extras["width"] == 3


def test_batch_size_and_clipping_come_from_the_trial(tmp_path):
    url = str(tmp_path / "a.db")
    tune(with_extras, budget=20, batch_size=16, tune_batch_size=True, tune_clip=True, storage=url)
    recipes = [r.run.recipe for r in Store.open(url).runs("with_extras")]
    assert len({recipe.batch_size for recipe in recipes}) > 1
    assert any(recipe.clip_norm or recipe.clip_value for recipe in recipes)


def test_metrics_that_are_not_searched_are_kept(tmp_path):
    url = str(tmp_path / "a.db")
    tune(with_extras, storage=url)
    reports = [each for reports in Store.open(url).reports("with_extras").values() for each in reports]
    assert all(report.metrics == {"accuracy": 1 / (1 + report.valid_loss)} for report in reports)
    assert "accuracy" in autoopt.load_study(storage=url).epochs_frame()


def test_a_metric_beside_the_loss_can_be_searched():
    recommendation = tune(with_extras, metric="accuracy")
    assert (recommendation.objective, recommendation.direction) == ("accuracy", "maximize")
    assert all(0 < score <= 1 for score in recommendation.chosen.scores.values())
    assert len(recommendation.chosen.test_scores) == 3


def test_a_run_that_fails_does_not_fail_the_study(tmp_path):
    def picky(trial):
        if trial.number == 1:
            raise ValueError("no memory for this one")
        train(trial)

    tune(picky, storage=str(tmp_path / "a.db"))
    failed = [r for r in Store.open(str(tmp_path / "a.db")).runs("picky") if r.state is RunState.FAILED]
    assert len(failed) == 1
    assert failed[0].note.startswith("ValueError: no memory for this one (test_own_loop.py, line ")


def test_a_study_whose_runs_all_fail_says_the_first_cause():
    def broken(trial):
        trial.optimizer(nn.Linear(3, 1), total_steps=3)
        raise ValueError(f"run {trial.number}")

    with pytest.raises(StudyFailed, match="ValueError: run 0"):
        tune(broken)


def test_a_loop_that_stops_early_by_itself_keeps_what_it_reached():
    def impatient(trial):
        model = nn.Linear(3, 1)
        optimizer, scheduler = trial.optimizer(model, total_steps=trial.epochs * 3)
        for number in range(trial.epochs):
            if number == 2:
                return
            X, y = data()
            epoch(trial, model, optimizer, scheduler, [(X, y)] * 3)
            trial.report(evaluate(model))

    assert tune(impatient).chosen.scores


def test_a_loop_of_one_epoch_may_return_its_score():
    def objective(trial):
        model = nn.Linear(3, 1)
        optimizer, scheduler = trial.optimizer(model, total_steps=3)
        X, y = data()
        epoch(trial, model, optimizer, scheduler, [(X, y)] * 3)
        return evaluate(model)

    assert tune(objective, epochs=1).chosen.scores


def test_another_loop_under_the_same_name_is_refused(tmp_path):
    url = str(tmp_path / "a.db")
    tune(storage=url)
    with pytest.raises(StudyMismatch, match="the task has changed"):
        tune(with_extras, storage=url, study="train")


def test_a_schedule_that_follows_the_loss_is_stepped_like_any_other():
    assert tune(schedules=["plateau"]).recipe.schedule == "plateau"


def test_optimizers_that_a_loop_cannot_train_are_refused():
    with pytest.raises(
        SpaceError, match="lbfgs looks at the whole training set at every step, and a loop of your own"
    ):
        tune(optimizers=["lbfgs", "adam"])


def swallowing(trial):
    model = nn.Linear(3, 1)
    trial.optimizer(model, total_steps=9)
    for _ in range(trial.epochs):
        with contextlib.suppress(Exception):
            trial.report(float(trial.number))


def never_reports(trial):
    trial.optimizer(nn.Linear(3, 1), total_steps=9)


def reports(value):
    def loop(trial):
        trial.optimizer(nn.Linear(3, 1), total_steps=9)
        for _ in range(trial.epochs):
            trial.report(value)

    return loop


def other_steps(trial):
    trial.optimizer(nn.Linear(3, 1), total_steps=9 + trial.number)
    for _ in range(trial.epochs):
        trial.report(1.0)


def too_often(trial):
    trial.optimizer(nn.Linear(3, 1), total_steps=9)
    for _ in range(5):
        trial.report(1.0)


def too_rarely(trial):
    trial.optimizer(nn.Linear(3, 1), total_steps=9)
    trial.report(1.0)


def own_optimizer(trial):
    for _ in range(trial.epochs):
        trial.report(1.0)


def asks_late(trial):
    trial.optimizer(nn.Linear(3, 1), total_steps=9)
    trial.suggest_float("dropout", 0, 1)


def never_clips(trial):
    trial.optimizer(nn.Linear(3, 1), total_steps=9)
    trial.report(1.0)


def no_model(trial):
    trial.optimizer([nn.Linear(3, 1)], total_steps=9)


def no_steps(trial):
    trial.optimizer(nn.Linear(3, 1), total_steps=0)


def bad_range(trial):
    trial.suggest_float("dropout", 1, 0)


def reserved_name(trial):
    trial.suggest_float("lr_relative", 0, 1)


@pytest.mark.parametrize(
    ("loop", "arguments", "message"),
    [
        (never_reports, {}, r"returned nothing and never reported: call trial.report\(value\) after every epoch"),
        (reports("good"), {}, "trial.report needs a number, got str 'good'"),
        (reports(None), {}, "trial.report needs a number, got NoneType"),
        (reports(torch.ones(2)), {}, "trial.report needs a number, got Tensor"),
        (reports(1.0), {"metric": "accuracy"}, "'accuracy' is searched, and trial.report got no such metric"),
        (reports(1.0), {"metric": "joy"}, "whether more of 'joy' is better cannot be told: |add direction='maximize'"),
        (swallowing, {}, "the loop went on after autoopt.Stop"),
        (other_steps, {}, "total_steps is 10 now and was 9 before with the same settings"),
        (too_often, {}, "the loop reported 4 times, and a training has 3 epochs"),
        (too_rarely, {}, "without having read trial.epochs, which is 3"),
        (own_optimizer, {}, "the loop never asked for an optimizer"),
        (asks_late, {}, "asks for 'dropout', which it did not ask for when it was tried"),
        (never_clips, {"fixed": {"clip_norm": 1.0}}, "the recipe clips gradients, and the loop never does"),
        (no_model, {}, "trial.optimizer needs the model, a torch.nn.Module, got list"),
        (no_steps, {}, "trial.optimizer needs total_steps"),
        (bad_range, {}, "needs a low end below the high one"),
        (reserved_name, {}, "is a name that the search has for its own"),
        (lambda: None, {}, "a training loop takes one argument, the trial"),
        (train, {"epochs": 0}, "epochs is 0: it must be a whole number of at least 1"),
        (train, {"tune_batch_size": True}, "the loop never reads trial.batch_size"),
        (train, {"fixed": {"batch_size": 8}}, "the loop never reads trial.batch_size"),
        (train, {"direction": "up"}, "direction must be 'minimize' or 'maximize', got 'up'"),
    ],
)  # fmt: skip
def test_a_loop_that_no_study_can_work_with_is_refused_with_a_reason(loop, arguments, message):
    with pytest.raises(UsageError, match=message):
        tune(loop, **arguments)
    assert not threads_left()


def test_reporting_nan_is_a_divergence_and_all_nan_fails_the_study():
    with pytest.raises(StudyFailed, match="the loss diverged"):
        tune(reports(float("nan")))


def test_an_error_before_the_first_optimizer_is_the_users():
    def broken(trial):
        raise FileNotFoundError("no data")

    with pytest.raises(
        TaskError, match=r"trying the training loop: FileNotFoundError: no data \(test_own_loop.py"
    ):
        tune(broken)


def test_a_loop_that_swallows_everything_is_stopped_from_computing():
    went_on = []

    def deaf(trial):
        trial.optimizer(nn.Linear(3, 1), total_steps=9)
        for _ in range(trial.epochs):
            try:
                trial.report(float(trial.number))
            except BaseException:
                went_on.append(trial.number)

    with pytest.raises(LoopError, match=r"went on after autoopt\.Stop"):
        tune(deaf)
    assert len(went_on) == len(set(went_on)) * 2


def test_a_scheduler_that_is_stepped_once_an_epoch_is_noticed():
    def slowly(trial):
        model = nn.Linear(3, 1)
        optimizer, scheduler = trial.optimizer(model, total_steps=9)
        for _ in range(trial.epochs):
            for _ in range(3):
                optimizer.step()
            scheduler.step()
            trial.report(evaluate(model))

    with pytest.warns(AutooptWarning, match=r"scheduler.step\(\) was called 1 times in the first epoch"):
        tune(slowly)


def test_a_loop_may_tidy_up_when_it_is_stopped():
    tidied = []

    def tidy(trial):
        try:
            train(trial)
        except autoopt.Stop:
            tidied.append(trial.number)

    tune(tidy, budget=12)
    assert -1 in tidied  # the try-out
    assert len(tidied) > 1
