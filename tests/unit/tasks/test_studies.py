"""The studies that ship with the repository are tasks that load and train."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from autoopt.tasks.describe import describe_task
from autoopt.tasks.load import load_task

STUDIES = Path(__file__).parents[3] / "studies"
FOUND = {
    "charlm_transformer": ("cross_entropy", "perplexity", 49_056),
    "digits_cnn": ("CrossEntropyLoss", "accuracy", 3_742),
    "digits_mlp": ("cross_entropy", "accuracy", 9_610),
    "embedding_sparse": ("mse_loss", None, 3_000),
    "keras_regression": ("mse_loss", None, 769),
    "sequence_gru": ("cross_entropy", "accuracy", 2_019),
    "tabular_regression": ("mse_loss", "mae", 4_929),
}


def test_every_study_is_known_here_and_in_the_readme():
    files = {path.stem for path in STUDIES.glob("*.py")}
    readme = (STUDIES / "README.md").read_text()
    assert files == set(FOUND)
    assert all(f"`{name}.py`" in readme for name in files)


@pytest.mark.parametrize("name", FOUND)
def test_a_study_loads_and_trains_on_a_batch(name):
    if name == "keras_regression":
        pytest.importorskip("keras", reason="Keras is not installed: pip install 'autoopt[keras]'")
    task = load_task(STUDIES / f"{name}.py")
    told = describe_task(task)
    loss, metric, parameters = FOUND[name]
    # the alphabet of Python's help texts differs a little between versions
    assert told.parameters == pytest.approx(parameters, rel=0.02)
    assert (told.loss, told.metric) == (loss, metric)
    assert math.isfinite(told.first_loss)
    assert told.sparse_gradients is (name == "embedding_sparse")
    assert told.has_batch_norm is (name == "digits_cnn")
