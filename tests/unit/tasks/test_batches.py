"""Batches on their way: to a device, counted, split, and drawn from a random state of their own."""

from __future__ import annotations

import random
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autoopt.errors import TaskError
from autoopt.tasks.batch import count_rows, describe_tensors, split_batch
from autoopt.tasks.probe import on_fitting_device
from autoopt.tasks.randomness import OwnRandomness, draw_apart
from autoopt.tasks.samples import TensorSamples, count_batches, move_batch

Point = namedtuple("Point", "x y")


def test_a_batch_keeps_its_form_on_its_way_to_a_device():
    batch = {"a": [torch.ones(2), (torch.ones(3), "text")], "b": Point(torch.ones(1), 4)}
    moved = move_batch(batch, "meta")
    assert moved["a"][0].device.type == moved["a"][1][0].device.type == moved["b"].x.device.type == "meta"
    assert (moved["a"][1][1], moved["b"].y, type(moved["b"])) == ("text", 4, Point)


def test_an_object_moves_by_its_own_method():
    graph = SimpleNamespace(to=lambda device: f"on {device}")
    assert move_batch([graph, 3], "cpu") == ["on cpu", 3]


@pytest.mark.parametrize(
    ("batch", "rows"),
    [
        (torch.ones(3, 2), 3),
        ((torch.ones(4), torch.ones(4)), 4),
        ({"a": "text", "b": torch.ones(5)}, 5),
        (torch.tensor(1.0), 1),
        (["a", "b"], 2),
        (SimpleNamespace(num_graphs=6), 6),
        ("text", 1),
    ],
    ids=str,
)
def test_rows_are_those_of_the_first_tensor(batch, rows):
    assert count_rows(batch) == rows


def test_the_last_part_of_a_tuple_is_the_target():
    assert split_batch((1, 2, 3)) == ((1, 2), 3)
    assert split_batch({"x": 1, "labels": 2}) == ((1,), 2)
    assert split_batch({"x": 1}) == ((1,), None)


@pytest.mark.parametrize("batch", [(1,), [], 3], ids=str)
def test_a_batch_without_a_target_is_refused(batch):
    with pytest.raises(TaskError, match=r"step\(model, batch\)"):
        split_batch(batch)


def test_tensors_are_told_by_shape_and_type():
    assert describe_tensors(["a"]) == "list"
    assert describe_tensors({"a": torch.ones(2, 3)}) == "(2, 3) float32"


@pytest.mark.parametrize(("rows", "size", "last", "single", "count"), [
    (10, 3, False, False, 4), (10, 3, True, False, 3), (10, 3, False, True, 3), (11, 3, False, True, 4),
    (1, 3, True, True, 1), (9, 3, True, True, 3), (0, 3, False, False, 0), (5, 1, False, True, 5),
])  # fmt: skip
def test_batches_are_counted(rows, size, last, single, count):
    assert count_batches(rows, size, drop_last=last, drop_single=single) == count


def test_every_row_comes_once_in_an_order_that_follows_the_seed():
    samples = TensorSamples((torch.arange(10),))
    batches = [batch[0] for batch in samples.batches(4, shuffle_seed=1)]
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(torch.cat(batches).tolist()) == list(range(10))
    assert torch.equal(torch.cat(batches), torch.cat([b[0] for b in samples.batches(5, shuffle_seed=1)]))
    assert torch.cat([b[0] for b in samples.batches(4)]).tolist() == list(range(10))


def test_what_is_drawn_apart_follows_its_seed_and_disturbs_nobody():
    def draws():
        for _ in range(3):
            yield float(torch.rand(())) + np.random.rand() + random.random()

    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    once = list(draw_apart(draws(), OwnRandomness(7)))
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    torch.rand(1)
    assert once == list(draw_apart(draws(), OwnRandomness(7)))
    assert once != list(draw_apart(draws(), OwnRandomness(8)))
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_code_that_moves_batches_to_a_card_is_tried_there(monkeypatch):
    def attempt(device):
        if device == "cpu":
            raise TaskError("found at least two devices, cuda:0 and cpu!")
        return device

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TaskError):
        on_fitting_device(attempt)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert on_fitting_device(attempt) == "cuda"


def test_other_errors_are_not_tried_again(monkeypatch):
    tried = []

    def attempt(device):
        tried.append(device)
        raise TaskError("no such column")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(TaskError):
        on_fitting_device(attempt)
    assert tried == ["cpu"]
