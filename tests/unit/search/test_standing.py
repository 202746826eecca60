import math

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from autoopt.search import standing
from autoopt.search.fidelity import rungs_of
from autoopt.search.standing import Known, level_scores, standings


def trial(values, state=TrialState.PRUNED, value=None, **attrs):
    return create_trial(state=state, value=value, intermediate_values=values, user_attrs=attrs)


def test_scores_are_told_apart_by_how_long_the_training_was():
    trials = [
        trial({2: 0.5, 6: 0.4}),
        trial({2: 0.6}),
        trial({2: 0.3, 6: 0.2, 18: 0.1}, TrialState.COMPLETE, 0.1),
    ]
    assert level_scores(trials, maximize=False) == [{0: 0.5, 1: 0.4}, {0: 0.6}, {0: 0.3, 1: 0.2, 2: 0.1}]


def test_where_more_is_better_scores_are_turned_round():
    assert level_scores([trial({2: 0.5})], maximize=True, longest=18) == [{0: -0.5}]


def test_rungs_that_were_rounded_find_their_level():
    assert level_scores([trial({1: 3.0, 3: 2.0})], maximize=False, longest=10) == [{0: 3.0, 1: 2.0}]


@pytest.mark.parametrize("epochs", range(2, 200))
def test_every_first_rung_is_at_some_level(epochs):
    first = rungs_of(epochs)[0]
    assert level_scores([trial({first: 3.0})], maximize=False, longest=epochs)[0].values()


def test_the_rungs_of_five_epochs_are_told_apart():
    trials = [trial({1: 3.0, 2: 2.0}), trial({1: 4.0})]
    assert level_scores(trials, maximize=False, longest=5) == [{0: 3.0, 1: 2.0}, {0: 4.0}]


def test_what_failed_or_diverged_is_worse_than_anything():
    failed, diverged = trial({}, TrialState.FAIL), trial({2: 9.0}, diverged=True)
    assert level_scores([failed, diverged], maximize=False) == [{0: math.inf}, {0: math.inf}]
    found = level_scores([failed, trial({6: 0.4, 18: 0.2})], maximize=False)
    assert found == [{1: math.inf, 2: math.inf}, {1: 0.4, 2: 0.2}]


def test_trials_that_said_nothing_have_no_score():
    assert level_scores([trial({}), trial({2: math.nan})], maximize=False, longest=18) == [{}, {}]


def test_a_study_without_reports_has_complete_scores_only():
    assert level_scores([trial({}, TrialState.COMPLETE, 2.0)], maximize=False) == [{2: 2.0}]


def test_the_first_level_ranks_and_its_standings_are_centred():
    found = [each[0] for each in standings([{0: 3.0}, {0: 1.0}, {0: math.inf}, {0: 2.0}])]
    assert sorted(range(4), key=lambda i: found[i]) == [1, 3, 0, 2]
    assert abs(sum(found)) < 1e-9


def test_those_who_went_on_share_out_their_standings_anew():
    found = standings([{0: 1.0, 1: 0.9}, {0: 2.0, 1: 0.1}, {0: 3.0}, {0: 4.0}])
    assert found[1][1] == found[0][0]
    assert found[0][1] == found[1][0]
    assert all(each[0] > found[1][1] for each in found[2:])
    assert np.isnan(found[2:, 1]).all()


def test_a_newcomer_at_a_level_stands_between_its_neighbours():
    found = standings([{0: 1.0, 1: 0.1}, {0: 2.0, 1: 0.3}, {1: 0.2}])
    assert found[0][1] < found[2][1] < found[1][1]


def test_levels_that_share_nobody_are_ranked_apart():
    found = standings([{0: 5.0}, {2: 1.0}, {2: 2.0}])
    assert found[1][2] < 0 < found[2][2]


def test_reported_trials_of_a_real_study_are_read():
    study = optuna.create_study()
    running = study.ask()
    running.report(0.5, 2)
    assert level_scores(study.get_trials(), maximize=False, longest=18) == [{0: 0.5}]


def test_what_is_known_of_trials_is_found_again_and_what_changed_is_not():
    known, first, second = Known(), trial({2: 0.5}), trial({2: 0.6})
    before = level_scores([first, second], maximize=False, longest=18, known=known)
    further = trial({2: 0.6, 6: 0.4})
    after = level_scores([first, further], maximize=False, longest=18, known=known)
    assert (before, after) == ([{0: 0.5}, {0: 0.6}], [{0: 0.5}, {0: 0.6, 1: 0.4}])
    assert after[0] is before[0]
    assert level_scores([further], maximize=True, longest=6, known=known) == [{1: -0.6, 2: -0.4}]


def test_the_model_of_many_trials_is_made_of_the_best_and_the_latest():
    trials = [trial({}, TrialState.COMPLETE, 0.0) for _ in range(400)]
    stands = np.full((400, 3), np.nan)
    stands[:, 0] = np.arange(400.0)[::-1]  # the later the better, but for the first
    stands[0, :2] = [9.0, -9.0]
    kept, levels = standing.most_telling(trials, stands)
    assert len(kept) == standing.MOST_TRIALS
    assert kept == [trials[0], *trials[251:]]
    assert levels[:2] == [{0: 9.0, 1: -9.0}, {0: 148.0}]
