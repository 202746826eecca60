import math
import warnings

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from autoopt.search import samplers
from autoopt.search.candidates import Candidate
from autoopt.search.samplers import Sampler


@pytest.fixture(autouse=True)
def _quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


BEST = {"a": 1e-3, "b": 0.3}


def suggest_all(trial):
    """Two kinds with a best rate each; ``b`` has a momentum that ``a`` lacks, and is better by a little."""
    kind = trial.suggest_categorical("kind", ["a", "b"])
    rate = trial.suggest_float("rate", 1e-2, 1e2, log=True)
    miss = abs(math.log10(rate * 3 / (BEST[kind] * 10)) + math.log10(BEST[kind] / 0.1)) / 4
    if kind == "b":
        miss += (trial.suggest_float("b.momentum", 0.0, 1.0) - 0.7) ** 2 - 0.05
    return miss


def run_study(sampler, n, direction="minimize"):
    sign = 1 if direction == "minimize" else -1
    study = optuna.create_study(sampler=sampler, direction=direction)
    for _ in range(n):
        trial = study.ask()
        study.tell(trial, sign * suggest_all(trial))
    return study


FIRST = [{"kind": "a", "rate": 1.0}, {"kind": "b", "rate": 1.0, "b.momentum": 0.5}]


def test_the_portfolio_comes_first_and_in_order():
    study = run_study(Sampler(1, first=FIRST, main="kind"), 3)
    assert [t.params for t in study.trials[:2]] == FIRST


def test_names_missing_in_the_portfolio_are_drawn():
    study = run_study(Sampler(1, first=[{"kind": "a"}], main="kind"), 1)
    assert 1e-2 <= study.trials[0].params["rate"] <= 1e2


def test_equal_seeds_give_equal_studies_and_other_seeds_others():
    first, second, third = (run_study(Sampler(seed, first=FIRST, main="kind"), 12) for seed in (3, 3, 4))
    assert [t.params for t in first.trials] == [t.params for t in second.trials]
    assert [t.params for t in first.trials] != [t.params for t in third.trials]


def test_a_proposal_depends_on_the_trials_and_not_on_a_restart():
    whole = run_study(Sampler(5, first=FIRST, main="kind"), 13)
    resumed = optuna.create_study(sampler=Sampler(5, first=FIRST, main="kind"))
    resumed.add_trials(whole.trials[:12])
    trial = resumed.ask()
    suggest_all(trial)
    assert trial.params == whole.trials[12].params


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_it_finds_the_better_kind_and_its_optimum(direction):
    for seed in range(3):
        study = run_study(Sampler(seed, main="kind"), 40, direction)
        assert study.best_params["kind"] == "b"
        assert abs(study.best_value) > 0.03


def test_trials_asked_for_at_once_differ():
    study = run_study(Sampler(2, first=FIRST, main="kind"), 12)
    trials = [study.ask() for _ in range(6)]
    for trial in trials:
        suggest_all(trial)
    assert len({tuple(sorted(trial.params.items())) for trial in trials}) == 6


def test_a_short_look_counts_as_one():
    """Pruned trials say something, and what they say is compared with looks of the same length only."""
    sampler = Sampler(0, main="kind", longest=9)
    study = optuna.create_study(sampler=sampler)
    for number in range(30):
        trial = study.ask()
        loss = suggest_all(trial)
        trial.report(loss + 1.0, 1)  # everything looks worse early on
        if number % 3:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, loss)
    later = [study.ask() for _ in range(5)]
    losses = [suggest_all(trial) for trial in later]
    assert np.median(losses) < np.median([t.intermediate_values[1] - 1.0 for t in study.trials[:8]])


def test_it_keeps_away_from_where_trials_fail():
    study = optuna.create_study(sampler=Sampler(0, main=None))
    states = []
    for _ in range(40):
        trial = study.ask()
        x = trial.suggest_float("x", 0.0, 1.0)  # better and better up to the edge
        failed = x > 0.6
        study.tell(trial, None if failed else 1 - x, state=TrialState.FAIL if failed else TrialState.COMPLETE)
        states.append(failed)
    assert sum(states[-15:]) <= 8
    assert study.best_value < 0.5


def test_values_that_are_not_possible_here_are_drawn():
    study = optuna.create_study(sampler=Sampler(1, first=[{"x": 5.0, "kind": "z"}]))
    trial = study.ask()
    assert 0 <= trial.suggest_float("x", 0, 1) <= 1
    assert trial.suggest_categorical("kind", ["a", "b"]) in ("a", "b")


def test_it_works_beside_whole_numbers_steps_and_constants():
    study = optuna.create_study(sampler=Sampler(1, main=None))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(14):
            trial = study.ask()
            n = trial.suggest_int("n", 4, 64, step=4)
            m = trial.suggest_int("m", 1, 1000, log=True)
            one = trial.suggest_float("one", 2.0, 2.0)
            quarter = trial.suggest_float("quarter", 0.0, 1.0, step=0.25)
            assert n % 4 == 0
            assert one == 2.0
            assert quarter in (0.0, 0.25, 0.5, 0.75, 1.0)
            study.tell(trial, n / 64 + abs(math.log(m / 30)) + quarter)


def test_a_parameter_that_appears_late_is_no_trouble():
    study = optuna.create_study(sampler=Sampler(1, main=None))
    for number in range(20):
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        if number > 10:
            x += trial.suggest_float("y", 0, 1)
        study.tell(trial, x)
    assert study.best_value < 0.2


def test_proposals_keep_apart_from_what_was_tried_but_for_one_in_five():
    def likeness(apart):
        study = optuna.create_study(sampler=Sampler(0, main=None, apart=apart))
        for _ in range(24):
            trial = study.ask()
            study.tell(trial, (trial.suggest_float("x", 0.0, 1.0) - 0.4) ** 2)
        places = [trial.params["x"] for trial in study.trials]
        return [min(abs(x - other) for other in places[:k]) for k, x in enumerate(places) if k][12:]

    assert sum(gap < 0.005 for gap in likeness(0.0)) > sum(gap < 0.005 for gap in likeness(1e-3))


def test_a_program_that_knows_what_belongs_together_completes_proposals():
    def complete(values, random):
        return Candidate({**values, "x": 0.25}, {"x": FloatDistribution(0.0, 1.0)})

    study = optuna.create_study(sampler=Sampler(0, main=None, complete=complete))
    for _ in range(12):
        trial = study.ask()
        study.tell(trial, trial.suggest_float("x", 0.0, 1.0))
    assert study.trials[-1].params["x"] != 0.25  # it was tried once, so it is not proposed again
    assert any(trial.params["x"] == 0.25 for trial in study.trials)


def test_of_many_trials_proposals_keep_apart_from_the_latest_and_the_best():
    rates = np.exp(np.random.default_rng(0).uniform(np.log(1e-2), np.log(1e2), samplers.MANY + 20))
    study = optuna.create_study(sampler=Sampler(1, main=None))
    kind = {"rate": FloatDistribution(1e-2, 1e2, log=True)}
    study.add_trials([
        optuna.trial.create_trial(params={"rate": float(rate)}, distributions=kind, value=abs(math.log(rate)))
        for rate in rates
    ])  # fmt: skip
    for _ in range(6):
        trial = study.ask()
        tried = {other.params["rate"] for other in study.trials[:-1]}
        assert trial.suggest_float("rate", 1e-2, 1e2, log=True) not in tried
        study.tell(trial, 1.0)


def test_what_a_choice_costs_divides_what_is_expected_of_it():
    def kinds(costs):
        study = run_study(Sampler(2, first=FIRST, main="kind", costs=costs), 24)
        return [trial.params["kind"] for trial in study.trials].count("b")

    assert kinds({"b": 1.0}) == kinds(None)
    assert kinds({"b": 50.0}) < kinds(None)


def test_a_proposal_costs_no_more_than_it_may():
    sampler = Sampler(2, first=FIRST, main="kind", costs={"b": 4.0})
    study = run_study(sampler, 12)
    assert all(sampler.propose(study, 3.0)[0]["kind"] == "a" for _ in range(20))
