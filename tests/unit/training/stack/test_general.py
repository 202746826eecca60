import random

import numpy as np
import pytest
import torch

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import reference_settings
from autoopt.training.stack.general import FIELDS, FORMS, GeneralUpdate, general_step, numbers

STEPS = 40
COVERED = {name: entry for name, entry in OPTIMIZERS.items() if entry.rule in FORMS}


def settings_of(entry, kind):
    if kind == "rate alone":
        return {"lr": 0.01}
    chance = random.Random(entry.name)
    betas = {h.name: chance.uniform(0.5, 0.99) for h in entry.hyperparameters if h.name.startswith("beta")}
    decay = {"weight_decay": 0.1} if "weight_decay" in reference_settings(entry) else {}
    return {**reference_settings(entry), **betas, **decay, "lr": 0.01}


@pytest.mark.parametrize("kind", ["rate alone", "with decay"])
@pytest.mark.parametrize("entry", COVERED.values(), ids=COVERED)
def test_the_general_update_equals_the_rule(entry, kind):
    torch.manual_seed(0)
    settings, rates = settings_of(entry, kind), [0.01 * (1 - step / STEPS) for step in range(STEPS)]
    start, gradients = torch.randn(7, dtype=torch.float64), torch.randn(STEPS, 7, dtype=torch.float64)
    half = STEPS // 2  # an epoch ends there
    table = np.concatenate([numbers(entry.rule, settings, rates[:half], 1),
                            numbers(entry.rule, settings, rates[half:], half + 1)])  # fmt: skip
    p, m, v = start.clone()[None], torch.zeros(1, 7).double(), torch.zeros(1, 7).double()
    update = GeneralUpdate(p, m, v, 7, np.stack([table, table], axis=2)[:, :, None])
    other = start[None], torch.zeros(1, 7).double(), torch.zeros(1, 7).double()
    theirs, state = start, entry.rule.init(start, settings)
    for step, gradient in enumerate(gradients, 1):
        now = {**settings, "lr": rates[step - 1]}
        theirs, state = entry.rule.step(theirs, gradient, state, now, step)
        update.step(gradient[None].clone())
        row = {name: torch.tensor([[table[step - 1, k]]]) for k, name in enumerate(FIELDS)}
        other = general_step(other[0], gradient[None], other[1], other[2], row)
        torch.testing.assert_close(p[0], theirs, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(other[0][0], theirs, rtol=1e-12, atol=1e-12)


def test_weights_that_do_not_decay_keep_apart():
    rule = OPTIMIZERS["adamw"].rule
    tables = [numbers(rule, {"lr": 0.1, "weight_decay": decay}, [0.1], 1) for decay in (0.5, 0.0)]
    p = torch.ones(1, 4)
    GeneralUpdate(p, torch.zeros(1, 4), torch.zeros(1, 4), 3, np.stack(tables, axis=2)[:, :, None]).step(
        torch.zeros(1, 4)
    )
    assert p.tolist()[0] == pytest.approx([0.95, 0.95, 0.95, 1.0])


def test_rates_at_zero_gradients_stay_finite():
    tables = [np.stack([numbers(rule, {"lr": 1.0}, [1.0], 1)] * 2, axis=2) for rule in FORMS]
    p = torch.ones(len(tables), 3)
    state = torch.zeros_like(p), torch.zeros_like(p)
    GeneralUpdate(p, *state, 3, np.stack(tables, axis=2)).step(torch.zeros_like(p))
    assert torch.isfinite(p).all()
