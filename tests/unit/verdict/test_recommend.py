import math

import numpy as np
import pytest

from autoopt.errors import StudyFailed
from autoopt.recipe import Recipe
from autoopt.search.budget import race
from autoopt.verdict.confirm import Confirmation, drop_behind
from autoopt.verdict.recommend import recommend
from autoopt.verdict.recommendation import Reason, Spent
from autoopt.verdict.simplicity import simplicity
from autoopt.verdict.statistics import Interval

BASELINE = Recipe("adamw", {"lr": 1e-3}, decay_all=True)
SGD = Recipe("sgd", {"lr": 0.1})
ADAM = Recipe("adam", {"lr": 0.01})
NADAM = Recipe("nadam", {"lr": 0.01})


def confirmed(recipe, *scores, failed=(), searched=None):
    """Scores on seeds 1, 2, …; failures on the seeds named."""
    return Confirmation(
        recipe, dict(enumerate(scores, 1)), search_score=searched, failures=dict.fromkeys(failed, "boom")
    )


def judge(*finalists, baseline, direction="minimize", costs=None):
    return recommend(
        study="s", task="t", objective="loss", direction=direction, finalists=finalists, baseline=baseline,
        reasons=[Reason("why", "D3", "agrees")], spent=Spent(20.0, 9.0, 60.0), versions={"torch": "2"},
        epochs=5, costs=costs,
    )  # fmt: skip


def test_the_best_mean_wins_and_its_gain_is_shown():
    answer = judge(
        confirmed(ADAM, 0.20, 0.21, 0.19), confirmed(SGD, 0.30, 0.31, 0.30),
        baseline=confirmed(BASELINE, 0.40, 0.40, 0.41),
    )  # fmt: skip
    assert answer.recipe == ADAM
    assert answer.verdict == "better"
    assert answer.gain.middle == pytest.approx(0.61 / 3)
    assert answer.gain.low > 0
    assert answer.relative_gain.middle == pytest.approx(0.61 / 1.21)
    assert answer.chance_best > 0.99
    assert [other.recipe for other in answer.runners_up] == [SGD]
    assert [note.split(" takes")[0] for note in answer.notes] == ["To know the gain twice as exactly"]


def test_what_was_handed_in_is_handed_on():
    answer = judge(confirmed(ADAM, 0.2, 0.2), baseline=confirmed(BASELINE, 0.3, 0.3))
    assert answer.reasons == (Reason("why", "D3", "agrees"),)
    assert (answer.spent, answer.versions, answer.epochs) == (Spent(20.0, 9.0, 60.0), {"torch": "2"}, 5)


def test_more_is_better_where_the_direction_says_so():
    answer = judge(
        confirmed(ADAM, 0.90, 0.91, 0.90), confirmed(SGD, 0.70, 0.71, 0.69),
        baseline=confirmed(BASELINE, 0.80, 0.80, 0.81), direction="maximize",
    )  # fmt: skip
    assert (answer.recipe, answer.verdict) == (ADAM, "better")
    assert answer.gain.middle > 0


def test_the_simpler_one_wins_within_one_standard_error():
    answer = judge(
        confirmed(NADAM, 0.20, 0.24, 0.19), confirmed(SGD, 0.23, 0.20, 0.21),
        baseline=confirmed(BASELINE, 0.40, 0.41, 0.40),
    )  # fmt: skip
    assert answer.recipe == SGD
    assert answer.verdict == "better"
    assert "simpler and cheaper" in answer.notes[0]


def test_a_clearly_worse_mean_does_not_win_by_being_simple():
    """Seeds are few, so the difference is not significant; but it is more than one standard error."""
    answer = judge(
        confirmed(NADAM, 0.20, 0.21, 0.19), confirmed(SGD, 0.20, 0.24, 0.22),
        baseline=confirmed(BASELINE, 0.40, 0.41, 0.40),
    )  # fmt: skip
    assert answer.recipe == NADAM


def test_simplicity_never_costs_the_gain():
    """SGD ties with NAdam, but its mean is worse than the baseline's."""
    answer = judge(
        confirmed(NADAM, 0.20, 0.30, 0.10), confirmed(SGD, 0.10, 0.20, 0.33),
        baseline=confirmed(BASELINE, 0.30, 0.11, 0.205),
    )  # fmt: skip
    assert answer.recipe == NADAM
    assert answer.verdict == "tie"


def test_a_noisy_finalist_does_not_make_the_others_tie():
    answer = judge(
        confirmed(NADAM, 0.100, 0.101, 0.099), confirmed(SGD, 0.120, 0.121, 0.119),
        confirmed(ADAM, 0.5, 9.0, 3.0),
        baseline=confirmed(BASELINE, 0.40, 0.41, 0.40),
    )  # fmt: skip
    assert answer.recipe == NADAM


def test_an_unproven_gain_is_recommended_as_a_tie_with_what_it_would_take():
    answer = judge(confirmed(SGD, 0.30, 0.24, 0.31), baseline=confirmed(BASELINE, 0.32, 0.33, 0.30))
    assert (answer.recipe, answer.verdict) == (SGD, "tie")
    assert answer.gain.low < 0 < answer.gain.middle
    assert "Not shown to be better than the baseline" in answer.notes[0]
    assert "more seeds" in answer.notes[0]


@pytest.mark.parametrize("scores", [(0.40, 0.41, 0.42), (0.31, 0.29, 0.33), (0.30, 0.30, 0.31)])
def test_the_baseline_is_recommended_where_nothing_beats_it(scores):
    answer = judge(confirmed(SGD, *scores), baseline=confirmed(BASELINE, 0.30, 0.30, 0.31))
    assert (answer.recipe, answer.verdict) == (BASELINE, "tie")
    assert answer.gain == answer.relative_gain == Interval(0.0, 0.0, 0.0)
    assert "Nothing beat the baseline" in answer.notes[0]
    assert [other.recipe for other in answer.runners_up] == [SGD]


def test_the_chance_of_a_chosen_baseline_is_that_among_all():
    answer = judge(confirmed(SGD, 0.4, 0.4, 0.41), baseline=confirmed(BASELINE, 0.30, 0.30, 0.31))
    assert 0.99 < answer.chance_best <= 1


def test_without_finalists_the_baseline_is_the_answer():
    answer = judge(baseline=confirmed(BASELINE, 0.3, 0.2))
    assert (answer.recipe, answer.verdict, answer.chance_best) == (BASELINE, "tie", 1.0)


def test_a_finalist_with_the_baselines_recipe_is_the_baseline():
    answer = judge(confirmed(BASELINE, 0.1, 0.2), baseline=confirmed(BASELINE, 0.3, 0.2))
    assert answer.recipe == BASELINE
    assert answer.runners_up == ()


@pytest.mark.parametrize("worst", [math.nan, math.inf, -math.inf])
def test_a_finalist_that_diverged_once_gives_way_to_one_that_did_not(worst):
    answer = judge(
        confirmed(ADAM, 0.10, 0.10, worst), confirmed(SGD, 0.30, 0.31, 0.30),
        baseline=confirmed(BASELINE, 0.40, 0.40, 0.41),
    )  # fmt: skip
    assert (answer.recipe, answer.verdict) == (SGD, "better")
    assert any("failed on 1 of 3 seeds" in note for note in answer.notes)


def test_a_baseline_that_never_fails_beats_finalists_that_do():
    answer = judge(confirmed(SGD, 0.1, 0.1, failed=[3]), baseline=confirmed(BASELINE, 0.4, 0.4, 0.4))
    assert (answer.recipe, answer.verdict) == (BASELINE, "tie")
    assert "every finalist failed on some seed" in answer.notes[0]


def test_a_finalist_that_never_fails_beats_a_baseline_that_does():
    answer = judge(confirmed(SGD, 0.5, 0.5, 0.5), baseline=confirmed(BASELINE, 0.4, 0.4, failed=[3]))
    assert (answer.recipe, answer.verdict) == (SGD, "tie")
    assert "The baseline was better" in answer.notes[0]


@pytest.mark.parametrize(("seeds", "verdict"), [(3, "better"), (2, "tie")])
def test_a_baseline_that_fails_on_every_seed_is_beaten_given_enough_seeds(seeds, verdict):
    baseline = confirmed(BASELINE, failed=range(1, seeds + 1))
    answer = judge(confirmed(SGD, *[0.5] * seeds), baseline=baseline)
    assert (answer.recipe, answer.verdict, answer.gain) == (SGD, verdict, None)


def test_when_every_run_failed_the_first_cause_is_told():
    with pytest.raises(StudyFailed, match="boom"):
        judge(confirmed(SGD, failed=[1], searched=0.1), baseline=confirmed(BASELINE, failed=[1]))


def test_one_seed_is_compared_but_proves_nothing():
    answer = judge(
        confirmed(NADAM, 0.1), confirmed(SGD, 0.2), baseline=confirmed(BASELINE, 0.5)
    )  # fmt: skip
    assert (answer.recipe, answer.verdict, answer.chance_best) == (NADAM, "tie", 0.5)
    assert answer.gain == Interval(-math.inf, 0.4, math.inf)
    assert "one seed tells nothing" in answer.notes[0]


def test_an_interrupted_confirmation_is_compared_on_the_seeds_in_common():
    answer = judge(
        confirmed(ADAM, 0.20, 0.21),
        confirmed(SGD, 0.30, 0.31),
        baseline=confirmed(BASELINE, 0.40, 0.41, 0.05),
    )
    assert answer.recipe == ADAM
    assert answer.gain.middle == pytest.approx(0.2)


def test_the_finalist_with_more_seeds_wins_over_one_cut_short():
    answer = judge(
        confirmed(ADAM, 0.10), confirmed(SGD, 0.30, 0.31), baseline=confirmed(BASELINE, 0.40, 0.41)
    )
    assert answer.recipe == SGD


def test_without_any_confirmation_the_search_decides_and_the_notes_say_so():
    answer = judge(
        confirmed(ADAM, searched=0.2), confirmed(SGD, searched=0.1), baseline=Confirmation(BASELINE)
    )
    assert (answer.recipe, answer.verdict, answer.gain, answer.chance_best) == (SGD, "tie", None, 0.5)
    assert "Not confirmed" in answer.notes[0]


def test_without_any_confirmation_a_baseline_that_searched_better_wins():
    answer = judge(confirmed(ADAM, searched=0.2), baseline=confirmed(BASELINE, searched=0.1))
    assert answer.recipe == BASELINE


def test_all_tied_gives_the_simplest_that_beats_the_baseline():
    same = (0.2, 0.2, 0.2)
    answer = judge(
        confirmed(NADAM, *same), confirmed(SGD, *same), confirmed(ADAM, *same),
        baseline=confirmed(BASELINE, 0.3, 0.3, 0.3),
    )  # fmt: skip
    assert (answer.recipe, answer.verdict) == (SGD, "better")
    assert answer.chance_best == pytest.approx(1 / 3)


@pytest.mark.parametrize("scores", [(-0.2, -0.3, -0.25), (0.0, 0.1, 0.2), (1e308, 1e308, -1e308)])
def test_odd_numbers_give_finite_answers(scores):
    answer = judge(confirmed(SGD, *scores), baseline=confirmed(BASELINE, *reversed(scores)))
    assert answer.gain.bounded
    assert answer.relative_gain is None
    assert 0 <= answer.chance_best <= 1


def test_the_order_of_finalists_does_not_matter():
    finalists = [confirmed(NADAM, 0.2, 0.24), confirmed(SGD, 0.23, 0.2), confirmed(ADAM, 0.22, 0.21)]
    baseline = confirmed(BASELINE, 0.4, 0.4)
    assert judge(*finalists, baseline=baseline) == judge(*reversed(finalists), baseline=baseline)


@pytest.mark.parametrize(
    ("simple", "complicated"),
    [
        (SGD, ADAM),
        (SGD, Recipe("sgd", {"lr": 0.1}, clip_norm=1.0)),
        (SGD, Recipe("sgd", {"lr": 0.1}, schedule="cosine")),
        (Recipe("sgd", {"lr": 0.1}, schedule="linear"), Recipe("sgd", {"lr": 0.1}, clip_norm=1.0)),
        (Recipe("sgd", {"lr": 3.0, "momentum": 0.9}), Recipe("sgd", {"lr": 0.2, "momentum": 0.7})),
        (SGD, Recipe("unheard_of", {"lr": 0.1}, schedule="unheard_of")),
    ],
)
def test_simplicity_follows_its_order(simple, complicated):
    assert simplicity(simple) < simplicity(complicated)


def test_means_that_differ_little_are_told_apart_in_the_note():
    near = Recipe("nadam", {"lr": 0.02})
    answer = judge(
        confirmed(near, 0.12491, 0.12591, 0.12391), confirmed(SGD, 0.12496, 0.12586, 0.12401),
        baseline=confirmed(BASELINE, 0.40, 0.40, 0.41),
    )  # fmt: skip
    assert answer.recipe == SGD
    assert "0.12491 against 0.12494" in answer.notes[0]


@pytest.mark.parametrize(("finalists", "seeds"), [(7, 3), (3, 3)])
def test_a_race_among_equals_claims_a_gain_in_fewer_than_one_study_in_twenty(finalists, seeds):
    random = np.random.default_rng(0)
    recipes = [Recipe("sgd", {"lr": 0.1 + k / 100}) for k in range(finalists)]
    studies, claims = 400, 0
    for _ in range(studies):
        scores = {recipe: random.normal(10, 1, seeds) for recipe in recipes}
        met = {recipe: Confirmation(recipe) for recipe in recipes}
        going = recipes
        for k, places in enumerate(race(finalists, seeds)):
            going = drop_behind([met[recipe] for recipe in going], places, "minimize")
            met |= {r: Confirmation(r, dict(enumerate(scores[r][: k + 1]))) for r in going}
        baseline = Confirmation(BASELINE, dict(enumerate(random.normal(10, 1, seeds))))
        claims += judge(*met.values(), baseline=baseline).verdict == "better"
    assert claims / studies < 0.05


def test_who_dropped_out_early_keeps_its_chance_to_be_the_best():
    lucky, unlucky = Confirmation(SGD, {1: 0.30, 2: 0.32, 3: 0.31}), Confirmation(ADAM, {1: 0.305})
    found = judge(lucky, unlucky, baseline=Confirmation(BASELINE, {1: 0.5, 2: 0.5, 3: 0.51}))
    assert found.recipe == SGD
    assert 0.5 < found.chance_best < 0.9


def test_of_finalists_that_tie_the_one_whose_trainings_cost_less_is_taken():
    fields = [confirmed(SGD, 0.200, 0.210, 0.190), confirmed(ADAM, 0.201, 0.209, 0.192)]
    baseline = confirmed(BASELINE, 0.4, 0.4, 0.41)
    assert judge(*fields, baseline=baseline).recipe == SGD
    assert judge(*fields, baseline=baseline, costs={"sgd": 3.0}).recipe == ADAM


def test_a_winner_that_costs_more_says_how_much():
    answer = judge(confirmed(SGD, 0.2, 0.2, 0.19), baseline=confirmed(BASELINE, 0.4, 0.4, 0.41),
                   costs={"sgd": 3.0, "adam": 2.0})  # fmt: skip
    assert any(note.startswith("SGD takes about 3 times as long as AdamW") for note in answer.notes)
    assert answer.costs == {"sgd": 3.0, "adam": 2.0}
    cheap = judge(confirmed(SGD, 0.2, 0.2, 0.19), baseline=confirmed(BASELINE, 0.4, 0.4, 0.41),
                  costs={"adam": 2.0})  # fmt: skip
    assert not any("times as long" in note for note in cheap.notes)
