"""Data that one process has loaded are mapped by others, unless that would make another task of it."""

import gc
import os
import weakref
from dataclasses import replace

import pytest
import torch

from autoopt.errors import AutooptWarning
from autoopt.sharing.crew import Order
from autoopt.sharing.data import hand_out, load_as_helper
from autoopt.tasks.load import load_task
from autoopt.training import mapped
from autoopt.training.holding import HeldSamples

HEAD = """
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

calls = []
X = torch.linspace(-1, 1, 96).reshape(-1, 3)
weights = torch.ones(3)
"""
ARRAYS = """
def train_data():
    calls.append(1)
    return X.double().numpy(), X.argmax(1).numpy()

def model():
    return nn.Linear(3, 3)
"""
ROWS = """
class Rows(Dataset):
    def __len__(self):
        return len(X)

    def __getitem__(self, row):
        calls.append(row)
        return X[row], int(X[row].argmax())

def train_data():
    return DataLoader(Rows(), batch_size=7, shuffle=True, drop_last=True)

def val_data():
    return Rows()

def model():
    return nn.Linear(3, 3)
"""
LEAVES_WEIGHTS = (
    ARRAYS.replace("calls.append(1)", "weights[1] = 5.0")
    + """
def loss(output, target):
    return nn.functional.cross_entropy(output, target, weight=weights)
"""
)
LEAVES_A_WIDTH = "width = 2" + ARRAYS.replace("calls.append(1)", "globals()['width'] = 5").replace(
    "nn.Linear(3, 3)", "nn.Sequential(nn.Linear(3, width), nn.Linear(width, 3))"
)


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "LEAST", 1)

    def write(code):
        (tmp_path / "task.py").write_text(HEAD + code)
        return tmp_path / "task.py"

    return write


def tensors(task):
    return [t for samples in (task.train, task.valid) for t in samples.tensors]


@pytest.mark.parametrize("code", [ARRAYS, ROWS], ids=["arrays", "a data set"])
def test_a_helper_has_the_data_without_loading_them(source, code):
    path = source(code)
    task = load_task(path)
    with hand_out(task, wanted=True) as handed:
        theirs = load_as_helper(Order("db", "s", {}, data=handed.descriptor), path)
    assert theirs.fingerprint == task.fingerprint
    assert theirs.batch_size == task.batch_size
    assert theirs.steps_per_epoch(7) == task.steps_per_epoch(7)
    for ours, other in zip(tensors(handed.held), tensors(theirs), strict=True):
        assert torch.equal(ours, other)
        assert ours.dtype == other.dtype
    ours, other = (list(each.train.batches(7, shuffle_seed=3)) for each in (task, theirs))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(ours, other, strict=True))


def test_the_functions_that_give_data_are_called_in_one_process_only(source, tmp_path):
    path = source(ARRAYS.replace("calls.append(1)", f"__import__('os').mkdir({str(tmp_path / 'called')!r})"))
    with hand_out(load_task(path), wanted=True) as handed:
        theirs = load_as_helper(
            Order("db", "s", {}, data=handed.descriptor), path
        )  # would fail a second time
    assert theirs.train.rows == handed.task.train.rows


@pytest.mark.parametrize("code", [LEAVES_WEIGHTS, LEAVES_A_WIDTH], ids=["weights of classes", "a width"])
@pytest.mark.filterwarnings("ignore:data are loaded again:autoopt.errors.AutooptWarning")
def test_data_are_loaded_where_loading_them_leaves_something_behind(source, code):
    path = source(code)
    task = load_task(path)
    with hand_out(task, wanted=True) as handed:
        theirs = load_as_helper(Order("db", "s", {}, data=handed.descriptor), path)
    assert handed.descriptor is not None
    assert theirs.fingerprint == task.fingerprint
    batch = next(iter(task.valid.batches(64)))
    torch.manual_seed(0)
    model = task.make_model()
    assert torch.equal(task.batch_loss(model, batch).loss, theirs.batch_loss(model, batch).loss)


def test_a_file_that_has_changed_meanwhile_is_loaded_with_its_own_data(source):
    path = source(ARRAYS)
    with hand_out(load_task(path), wanted=True) as handed:
        source(ARRAYS.replace("X.double()", "(2 * X).double()"))
        theirs = load_as_helper(Order("db", "s", {}, data=handed.descriptor), path)
    assert torch.equal(theirs.train.tensors[0], load_task(path).train.tensors[0])
    assert theirs.fingerprint != handed.task.fingerprint


def test_whoever_writes_into_mapped_data_changes_its_own_only(source):
    path = source(ARRAYS)
    with hand_out(load_task(path), wanted=True) as handed:
        theirs = load_as_helper(Order("db", "s", {}, data=handed.descriptor), path)
        theirs.train.tensors[0].zero_()
        again = load_as_helper(Order("db", "s", {}, data=handed.descriptor), path)
    assert handed.held.train.tensors[0].any()
    assert torch.equal(again.train.tensors[0], handed.held.train.tensors[0])


def test_the_file_has_no_name_and_goes_with_the_last_process_that_has_it(source, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    with hand_out(load_task(source(ARRAYS)), wanted=True) as handed:
        assert os.fstat(handed.descriptor).st_nlink == 0
        assert not list((tmp_path / "temporary").iterdir())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handed.descriptor)


def test_what_was_loaded_is_let_go_of(source):
    task = load_task(source(ARRAYS))
    loaded = weakref.ref(task.train.tensors[0])
    holder = [task]
    del task
    with hand_out(holder.pop(), wanted=True) as handed:
        gc.collect()
        assert loaded() is None
        assert handed.task.train is handed.held.train


def test_a_data_set_stays_one_for_whoever_asks_what_the_task_is(source):
    task = load_task(source(ROWS))
    with hand_out(task, wanted=True) as handed:
        assert handed.task.train is task.train
        assert isinstance(handed.held.train, HeldSamples)


def test_small_data_unwanted_ones_and_those_of_objects_are_not_handed_out(source, monkeypatch):
    task = load_task(source(ARRAYS))
    unwanted = hand_out(task, wanted=False)
    objects = hand_out(replace(task, source=""), wanted=True)
    monkeypatch.setattr(mapped, "LEAST", 10**6)
    for each in (unwanted, objects, hand_out(task, wanted=True)):
        with each as handed:
            assert handed.task.train is task.train
            assert (handed.held, handed.descriptor) == (None, None)


def test_where_nothing_can_be_written_helpers_load_the_data(source, monkeypatch):
    def fail(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    task = load_task(source(ARRAYS))
    with (
        pytest.warns(AutooptWarning, match="every worker loads the data itself.*No space"),
        hand_out(task, wanted=True) as handed,
    ):
        assert handed.task is task
