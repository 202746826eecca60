"""The fingerprint is the same for the same task, and another for another."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autoopt.tasks.load import load_task


def test_comments_blank_lines_docstrings_and_the_path_do_not_count(write_task):
    plain = load_task(write_task("def extra():\n    return 1"))
    told = load_task(
        write_task(
            '\n\n# why\ndef extra():\n    """What for."""\n\n    return (1)  # one\n', name="other/renamed.py"
        )
    )
    assert plain.fingerprint == told.fingerprint


def test_it_is_the_same_in_another_process(write_task):
    path = write_task("import random\nX = X + random.random()\ntrain_data = X, y")
    code = f"from autoopt.tasks.load import load_task; print(load_task({str(path)!r}).fingerprint)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == load_task(path).fingerprint


def test_the_seed_of_the_hold_out_does_not_count(write_task):
    path = write_task()
    assert load_task(path, seed=1).fingerprint == load_task(path, seed=2).fingerprint


CHANGES = {
    "the code": "x = 1",
    "the data": "X[59, 3] += 1",
    "the model": "model = lambda: nn.Linear(4, 3)",
    "the loss": "loss = nn.CrossEntropyLoss(label_smoothing=0.1)",
    "the epochs": "epochs = 3",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=[name.replace(" ", "-") for name in CHANGES])
def test_another_task_has_another(write_task, change):
    assert load_task(write_task()).fingerprint != load_task(write_task(change)).fingerprint


@pytest.mark.parametrize("change", [{"epochs": 3}, {"batch_size": 8}, {"metric": "accuracy"}], ids=str)
def test_another_way_to_run_it_has_another(write_task, change):
    path = write_task()
    assert load_task(path).fingerprint != load_task(path, **change).fingerprint


def test_data_and_layers_that_a_neighbour_gives_count(write_task):
    text = "from neighbour import *\n"
    one = "import torch\nfrom torch import nn\ntrain_data = torch.ones(60, 4), torch.arange(60) % 3\n"
    first = load_task(
        write_task(
            text=text, neighbour=one + "model = lambda: nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.1))"
        )
    )
    second = load_task(
        write_task(
            text=text, neighbour=one + "model = lambda: nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.25))"
        )
    )
    assert first.fingerprint != second.fingerprint
