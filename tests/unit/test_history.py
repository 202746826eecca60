"""Studies read back, and what a recommendation is to programs and notebooks."""

import pickle
import sys

import pytest

import autoopt
from autoopt.errors import StorageError, StudyMismatch, UsageError
from tests.unit.loops.examples import tune


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    place = str(tmp_path_factory.mktemp("studies") / "autoopt.db")
    tune(storage=place)
    return place


@pytest.fixture
def study(url):
    return autoopt.load_study("train", url)


def test_a_study_is_read_back_with_its_answer(study):
    assert study.name == "train"
    assert study.recommendation.study == "train"
    assert len(study.runs) >= 7
    assert sum(len(reports) for reports in study.epochs.values()) >= 18
    assert str(study).startswith(f"train: {len(study.runs)} runs, done\n")


def test_the_last_study_is_read_where_none_is_named(url):
    assert autoopt.load_study(storage=url).name == "train"


def test_trials_come_as_a_frame(study):
    frame = study.trials_frame()
    assert len(frame) == len(study.runs)
    assert {"optimizer", "lr", "schedule", "seed", "state", "score", "seconds"} <= set(frame.columns)
    assert set(frame[frame.purpose == "baseline"].optimizer) == {"adamw"}


def test_epochs_come_as_a_frame(study):
    frame = study.epochs_frame()
    assert {"run", "epoch", "valid_loss"} <= set(frame.columns)
    assert frame.groupby("run").epoch.max().max() == 3


def test_a_frame_without_pandas_says_what_to_install(study, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="a frame needs pandas"):
        study.trials_frame()


def test_a_study_that_is_not_there_is_named(url, tmp_path):
    with pytest.raises(StudyMismatch, match="unknown study 'trian': did you mean 'train'"):
        autoopt.load_study("trian", url)
    with pytest.raises(StorageError):
        autoopt.load_study("train", str(tmp_path / "nothing.db"))


def test_a_recommendation_travels_by_pickle_and_json(study, tmp_path):
    found = study.recommendation
    assert pickle.loads(pickle.dumps(found)) == found
    found.save(tmp_path / "found.json")
    assert autoopt.Recommendation.load(tmp_path / "found.json") == found


def test_a_recommendation_shows_itself_in_a_notebook(study):
    shown = study.recommendation._repr_html_()
    assert "<table>" in shown
    assert study.recommendation.recipe.optimizer in shown


def test_what_a_study_is_called_cannot_get_into_the_html(study):
    from dataclasses import replace

    shown = replace(study.recommendation, notes=("<script>alert(1)</script>",))._repr_html_()
    assert "<script>" not in shown


def test_a_recommendation_tells_rich_what_it_is(study):
    told = dict(study.recommendation.__rich_repr__())
    assert told["verdict"] == study.recommendation.verdict
    assert told["recipe"] == str(study.recommendation.recipe)


def test_a_recommendation_explains_itself(study):
    lines = study.recommendation.explain().splitlines()
    assert lines[0] == str(study.recommendation.recipe)
    assert len(lines) >= 3 + len(study.recommendation.reasons)


@pytest.mark.parametrize("format", ["pytorch", "json", "yaml"])
def test_a_recommendation_exports_itself(study, format):
    assert study.recommendation.export(format)


def test_a_format_that_does_not_exist_is_refused(study):
    with pytest.raises(UsageError, match="unknown format 'pytorhc': did you mean 'pytorch'"):
        study.recommendation.export("pytorhc")
