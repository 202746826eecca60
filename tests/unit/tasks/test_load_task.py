"""What load_task makes of ordinary files."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from autoopt.errors import TaskError
from autoopt.tasks.load import load_task


def test_a_plain_file_gives_a_task_with_the_stated_defaults(write_task):
    task = load_task(write_task())
    assert (task.name, task.epochs, task.batch_size, task.loss_name) == ("task", 20, 64, "cross_entropy")
    assert (task.train.rows, task.valid.rows, task.test) == (48, 12, None)
    assert (task.objective, task.direction) == ("loss", "minimize")


def test_names_in_the_file_set_epochs_batch_size_and_name(write_task):
    task = load_task(write_task("epochs = 7\nbatch_size = 16\nname = 'irises'"))
    assert (task.epochs, task.batch_size, task.name) == (7, 16, "irises")


def test_arguments_win_over_the_file(write_task):
    task = load_task(write_task("epochs = 7\nbatch_size = 16"), epochs=3, batch_size=8)
    assert (task.epochs, task.batch_size) == (3, 8)


def test_a_dotted_name_is_looked_for_from_the_current_folder(write_task, monkeypatch, tmp_path):
    write_task(name="pack/inner/job.py")
    monkeypatch.chdir(tmp_path)
    assert load_task("pack.inner.job").train.rows == 48


def test_a_dotted_name_finds_a_package_itself(write_task, monkeypatch, tmp_path):
    write_task(name="pack/__init__.py")
    monkeypatch.chdir(tmp_path)
    assert load_task("pack").name == "pack"


def test_a_dotted_name_finds_an_installed_module(write_task, monkeypatch, tmp_path):
    write_task(name="lib/site/job_of_mine.py")
    monkeypatch.syspath_prepend(tmp_path / "lib" / "site")
    assert load_task("job_of_mine").train.rows == 48


def test_functions_give_the_data_once_and_the_test_data_is_kept(write_task):
    task = load_task(write_task("""
calls = []
def train_data():
    calls.append(1)
    assert len(calls) == 1
    return X, y
def val_data():
    return X[:9], y[:9]
test_data = X[:5], y[:5]
"""))  # fmt: skip
    assert (task.train.rows, task.valid.rows, task.test.rows) == (60, 9, 5)


def test_unseeded_data_are_the_same_each_time_and_leave_the_callers_random_state(write_task):
    path = write_task(
        "import random, numpy\nX = X + random.random() + numpy.random.rand()\ntrain_data = X, y"
    )
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    expected = torch.rand(1), np.random.rand(), random.random()
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    first, second = load_task(path), load_task(path)
    assert (torch.rand(1), np.random.rand(), random.random()) == expected
    assert torch.equal(first.train.tensors[0], second.train.tensors[0])


def test_the_hold_out_follows_the_seed_and_keeps_the_share_of_each_class(write_task):
    path = write_task()
    first, second, other = load_task(path, seed=1), load_task(path, seed=1), load_task(path, seed=2)
    assert torch.equal(first.valid.tensors[0], second.valid.tensors[0])
    assert not torch.equal(first.valid.tensors[0], other.valid.tensors[0])
    assert torch.bincount(first.valid.target).tolist() == [4, 4, 4]
    assert any("stratified" in note for note in first.notes)


def test_the_hold_out_is_at_random_when_a_class_has_one_row(write_task):
    task = load_task(write_task("y[0] = 2; y = (y > 0).long(); y[:] = 1; y[0] = 0; train_data = X, y"))
    assert task.valid.rows == 12
    assert any("at random" in note for note in task.notes)


def test_a_small_dataset_is_stratified_by_its_rows(write_task):
    task = load_task(write_task("""
class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 60
    def __getitem__(self, row):
        return X[row], int(y[row])
train_data = Rows()
"""))  # fmt: skip
    assert sorted(int(y) for _, batch in task.valid.batches(64) for y in batch) == [0] * 4 + [1] * 4 + [2] * 4


def test_a_name_that_is_nearly_right_is_told(write_task):
    task = load_task(write_task("valid_data = X, y"))
    assert "'valid_data' is not read: did you mean 'val_data'?" in task.notes


def test_the_model_runs_in_the_files_folder_wherever_it_is_made(write_task, tmp_path, monkeypatch):
    path = write_task(
        "from pathlib import Path\ndef model():\n    assert Path('here.txt').exists()\n    return nn.Linear(4, 3)"
    )
    (tmp_path / "here.txt").write_text("")
    monkeypatch.chdir(Path(__file__).parent)
    task = load_task(path)
    assert isinstance(task.make_model(), nn.Linear)
    assert Path.cwd() == Path(__file__).parent


def test_keyboard_interrupt_in_the_file_passes(write_task):
    with pytest.raises(KeyboardInterrupt):
        load_task(write_task("raise KeyboardInterrupt"))


def test_the_cause_of_an_error_is_chained(write_task):
    with pytest.raises(TaskError) as caught:
        load_task(write_task("raise ValueError('no')"))
    assert isinstance(caught.value.__cause__, ValueError)


def test_the_source_finds_the_file_from_any_folder(write_task, tmp_path, monkeypatch):
    write_task(name="inner/task.py")
    monkeypatch.chdir(tmp_path)
    assert load_task("inner/task.py").source == str(tmp_path / "inner" / "task.py")
    assert load_task(load_task("inner/task.py").source).fingerprint == load_task("inner/task.py").fingerprint
