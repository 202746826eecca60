"""Each run draws from random streams of its own."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from autoopt.training.streams import RandomStreams, shuffle_seed


def _draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_streams_begin_as_after_seeding_each_library() -> None:
    with RandomStreams(7).active():
        drawn = _draw()
    expected = random.Random(7).random(), np.random.RandomState(7).rand()
    assert drawn[:2] == expected
    assert drawn[2] == float(torch.rand((), generator=torch.Generator().manual_seed(7)))


def test_interleaved_streams_give_what_each_gives_alone() -> None:
    def alone(seed: int) -> list[tuple[float, float, float]]:
        with RandomStreams(seed).active():
            return [_draw() for _ in range(4)]

    first, second, drawn = RandomStreams(1), RandomStreams(2), {1: [], 2: []}
    for _ in range(4):
        for seed, streams in ((1, first), (2, second)):
            with streams.active():
                drawn[seed].append(_draw())
    assert drawn == {1: alone(1), 2: alone(2)}


def test_the_callers_numbers_go_on_as_if_nothing_had_been_drawn() -> None:
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    expected = [_draw(), _draw()]
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    before = _draw()
    with RandomStreams(1).active():
        torch.manual_seed(99), np.random.seed(99), random.seed(99)
        _draw()
    assert [before, _draw()] == expected


def test_the_callers_numbers_go_on_after_an_error_too() -> None:
    state = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), RandomStreams(1).active():
        _ = 1 / int(torch.rand(3).numel() == 0)
    assert torch.equal(torch.get_rng_state(), state)


def test_seeds_of_any_size_and_sign_are_taken() -> None:
    for seed in (-1, 2**32 + 5, 2**70):
        with RandomStreams(seed).active():
            _draw()
        assert 0 <= shuffle_seed(seed, 1) < 2**32


def test_every_seed_and_epoch_has_a_data_order_of_its_own() -> None:
    seeds = {shuffle_seed(seed, epoch) for seed in range(20) for epoch in range(1, 21)}
    assert len(seeds) == 400
