"""Data sets that are held as tensors, and those that must not be."""

import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset

from autoopt.tasks.read import Reading, read_samples
from autoopt.tasks.samples import TensorSamples
from autoopt.training.holding import hold_data
from autoopt.training.trainee import Trainee

from .examples import INPUTS, make_rows, make_run, make_task, numbers

ROWS = make_rows(50)


class Images(Dataset):
    """Rows made one by one, through a transform as data sets of images have it."""

    def __init__(self, transform=lambda x: 2 * x):
        self.transform, self.reads = transform, 0

    def __len__(self):
        return 50

    def __getitem__(self, row):
        self.reads += 1
        return self.transform(ROWS.tensors[0][row]), int(ROWS.tensors[1][row])


def samples_of(dataset, **settings):
    loader = DataLoader(dataset, batch_size=8, shuffle=True, **settings)
    return read_samples(loader, Reading("train_data", 8), [])


def hold(samples):
    return hold_data(make_task(train=samples), "cpu").train


def batches(samples, **order):
    return [[torch.as_tensor(part) for part in batch] for batch in samples.batches(8, **order)]


@pytest.mark.parametrize("order", [{}, {"shuffle_seed": 3}, {"shuffle_seed": 3, "drop_single": True}])
@pytest.mark.parametrize("settings", [{}, {"drop_last": True}])
def test_held_rows_make_the_batches_that_the_loader_makes(order, settings):
    loaded = samples_of(Images(), **settings)
    held = hold(loaded)
    assert isinstance(held, TensorSamples)
    assert held.steps_per_epoch(8) == loaded.steps_per_epoch(8)
    for ours, theirs in zip(batches(held, **order), batches(loaded, **order), strict=True):
        assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(ours, theirs, strict=True))


def test_batches_keep_their_form():
    class Named(Images):
        def __getitem__(self, row):
            x, y = super().__getitem__(row)
            return {"x": x, "y": y}

    assert type(next(hold(samples_of(Images())).batches(4))) is list
    assert list(next(hold(samples_of(Named())).batches(4))) == ["x", "y"]


def test_a_loader_that_does_not_shuffle_still_does_not():
    loader = DataLoader(Images(), batch_size=8)
    held = hold(read_samples(loader, Reading("train_data", 8), []))
    assert torch.equal(next(held.batches(8, shuffle_seed=1))[1], ROWS.tensors[1][:8])


def test_training_on_held_rows_gives_the_same_reports():
    loaded = make_task(train=samples_of(Images()))
    held = hold_data(loaded, "cpu")
    reports = [numbers(Trainee(task, make_run(rungs=(1,)), "cpu").train_epoch()) for task in (loaded, held)]
    assert reports[0] == reports[1]


def test_held_rows_are_read_no_more():
    dataset = Images()
    held = hold(samples_of(dataset))
    before = dataset.reads
    batches(held, shuffle_seed=1)
    assert dataset.reads == before


OWN = np.random.default_rng(0)


@pytest.mark.parametrize(
    "transform",
    [
        lambda x: x + torch.randn(INPUTS),
        lambda x: x + np.random.rand(),
        lambda x: x if random.random() < 0.5 else -x,
        lambda x: x * OWN.integers(2),
    ],
    ids=["torch", "numpy", "python", "a generator of its own"],
)
def test_random_transforms_stay_random(transform):
    samples = samples_of(Images(transform))
    assert hold(samples) is samples


def test_a_transform_that_is_random_for_one_row_in_a_thousand_stays_so():
    def rarely(x):
        return x + torch.rand(()) if torch.equal(x, ROWS.tensors[0][17]) else x

    samples = samples_of(Images(rarely))
    assert hold(samples) is samples


def test_a_generator_deep_in_the_data_set_is_found():
    class Jitter:
        def __init__(self):
            self.draw = np.random.default_rng(0)

        def __call__(self, x):
            return x

    samples = samples_of(Subset(Images(Jitter()), range(40)))
    assert hold(samples) is samples


def test_collations_of_ones_own_are_respected():
    samples = samples_of(Images(), collate_fn=lambda rows: torch.utils.data.default_collate(rows[::-1]))
    assert hold(samples) is samples


def test_rows_of_different_shapes_stay_with_their_loader():
    class Ragged(Images):
        def __getitem__(self, row):
            return torch.zeros(row + 1), 0

    samples = samples_of(Ragged())
    assert hold(samples) is samples


def test_rows_for_which_there_is_no_room_stay_where_they_are(monkeypatch):
    monkeypatch.setattr("autoopt.training.holding.free_bytes", lambda device: 4 * 100)
    samples = samples_of(Images())
    assert hold(samples) is samples


def test_reading_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    expected = torch.rand(()), np.random.rand(), random.random()
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    hold(samples_of(Images()))
    hold(samples_of(Images(lambda x: x + torch.randn(INPUTS))))
    assert (torch.rand(()), np.random.rand(), random.random()) == expected
