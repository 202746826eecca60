"""The ladder: it is climbed only where the first rates all say so, and no further than it pays."""

import math

from autoopt.search.ladder import CLIMBERS, Ladder, climb

UP = {name: {1: 1.0, 4: 0.5 + place / 10} for place, name in enumerate(["sgd", "adam", "lion", "muon"])}
DOWN = {name: {1: seen[4], 4: seen[1]} for name, seen in UP.items()}


def with_looks(looks, **more):
    return {name: {**seen, **more.get(name, {})} for name, seen in looks.items()}


def test_first_rates_that_are_right_for_somebody_hold():
    assert climb({**UP, "adagrad": {1: 0.4, 4: 0.6}}, 1, 4) == Ladder()
    assert climb({}, 1, 4) == climb({"sgd": {1: 0.5}}, 1, 4) == Ladder()


def test_the_best_go_a_step_further_where_all_first_rates_were_too_low():
    assert climb(UP, 1, 4) == Ladder(4, {"sgd": 16.0, "adam": 16.0, "lion": 16.0})
    assert len(climb(UP, 1, 4).next) == CLIMBERS


def test_and_a_step_lower_where_all_were_too_high():
    assert climb(DOWN, 1, 4) == Ladder(1, {"sgd": 0.25, "adam": 0.25, "lion": 0.25})


def test_what_was_looked_at_is_not_asked_for_again():
    assert climb(with_looks(UP, sgd={16: 0.1}), 1, 4) == Ladder(4, {"adam": 16.0, "lion": 16.0})


def test_it_goes_on_while_most_gain_and_ends_where_they_do_not():
    two = with_looks(UP, sgd={16: 0.1}, adam={16: 0.2}, lion={16: 2.0})
    assert climb(two, 1, 4) == Ladder(16, {"sgd": 64.0, "adam": 64.0, "lion": 64.0})
    one = with_looks(UP, sgd={16: 0.1}, adam={16: 3.0}, lion={16: 2.0})
    assert climb(one, 1, 4) == Ladder(4)


def test_rates_at_which_all_diverged_lead_down():
    dead = {name: {1: math.inf, 4: math.inf} for name in UP}
    assert set(climb(dead, 1, 4).next.values()) == {0.25}
    assert set(climb(with_looks(dead, sgd={0.25: math.inf}, adam={0.25: math.inf}, lion={0.25: math.inf}), 1, 4)
               .next.values()) == {0.0625}  # fmt: skip


def test_it_ends_somewhere_even_if_everything_diverges():
    looks, steps = {"sgd": {1.0: math.inf, 4.0: math.inf}}, 0
    while further := climb(looks, 1.0, 4.0).next:
        looks["sgd"] |= dict.fromkeys(further.values(), math.inf)
        steps += 1
    assert 3 < steps < 10
