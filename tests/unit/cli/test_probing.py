from types import SimpleNamespace

import pytest

from autoopt.cli.probing import Probed, tell_gradients
from autoopt.recipe import Recipe
from autoopt.tasks.gradient_noise import GradientFacts
from autoopt.training.range_test import RangeTest

RECIPE = Recipe("adamw", {"lr": 1e-3})


@pytest.mark.parametrize(
    ("best", "careful", "suggested"),
    [(0.03, False, 0.03), (1e-4, False, 1e-4), (None, False, 1e-3), (0.03, True, 1e-3), (1e-4, True, 1e-4)],
)
def test_the_probe_decides_but_never_raises_the_rate_of_loaded_weights(best, careful, suggested):
    assert Probed(RECIPE, RangeTest(best=best), careful).suggested == suggested


def test_noise_beyond_measure_is_said_in_words():
    task = SimpleNamespace(train=SimpleNamespace(fixed_batch_size=None), batch_size=32)
    told = [
        tell_gradients(GradientFacts(noise, 1.0, zeros, zeros / 2, 16), task)
        for noise, zeros in ((float("inf"), 0.0), (1234.5, 0.4), (0.2, 0.0))
    ]
    assert told[0] == (
        "gradient noise scale larger than can be measured (batch 32), 0% of the weights get no gradient in a batch"
    )
    assert told[1].startswith("gradient noise scale about 1,234 rows (batch 32), 40% of the weights")
    assert told[1].endswith("20% in some batches only")
    assert told[2].startswith("gradient noise scale below one row")
