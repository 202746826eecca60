import subprocess
import sys

import pytest
import torch

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.adam import rectified_share
from autoopt.catalogue.rate import (
    learning_rate,
    learning_rate_factor,
    paced,
    reference_settings,
    warmup_steps,
)
from autoopt.errors import SpaceError


@pytest.mark.parametrize(("share", "total", "steps"), [(0, 100, 0), (0.05, 100, 5), (0.1, 7, 1), (0.9, 1, 0)])
def test_the_warmup_is_a_rounded_share_of_all_steps_but_never_all_of_them(share, total, steps):
    assert warmup_steps({"warmup": share}, total) == steps


def test_without_a_warmup_setting_there_is_none():
    assert warmup_steps({}, 100) == 0


def test_the_warmup_climbs_in_equal_steps_to_the_full_rate():
    factors = [learning_rate_factor("constant", {"warmup": 0.3}, step, 10) for step in range(10)]
    assert factors == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1])


def test_a_linear_decay_would_reach_zero_one_step_after_the_last():
    assert learning_rate_factor("linear", {}, 9, 10) == pytest.approx(0.1)


def test_a_step_decay_drops_at_equal_distances():
    settings = {"pieces": 3, "gamma": 0.1}
    factors = [learning_rate_factor("step", settings, step, 9) for step in range(9)]
    assert factors == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01])


def test_an_exponential_decay_heads_for_its_final_fraction():
    assert learning_rate_factor("exponential", {"final_fraction": 0.01}, 50, 100) == pytest.approx(0.1)


def test_a_cosine_with_restarts_springs_back_to_the_full_rate():
    factors = [learning_rate_factor("cosine_restarts", {"cycles": 2}, step, 10) for step in range(10)]
    assert factors[:5] == factors[5:]
    assert factors[5] == 1


@pytest.mark.parametrize("rise", [0.0, 0.1, 0.3, 0.45])
@pytest.mark.parametrize("total", [1, 2, 3, 33, 997])
def test_one_cycle_has_the_rates_of_torch_s_own(rise, total):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=total, pct_start=rise, cycle_momentum=False
    )
    for step in range(total):
        ours = learning_rate_factor("one_cycle", {"rise": rise}, step, total)
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        scheduler.step()


def test_one_cycle_is_at_its_height_where_torch_would_divide_by_zero():
    assert learning_rate_factor("one_cycle", {"rise": 0.1}, 0, 10) == 1.0


def test_warmup_stable_decay_holds_and_then_falls_in_a_straight_line():
    factors = [learning_rate_factor("wsd", {"decay_share": 0.4}, step, 10) for step in range(10)]
    assert factors == pytest.approx([1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_a_multi_step_decay_drops_at_its_two_shares_in_whichever_order():
    settings = {"first_drop": 0.5, "second_drop": 0.75, "gamma": 0.1}
    swapped = {"first_drop": 0.75, "second_drop": 0.5, "gamma": 0.1}
    for each in (settings, swapped):
        factors = [learning_rate_factor("multi_step", each, step, 8) for step in range(8)]
        assert factors == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_an_inverse_square_root_has_lost_its_part_after_its_timescale():
    factor = learning_rate_factor("inverse_sqrt", {"timescale": 0.1}, 10, 100)
    assert factor == pytest.approx(2**-0.5)


@pytest.mark.parametrize("schedule", ["cosine", "cosine_restarts", "linear", "one_cycle", "wsd"])
def test_past_the_end_the_rate_stays_as_it_was(schedule):
    last = learning_rate_factor(schedule, {}, 19, 20)
    assert learning_rate_factor(schedule, {}, 20, 20) == learning_rate_factor(schedule, {}, 99, 20) == last


def test_an_unknown_schedule_is_refused_with_the_nearest_name():
    with pytest.raises(SpaceError, match="did you mean 'cosine'"):
        learning_rate_factor("cosin", {}, 0, 10)


def test_momentum_divides_the_rate_where_it_multiplies_the_steps():
    sgd = OPTIMIZERS["sgd"]
    plain = learning_rate(sgd, 1.0, {"momentum": 0.0})
    assert learning_rate(sgd, 1.0, {"momentum": 0.9}) == pytest.approx(plain / 10)
    assert learning_rate(sgd, 1.0, {}) == plain == sgd.hyperparameter("lr").reference


def test_betas_leave_the_rate_alone():
    adam = OPTIMIZERS["adam"]
    assert learning_rate(adam, 2.0, {"beta1": 0.5}) == 2 * adam.hyperparameter("lr").reference


def test_reference_settings_hold_a_rate_that_can_be_handed_over():
    settings = reference_settings(OPTIMIZERS["sgd"])
    assert settings["lr"] == pytest.approx(0.02)
    assert list(settings) == ["lr", "momentum", "nesterov", "weight_decay"]


def test_the_catalogue_imports_neither_torch_nor_optuna():
    code = "import sys, autoopt.catalogue.rate; print({'torch', 'optuna', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_radam_gets_a_higher_rate_for_a_short_training_than_what_its_length_alone_would_ask():
    long, short = (
        float(paced(OPTIMIZERS["radam"], times).hyperparameter("lr").reference) for times in (1.0, 16.0)
    )
    assert short / long == pytest.approx(16.0 / rectified_share(156))
    assert float(paced(OPTIMIZERS["adamw"], 16.0).hyperparameter("lr").reference) == pytest.approx(
        16.0 * 2e-3
    )


def test_the_share_of_radam_s_rate_is_that_of_its_steps():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.RAdam([parameter], lr=1.0, eps=0.0)
    moves = []
    for step in range(100):
        before = parameter.item()
        parameter.grad = torch.ones(1)
        optimizer.step()
        moves.append(before - parameter.item() if step >= 5 else 0.0)  # the first five are not adapted
    assert sum(moves) / 100 == pytest.approx(rectified_share(100), rel=1e-3)
