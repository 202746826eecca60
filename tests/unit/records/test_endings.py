"""How far trials came and why they ended, added up by the database: SQLite and PostgreSQL."""

from autoopt.records.endings import Ending, Way, read_endings, read_ways
from autoopt.run import RunState

from .test_overview import overview  # noqa: F401  # the fixture: two cohorts of trials and a baseline


def test_ways_count_how_far_the_trials_of_the_search_came(overview):  # noqa: F811
    assert read_ways(overview.store, overview.name) == [
        Way("adam", 0, 1),
        Way("adam", 2, 1),
        Way("sgd", 2, 2),
    ]


def test_endings_say_why_trials_ended_early(overview):  # noqa: F811
    endings = read_endings(overview.store, overview.name, 9)
    assert Ending(RunState.FAILED, "RuntimeError: 100% <b>odd</b>", 1) in endings
    assert {(each.state, each.runs) for each in endings} == {
        (RunState.STOPPED, 1), (RunState.DIVERGED, 1), (RunState.FAILED, 1)}  # fmt: skip
    assert len(read_endings(overview.store, overview.name, 1)) == 1
