import pytest

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.errors import SpaceError


def test_a_setting_that_an_optimizer_lacks_is_refused_with_those_it_has():
    with pytest.raises(SpaceError, match=r"AdamW has no setting 'momentum'; it has: lr, weight_decay"):
        OPTIMIZERS["adamw"].hyperparameter("momentum")


def test_a_setting_that_a_schedule_lacks_is_refused_with_those_it_has():
    with pytest.raises(SpaceError, match=r"Cosine annealing has no setting 'gamma'; it has: warmup"):
        SCHEDULES["cosine"].hyperparameter("gamma")


def test_nesterov_is_handed_over_only_together_with_momentum():
    arguments = OPTIMIZERS["sgd"].arguments
    assert arguments({"lr": 0.1, "momentum": 0.0, "nesterov": True}) == {"lr": 0.1, "momentum": 0.0}
    assert arguments({"lr": 0.1, "nesterov": True}) == {"lr": 0.1}
    assert arguments({"momentum": 0.9, "nesterov": True}) == {"momentum": 0.9, "nesterov": True}


def test_one_beta_alone_leaves_the_other_at_its_default():
    assert OPTIMIZERS["adam"].arguments({"beta2": 0.98}) == {"betas": (0.9, 0.98)}
    assert OPTIMIZERS["adam"].arguments({"beta1": 0.8}) == {"betas": (0.8, 0.999)}


@pytest.mark.parametrize("name", ["nadam", "radam"])
def test_nadam_and_radam_always_decay_apart_from_the_gradient(name):
    assert OPTIMIZERS[name].arguments({})["decoupled_weight_decay"] is True


def test_sgd_is_the_simplest_of_all():
    assert min(OPTIMIZERS.values(), key=lambda entry: entry.rank).name == "sgd"


@pytest.mark.parametrize("name", ["nadam", "radam"])
def test_beside_each_decoupled_decay_stands_the_l2_penalty_of_the_same_optimizer(name):
    both = OPTIMIZERS[name], OPTIMIZERS[f"{name}_l2"]
    assert both[0].target == both[1].target
    assert "decoupled_weight_decay" not in both[1].arguments({"weight_decay": 0.1})
    decays = [entry.hyperparameter("weight_decay") for entry in both]
    assert decays[0].high > 10 * decays[1].high
    assert r"L(\theta_{t-1}) + \lambda" in both[1].formula
    assert r"\eta \lambda" not in both[1].formula


def test_soap_leaves_sides_of_more_than_two_thousand_as_they_are():
    assert OPTIMIZERS["soap"].arguments({})["max_precondition_dim"] == 2048
