"""A study in MLflow and in TensorBoard, read back with their own libraries."""

import warnings

import pytest

import autoopt
from tests.unit.loops.examples import tune


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    place = str(tmp_path_factory.mktemp("studies") / "autoopt.db")
    tune(storage=place)
    return autoopt.load_study("train", place)


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_a_study_goes_to_mlflow(study, tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "mlruns").as_uri()
    whole = autoopt.mlflow.log_study(study, tracking_uri=uri)
    client = MlflowClient(uri)
    run = client.get_run(whole)
    assert run.data.metrics["score"] == pytest.approx(study.recommendation.chosen.mean)
    children = client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{whole}'", max_results=500
    )
    assert len(children) == len(study.runs)
    finished = next(c for c in children if c.data.tags["state"] == "finished")
    assert "lr" in finished.data.params
    assert len(client.get_metric_history(finished.info.run_id, "epoch/valid_loss")) == 3


def test_a_study_goes_to_tensorboard(study, tmp_path):
    pytest.importorskip("tensorboard")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorBoard's own
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        place = autoopt.tensorboard.log_study(study, tmp_path)
        folders = sorted(path for path in place.iterdir() if path.is_dir())
        assert len(folders) == len(study.runs)
        events = EventAccumulator(str(folders[0])).Reload()
        assert [e.step for e in events.Scalars("valid_loss")] == [1, 2, 3]
