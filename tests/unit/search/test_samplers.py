import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from autoopt.search.samplers import PortfolioSampler, neighbour


def objective(trial):
    x = trial.suggest_float("x", 1e-4, 1.0, log=True)
    kind = trial.suggest_categorical("kind", ["a", "b"])
    return abs(np.log10(x) + 2) + (kind == "b")


def run_study(sampler, n):
    study = optuna.create_study(sampler=sampler)
    for index in range(n):
        sampler.begin(index)
        trial = study.ask()
        study.tell(trial, objective(trial))
    return study


def test_the_portfolio_comes_first_and_in_order():
    study = run_study(PortfolioSampler([{"x": 0.5, "kind": "b"}, {"x": 0.25, "kind": "a"}], seed=1), 4)
    assert [t.params for t in study.trials[:2]] == [{"x": 0.5, "kind": "b"}, {"x": 0.25, "kind": "a"}]


def test_names_missing_in_the_portfolio_are_sampled():
    study = run_study(PortfolioSampler([{"kind": "a"}], seed=1), 1)
    assert 1e-4 <= study.trials[0].params["x"] <= 1.0


def test_equal_seeds_give_equal_studies_and_other_seeds_others():
    first, second, third = (
        run_study(PortfolioSampler([{"x": 0.5, "kind": "b"}], seed), 12) for seed in (3, 3, 4)
    )
    assert [t.params for t in first.trials] == [t.params for t in second.trials]
    assert [t.params for t in first.trials] != [t.params for t in third.trials]


def test_a_proposal_depends_on_its_index_and_history_but_not_on_a_restart():
    whole = run_study(PortfolioSampler([], seed=5), 9)
    resumed = optuna.create_study()
    resumed.add_trials(whole.trials[:8])
    resumed.sampler = sampler = PortfolioSampler([], seed=5)
    sampler.begin(8)
    trial = resumed.ask()
    objective(trial)
    assert trial.params == whole.trials[8].params


def test_it_closes_in_on_a_good_region():
    values = [run_study(PortfolioSampler([], seed), 40).best_value for seed in range(5)]
    assert np.median(values) < 0.1


def test_neighbours_stay_inside_their_distribution():
    random = np.random.default_rng(0)
    for _ in range(300):
        assert 1e-4 <= neighbour(2e-4, FloatDistribution(1e-4, 1.0, log=True), random) <= 1.0
        assert neighbour("a", CategoricalDistribution(["a", "b"]), random) in ("a", "b")
        stepped = neighbour(7, IntDistribution(1, 8), random)
        assert isinstance(stepped, int)
        assert 1 <= stepped <= 8
