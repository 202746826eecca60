"""autoopt from Python: what tune() takes, and what it leaves alone."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from torch import nn

import autoopt
from autoopt.errors import UsageError

X = np.random.default_rng(0).normal(size=(48, 3)).astype(np.float32)
Y = X @ np.array([[1.0], [-2.0], [0.5]], dtype=np.float32)
SMALL = {"budget": 7, "epochs": 2, "batch_size": 16, "optimizers": ["sgd", "adam"]}


def make_model():
    return nn.Linear(3, 1)


def tune(**changes):
    return autoopt.tune(**{"model": make_model, "train": (X, Y), **SMALL, **changes})


def scores(**changes):
    return dict(tune(**changes).chosen.scores)


def test_a_model_with_its_data_is_enough():
    found = tune(valid=(X[:16], Y[:16]), test=(X[16:32], Y[16:32]), loss="l1_loss")
    assert found.study == "make_model"
    assert len(found.chosen.test_scores) == 3


def test_what_is_given_beside_a_task_is_refused():
    with pytest.raises(UsageError, match="loss is for a model: give model=…, train=…"):
        autoopt.tune("task.py", loss="mse_loss")


def test_nothing_to_train_is_refused():
    with pytest.raises(UsageError, match="give a task, a training loop, or model=… and train=…"):
        autoopt.tune(budget=7)
    with pytest.raises(UsageError, match="model=… needs train=…"):
        autoopt.tune(model=make_model)


def test_callbacks_see_the_progress():
    phases = []
    tune(callbacks=[lambda progress: phases.append(progress.phase), lambda progress: None])
    assert phases[0] == "search"
    assert phases[-1] == "done"


def test_a_progress_bar_shows_and_closes(capsys):
    tune(callbacks=[autoopt.ProgressBar()])
    assert "runs [" in capsys.readouterr().err


def test_threads_find_the_same(tmp_path):
    found = {}
    threads = [threading.Thread(target=lambda n=n: found.__setitem__(n, scores())) for n in range(1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == scores()


@pytest.mark.slow
def test_children_of_multiprocessing_find_the_same():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(scores).result() == scores()


def test_nothing_is_printed_changed_or_left_behind(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    before = (torch.get_rng_state().tolist(), torch.get_num_threads(), torch.get_default_dtype(),
              torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(), dict(os.environ))  # fmt: skip
    tune()
    after = (torch.get_rng_state().tolist(), torch.get_num_threads(), torch.get_default_dtype(),
             torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(), dict(os.environ))  # fmt: skip
    assert after == before
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def test_advice_needs_no_training():
    task = autoopt.make_task(model=make_model, train_data=(X, Y))
    guidance = autoopt.suggest(task)
    assert guidance.advice[-1].baseline
    assert guidance.advice[0].recipe.optimizer


def test_a_study_is_resumed_by_its_name(tmp_path):
    (tmp_path / "line.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef model():\n    return nn.Linear(3, 1)\n\n\n"
        "def train_data():\n    X = torch.randn(48, 3)\n    return X, X.sum(1, keepdim=True)\n"
    )
    storage = str(tmp_path / "a.db")
    first = autoopt.tune(tmp_path / "line.py", **SMALL, storage=storage)
    again = autoopt.resume("line", 7, storage=storage)
    assert again.chosen == first.chosen


def test_the_package_is_typed():
    code = "import importlib.resources as r; print(r.files('autoopt').joinpath('py.typed').is_file())"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "True"
    )
