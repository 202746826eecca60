"""What holds for every schedule of the catalogue; a new entry is picked up without being named."""

import math
import random
from itertools import product

import pytest
import torch
from torch.optim import lr_scheduler

from autoopt.catalogue import OPTIMIZERS, SCHEDULES, WARMUP
from autoopt.catalogue.rate import followed_factor, learning_rate_factor, warmup_steps

every_schedule = pytest.mark.parametrize("entry", SCHEDULES.values(), ids=SCHEDULES)
FOLLOWING = {name: entry for name, entry in SCHEDULES.items() if entry.follow is not None}
IN_TORCH = {
    name: entry for name, entry in SCHEDULES.items() if entry.torch_form is not None and name not in FOLLOWING
}
TOTALS = [1, 2, 3, 5, 7, 10, 33, 100, 997]


def corners(entry):
    """All combinations of the ends and the references of a schedule's own settings."""
    own = [hyperparameter for hyperparameter in entry.hyperparameters if hyperparameter is not WARMUP]
    values = [(each.low, each.reference, each.high) for each in own]
    return [dict(zip([each.name for each in own], point, strict=True)) for point in product(*values)]


def rates_of_torch(entry, settings, total):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    warmup = warmup_steps(settings, total)
    name, arguments = entry.torch_form(total - warmup, settings)
    if warmup:
        rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
        main = getattr(lr_scheduler, name)(optimizer, **arguments)
        scheduler = lr_scheduler.SequentialLR(optimizer, [rise, main], milestones=[warmup])
    else:
        scheduler = getattr(lr_scheduler, name)(optimizer, **arguments)
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@every_schedule
def test_a_schedule_is_filed_under_its_own_name_and_says_what_it_is(entry):
    assert SCHEDULES[entry.name] is entry
    assert entry.title
    assert entry.says
    assert entry.references
    assert r"\eta_0" in entry.formula
    assert entry.formula.count("{") == entry.formula.count("}")


@every_schedule
def test_every_schedule_warms_up_and_every_range_holds_its_reference(entry):
    assert WARMUP in entry.hyperparameters or entry.factor(0, 100, {}) < 0.1
    for hyperparameter in entry.hyperparameters:
        assert hyperparameter.says, hyperparameter.name
        assert hyperparameter.low <= hyperparameter.reference <= hyperparameter.high


@pytest.mark.parametrize("entry", IN_TORCH.values(), ids=IN_TORCH)
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.2, 0.5])
@pytest.mark.parametrize("total", TOTALS)
def test_the_closed_form_equals_the_scheduler_of_torch(entry, total, warmup):
    for corner in corners(entry):
        settings = {**corner, "warmup": warmup}
        ours = [learning_rate_factor(entry.name, settings, step, total) for step in range(total)]
        assert ours == pytest.approx(rates_of_torch(entry, settings, total), abs=1e-12, rel=0), settings


@pytest.mark.parametrize("entry", FOLLOWING.values(), ids=FOLLOWING)
@pytest.mark.parametrize("seed", range(5))
def test_what_follows_the_validation_loss_equals_the_scheduler_of_torch(entry, seed):
    chance = random.Random(seed)
    losses = [max(0.99**epoch, 0.7) + chance.choice([0, 1e-5, 0.1]) * chance.random() for epoch in range(60)]
    for settings in corners(entry):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
        name, arguments = entry.torch_form(60, settings)
        scheduler = getattr(lr_scheduler, name)(optimizer, **arguments)
        for epoch in range(60):
            ours = followed_factor(entry.name, settings, losses[:epoch])
            assert ours == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12), (settings, epoch)
            optimizer.step()
            scheduler.step(losses[epoch])
        assert ours < 1
    assert all(followed_factor(name, {}, losses) == 1 for name in SCHEDULES if name not in FOLLOWING)


@every_schedule
@pytest.mark.parametrize("total", TOTALS)
def test_factors_are_finite_shares_of_the_full_rate_and_begin_above_zero(entry, total):
    for corner, warmup in product(corners(entry), [0.0, 0.1]):
        settings = {**corner, "warmup": warmup}
        factors = [learning_rate_factor(entry.name, settings, step, total) for step in range(total + 2)]
        assert all(math.isfinite(factor) and 0 <= factor <= 1 for factor in factors)
        assert factors[0] > 0


@every_schedule
def test_settings_that_are_not_given_take_their_reference_values(entry):
    reference = {
        hyperparameter.name: hyperparameter.reference
        for hyperparameter in entry.hyperparameters
        if hyperparameter is not WARMUP
    }
    assert [entry.factor(step, 30, {}) for step in range(30)] == [
        entry.factor(step, 30, reference) for step in range(30)
    ]


def test_no_setting_of_a_schedule_bears_the_name_of_an_optimizer_s():
    of_schedules = {each.name for entry in SCHEDULES.values() for each in entry.hyperparameters}
    of_optimizers = {each.name for entry in OPTIMIZERS.values() for each in entry.hyperparameters}
    assert not of_schedules & of_optimizers
