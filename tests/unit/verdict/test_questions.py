"""What the runs of a study say on rules of practice and remedy."""

from typing import get_args

import numpy as np
import pytest

from autoopt.guidance.load import load_rules
from autoopt.guidance.rule import Question
from autoopt.run import RunState
from autoopt.verdict.questions import QUESTIONS
from autoopt.verdict.studied import StudiedRuns
from tests.unit.verdict.studies import MadeStudy


def asked(question, study):
    return QUESTIONS[question](StudiedRuns(study.records, study.reports, "loss", "minimize", study.epochs))


def noisy():
    return MadeStudy().confirm("rmsprop", scores=[0.49, 0.50, 0.51])


def test_every_question_of_the_rules_has_an_answer_and_every_answer_a_rule():
    assert set(QUESTIONS) == set(get_args(Question)) == {r.tested_by for r in load_rules() if r.tested_by}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_study_without_runs_says_why_it_cannot_answer(question):
    assert isinstance(asked(question, MadeStudy()), str)


def searched(decides):
    """Thirty trials whose score follows from one thing alone."""
    draw = np.random.default_rng(0)
    study = MadeStudy()
    for _ in range(30):
        rate, decay = 10 ** draw.uniform(-4, -1), 10 ** draw.uniform(-6, -2)
        optimizer = str(draw.choice(["adam", "rmsprop"]))
        score = abs(np.log10(rate) + 2.5) if decides == "rate" else decay * 1e3 + (optimizer == "adam")
        study.add(optimizer, float(rate), [float(score)], weight_decay=float(decay))
    return study


def test_the_rate_matters_most_where_it_decides_and_not_where_something_else_does():
    assert asked("rate_matters_most", searched("rate")).low > 0
    assert asked("rate_matters_most", searched("decay")).high < 0


def test_too_few_trials_do_not_tell_what_matters():
    assert "too few" in asked("rate_matters_most", MadeStudy().add().add())


def test_choosing_pays_where_the_best_optimizer_is_ahead_of_the_middle_one():
    study = noisy().add("adam", scores=[0.1]).add("sgd", scores=[0.5]).add("lion", scores=[0.6])
    assert asked("choice_pays", study).low > 0

    level = noisy().add("adam", scores=[0.5]).add("sgd", scores=[0.5]).add("lion", scores=[0.5])
    assert asked("choice_pays", level).low < 0 < asked("choice_pays", level).high


def test_a_decaying_rate_is_judged_in_full_trainings_only():
    study = noisy().add(scores=[0.2]).add(scores=[0.1], schedule="cosine")
    assert not asked("decay_beats_constant", study).telling

    study.add(scores=[0.3] * 9).add(scores=[0.1] * 9, schedule="cosine")
    found = asked("decay_beats_constant", study)
    assert (found.telling, found.middle) == (True, pytest.approx(0.2))


def test_batch_sizes_are_compared_if_they_were_searched():
    assert "--tune-batch-size" in asked("batch_size_in_range", MadeStudy().add(batch_size=64))
    study = noisy().add(batch_size=64, scores=[0.2]).add(batch_size=16, scores=[0.6])
    assert asked("batch_size_in_range", study).low > 0
    assert "lie on one side" in asked(
        "batch_size_in_range", MadeStudy().add(batch_size=64).add(batch_size=32)
    )


def test_clipping_is_compared_optimizer_by_optimizer():
    study = MadeStudy()
    for optimizer, level in (("adam", 0.0), ("sgd", 5.0)):
        for k in range(4):
            study.add(optimizer, scores=[level + 0.1 + k / 100], clip_norm=1.0)
            study.add(optimizer, scores=[level + 0.5 + k / 100])

    found = asked("clipping_helps", study)

    assert (found.low, found.middle, found.high) == (1.0, 1.0, 1.0)
    assert (
        found.figures
        == "clipped against not clipped: better in 100% [100%, 100%] of pairs after 1 of 9 epochs"
    )
    assert "--tune-clip" in asked("clipping_helps", MadeStudy().add())


def test_momentum_is_asked_of_sgd_alone():
    study = MadeStudy().add("adam", scores=[9.0])
    for k in range(4):
        study.add("sgd", scores=[0.1 + k / 100], momentum=0.9).add(
            "sgd", scores=[0.5 + k / 100], momentum=0.1
        )

    assert asked("momentum_helps", study).low > 0


def rates():
    """Adam at rates from 1e-5 to 1, best at 1e-3."""
    study = MadeStudy()
    for exponent in np.linspace(-5, 0, 16):
        study.add(lr=float(10**exponent), scores=[0.1 + abs(float(exponent) + 3.0)])
    return study


@pytest.mark.parametrize("question", ["low_rates_are_slow", "high_rates_are_worse"])
def test_rates_far_from_the_best_do_worse_on_either_side(question):
    assert asked(question, rates()).low > 0


def test_a_single_trial_far_off_leaves_it_open():
    study = MadeStudy().add(lr=1e-3, scores=[0.1]).add(lr=2e-3, scores=[0.2]).add(lr=1.0, scores=[0.9])
    found = asked("high_rates_are_worse", study)
    assert found.middle == 1.0
    assert "(a single trial)" in found.figures


def test_divergence_at_high_rates_speaks_for_lowering_them():
    study = MadeStudy()
    for k in range(4):
        study.add(lr=1e-3 * (k + 1)).add(lr=0.1 * (k + 1), scores=[9.0], state=RunState.DIVERGED)

    assert asked("divergence_comes_of_high_rates", study).low > 0
    assert asked("divergence_comes_of_high_rates", MadeStudy().add()) == "no trial diverged"


def test_stopping_early_is_judged_on_seeds_that_did_not_choose_the_epoch():
    study = MadeStudy(epochs=4)
    for seed in (1, 2, 3):
        study.add("adam", 1e-3, [0.5, 0.2, 0.3, 0.4 + seed / 100], purpose="confirm", seed=seed)

    found = asked("stopping_early_gains", study)

    assert found.middle == pytest.approx(0.22)
    assert found.low > 0


def test_where_the_end_is_the_best_there_is_nothing_to_stop():
    assert asked("stopping_early_gains", noisy()) == "no confirmed recipe was past its best at the end"
