"""Figures of a study, added up by the database: SQLite and PostgreSQL."""

import math
import uuid

import pytest

from autoopt.errors import StorageError
from autoopt.recipe import Recipe
from autoopt.records.overview import Level, Overview, Wanted
from autoopt.records.store import Store
from autoopt.run import Purpose, Run, RunRecord, RunState

from .examples import make_baseline, make_report, make_study

SGD, ADAM = (
    Recipe("sgd", {"lr": 0.1, "momentum": 0.9}, "cosine", {"warmup": 0.1}, 32),
    Recipe("adam", {"lr": 3e-3}),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def overview(request, tmp_path):
    """Two cohorts of trials and a baseline; one trial diverged, one failed."""
    url = (
        request.getfixturevalue("postgresql")
        if request.param == "postgresql"
        else str(tmp_path / "autoopt.db")
    )
    name = f"digits {uuid.uuid4()}"
    with Store.open(url) as store:
        store.create_study(make_study(name))
        runs = [
            Run(0, SGD, 1, 20, trial=0), Run(1, ADAM, 1, 20, trial=1), Run(2, SGD, 1, 20, trial=2, cohort=1),
            Run(3, ADAM, 1, 20, trial=3, cohort=1), make_baseline(4),
        ]  # fmt: skip
        reports = [make_report(n, e, score=(5 - n) / e) for n in (0, 1, 2) for e in (1, 2)]
        records = [
            RunRecord(runs[0], RunState.FINISHED, 2.5, 2, 1.0),
            RunRecord(runs[1], RunState.STOPPED, 2.0, 2, 1.0, "others did better"),
            RunRecord(runs[2], RunState.DIVERGED, math.nan, 2, 1.0, "the loss diverged"),
            RunRecord(runs[3], RunState.FAILED, None, 0, 0.0, "RuntimeError: 100% <b>odd</b>"),
            RunRecord(runs[4], RunState.FINISHED, 1.0, 3, 2.0),
        ]
        store.save(name, runs=runs, reports=reports, records=records)
        reader = Overview(store)
        reader.name = name
        yield reader
        store.delete_study(name)


def ids(overview, **wanted):
    return [record.run.id for record in overview.page(overview.name, Wanted(**wanted), 0, 10)]


def test_tallies_count_by_optimizer_purpose_and_state(overview):
    tallies = {(t.optimizer, t.purpose, t.state): t for t in overview.tallies(overview.name)}
    assert len(tallies) == 5
    finished = tallies["sgd", Purpose.SEARCH, RunState.FINISHED]
    assert (finished.runs, finished.epochs, finished.seconds, finished.lowest) == (1, 2, 1.0, 2.5)
    assert tallies["sgd", Purpose.SEARCH, RunState.DIVERGED].lowest is None


def test_levels_give_the_best_of_each_cohort_at_an_epoch(overview):
    assert overview.levels(overview.name, [1, 2]) == [
        Level(0, 1, 2, 4.0, 5.0), Level(0, 2, 2, 2.0, 2.5), Level(1, 1, 1, 3.0, 3.0), Level(1, 2, 1, 1.5, 1.5),
    ]  # fmt: skip


def test_columns_hold_the_settings_of_the_search_runs(overview):
    columns = overview.columns(overview.name)
    assert columns["optimizer"] == ["sgd", "adam", "sgd", "adam"]
    assert columns["lr"] == pytest.approx([0.1, 3e-3, 0.1, 3e-3])
    assert columns["momentum"] == [0.9, None, 0.9, None]
    assert columns["batch_size"] == [32, None, 32, None]
    assert columns["warmup"] == [0.1, None, 0.1, None]


def test_columns_of_a_study_without_runs_are_empty(overview):
    assert set(overview.columns(overview.name, ())) >= {"id", "lr", "score"}
    assert overview.columns(overview.name, ())["id"] == []


def test_runs_without_a_finite_score_come_last_either_way(overview):
    assert ids(overview) == [4, 1, 0, 2, 3]
    assert ids(overview, descending=True) == [0, 1, 4, 2, 3]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"optimizers": ("adam",)}, [1, 3]),
        ({"states": (RunState.DIVERGED, RunState.FAILED)}, [2, 3]),
        ({"purposes": (Purpose.BASELINE,)}, [4]),
        ({"text": "COSINE"}, [0, 2]),
        ({"text": "100% <b>"}, [3]),
        ({"text": "%"}, [3]),
        ({"text": "_' OR 1=1 --"}, []),
    ],
)
def test_runs_are_filtered_by_the_database(overview, wanted, expected):
    assert ids(overview, **wanted, order="id") == expected
    assert overview.count(overview.name, Wanted(**wanted)) == len(expected)


def test_runs_are_sorted_by_their_rate(overview):
    assert ids(overview, order="lr", purposes=(Purpose.SEARCH,)) == [1, 3, 0, 2]


def test_a_page_begins_where_the_one_before_ended(overview):
    wanted = Wanted(order="id", descending=True)
    pages = [overview.page(overview.name, wanted, offset, 2) for offset in (0, 2, 4)]
    assert [[record.run.id for record in page] for page in pages] == [[4, 3], [2, 1], [0]]


def test_an_unknown_order_is_refused(overview):
    with pytest.raises(StorageError, match="choose score, id"):
        overview.page(overview.name, Wanted(order="note; DROP TABLE"), 0, 1)


def test_the_stamp_changes_with_every_saving(overview):
    before = overview.stamp(overview.name)
    assert overview.stamp(overview.name) == before
    overview.store.add_reports(overview.name, [make_report(0, 3)])
    assert overview.stamp(overview.name) != before


def test_the_newest_verdict_of_each_study_is_read(overview):
    overview.store.save_verdict(overview.name, {"n": 1})
    overview.store.save_verdict(overview.name, {"n": 2})
    assert overview.verdicts()[overview.name] == {"n": 2}


def test_of_equal_scores_the_run_that_was_trained_longest_comes_first(overview):
    longer = RunRecord(Run(5, ADAM, 1, 20, trial=4, cohort=1), RunState.STOPPED, 2.0, 9)
    overview.store.save(overview.name, runs=[longer.run], records=[longer])
    assert ids(overview) == [4, 5, 1, 0, 2, 3]


def test_some_runs_of_the_search_are_picked_evenly_and_all_that_confirm(overview):
    assert [overview.spread(overview.name, most) for most in (0, 1, 2, 100)] == [
        [4], [0, 4], [0, 2, 4], [0, 1, 2, 3, 4],
    ]  # fmt: skip


def test_the_first_and_the_last_run_are_known(overview):
    assert overview.span(overview.name) == (0, 4)


def test_runs_are_found_by_their_ids(overview):
    assert [record.run.id for record in overview.runs(overview.name, [3, 0, 99])] == [0, 3]
