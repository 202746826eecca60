"""The playground: its surfaces are what they seem, and its walks are those of the catalogue's rules."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoopt.catalogue import SCHEDULES
from autoopt.dashboard.charts.surface import draw_contours, draw_losses, draw_surface, walks_table
from autoopt.dashboard.playground.surfaces import SURFACES
from autoopt.dashboard.playground.walk import Plan, extras, good_rate, walk, walkers

RAVINE = SURFACES["ravine"]


def test_there_are_six_surfaces_and_a_noisy_one():
    assert len([surface for surface in SURFACES.values() if not surface.noise]) >= 6
    assert any(surface.noise for surface in SURFACES.values())


@pytest.mark.parametrize("name", SURFACES)
def test_the_loss_vanishes_at_its_minima_and_is_above_elsewhere(name):
    surface = SURFACES[name]
    for minimum in surface.minima:
        assert surface.loss(*minimum) == pytest.approx(0.0, abs=1e-8)
    x, y = np.meshgrid(np.linspace(*surface.x, 40), np.linspace(*surface.y, 40))
    assert (surface.loss(x, y) >= 0).all()


@pytest.mark.parametrize("name", SURFACES)
@given(place=st.tuples(st.floats(0, 1), st.floats(0, 1)))
@settings(max_examples=20, deadline=None)
def test_the_gradient_is_that_of_the_loss(name, place):
    surface = SURFACES[name]
    x, y = (
        low + share * (high - low) for share, (low, high) in zip(place, (surface.x, surface.y), strict=True)
    )
    h = 1e-6
    numeric = ((surface.loss(x + h, y) - surface.loss(x - h, y)) / (2 * h),
               (surface.loss(x, y + h) - surface.loss(x, y - h)) / (2 * h))  # fmt: skip
    assert surface.gradient(x, y) == pytest.approx(numeric, rel=1e-4, abs=1e-3)


def test_plain_gradient_descent_is_as_by_hand():
    went = walk(RAVINE, Plan("sgd", {"lr": 0.1}, (1.0, 1.0), steps=1))
    assert went.path[1] == pytest.approx([1 - 0.1 * 0.2, 1 - 0.1 * 10])


@pytest.mark.parametrize("name", walkers())
def test_every_walker_comes_lower_at_its_good_rate(name):
    rate = good_rate(RAVINE, name, RAVINE.start, steps=60)
    went = walk(RAVINE, Plan(name, {"lr": rate, **extras(name)}, RAVINE.start, steps=60))
    assert not went.diverged
    assert went.losses[-1] < went.losses[0]


def test_a_walk_that_leaves_for_infinity_ends_there():
    went = walk(RAVINE, Plan("sgd", {"lr": 10.0}, (1.0, 1.0), steps=100))
    assert went.diverged
    assert len(went.path) < 100
    assert np.isfinite(went.losses).all()


def test_clipping_bounds_the_step_of_gradient_descent():
    went = walk(RAVINE, Plan("sgd", {"lr": 1.0}, (4.0, 1.0), steps=1, clip_norm=0.5))
    assert math.dist(went.path[0], went.path[1]) == pytest.approx(0.5)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_can_be_walked_by(name):
    usual = {h.name: h.reference for h in SCHEDULES[name].hyperparameters}
    assert len(walk(RAVINE, Plan("sgd", {"lr": 0.01}, (1.0, 1.0), 20, name, usual)).path) == 21


def test_who_walks_side_by_side_meets_the_same_noise():
    plan = Plan("sgd", {"lr": 0.01}, (1.0, 1.0), steps=20, seed=3)
    noisy = SURFACES["noisy"]
    assert (walk(noisy, plan).path == walk(noisy, plan).path).all()
    assert (walk(noisy, plan).path != walk(RAVINE, plan).path).any()


def test_the_pictures_hold_a_trail_for_each_walk():
    walks = {
        name: walk(RAVINE, Plan(name, {"lr": 0.01, **extras(name)}, RAVINE.start, 30))
        for name in ("sgd", "adam")
    }
    contours = draw_contours(RAVINE, walks)
    assert [trace.name for trace in contours.data[1:3]] == ["SGD", "Adam"]
    assert len(contours.frames[-1].data[0].x) == 31
    assert contours.frames[-1].data[2].x == (round(float(walks["sgd"].path[-1, 0]), 5),)
    assert len(contours.layout.sliders[0].steps) == len(contours.frames)
    assert [trace.type for trace in draw_surface(RAVINE, walks).data] == ["surface", "scatter3d", "scatter3d"]
    assert len(draw_losses(walks).data) == 2
    assert len(walks_table(walks)) == 62


def test_a_walk_that_diverges_does_not_press_the_others_flat():
    walks = {
        name: walk(RAVINE, Plan(name, {"lr": rate}, RAVINE.start, 60))
        for name, rate in (("sgd", 9.0), ("adam", 0.1))
    }
    assert walks["sgd"].diverged
    assert draw_losses(walks).layout.yaxis.range[1] < math.log10(1000 * walks["adam"].losses[0])
