import math

from autoopt.run import EpochReport
from autoopt.search.fidelity import (
    affordable_width,
    looks_of,
    places_beyond,
    rung_score,
    rungs_of,
    wave_cost,
)


def test_rungs_lie_inside_the_training_and_ascend():
    for epochs in range(1, 200):
        rungs = rungs_of(epochs)
        assert list(rungs) == sorted(set(rungs))
        assert all(0 < rung < epochs for rung in rungs)


def test_a_run_is_judged_by_the_better_of_its_two_weights():
    report = EpochReport(0, 2, 1.0, 0.5, score=0.5, averaged_score=0.4)
    assert rung_score(report, "minimize") == 0.4
    assert rung_score(report, "maximize") == 0.5
    assert math.isnan(rung_score(EpochReport(0, 2, 1.0, math.nan, math.nan), "minimize"))


def test_one_run_in_three_goes_on_and_a_single_one_always():
    assert [places_beyond(reached) for reached in (0, 1, 2, 3, 9, 16)] == [0, 1, 1, 1, 3, 5]


def test_the_widest_affordable_wave_stays_within_the_budget():
    for epochs in (1, 2, 3, 7, 20, 100):
        for runs in (0.0, 0.5, 1.0, 2.5, 8.0):
            width = affordable_width(9, epochs, runs)
            assert width == 0 or wave_cost(width, epochs) <= runs + 1e-9
            assert width == 9 or wave_cost(width + 1, epochs) > runs


def test_a_search_looks_at_rungs_and_at_the_end_where_there_is_none():
    assert [looks_of(epochs) for epochs in (1, 2, 3, 9)] == [(1,), (1,), (1,), (1, 3)]
