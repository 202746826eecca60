"""Importance: what the scores depend on comes first, whichever way it is judged."""

import math

import numpy as np
import pytest

from autoopt.search.importance import importance


@pytest.fixture
def trials():
    """Sixty trials whose scores depend on the rate alone, and one without a score."""
    random = np.random.default_rng(0)
    settings = [{"rate": float(10 ** random.uniform(-4, 0)), "schedule": str(random.choice(["cosine", "linear"])),
                 "luck": float(random.random()), "same": 1.0} for _ in range(61)]  # fmt: skip
    scores = [(math.log10(row["rate"]) + 2) ** 2 for row in settings]
    return settings, [*scores[:-1], math.nan]


@pytest.mark.parametrize("method", ["PED-ANOVA", "fANOVA"])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_what_the_scores_depend_on_comes_first(trials, method, direction):
    settings, scores = trials
    shares = importance(
        settings, [-s for s in scores] if direction == "maximize" else scores, direction, method
    )
    assert next(iter(shares)) == "rate"
    assert sum(shares.values()) == pytest.approx(1)
    assert set(shares) == {"rate", "schedule", "luck"}


def test_too_few_trials_say_nothing(trials):
    settings, scores = trials
    assert importance(settings[:5], scores[:5], "minimize") == {}


def test_equal_scores_say_nothing(trials):
    assert importance(trials[0], [1.0] * 61, "minimize") == {}
