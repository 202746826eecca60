"""From a recipe back to the answers, and to the recipe again."""

import random

import pytest

from autoopt.errors import SpaceError
from autoopt.recipe import Recipe
from autoopt.space.answers import answers_for
from autoopt.space.build import build_space
from autoopt.space.choose import reference_choices, suggest
from autoopt.space.tidy import tidy
from autoopt.space.written import parse_recipe

EVERYTHING = build_space(optimizers="all", schedules="all", tune_clip=True, batch_sizes=[16, 32])
DENSE = EVERYTHING.optimizers


class Drawing:
    """Answers with tidy numbers, one optimizer given."""

    def __init__(self, optimizer, seed):
        self.optimizer, self.random = optimizer, random.Random(f"{optimizer} {seed}")

    def suggest_float(self, name, low, high, *, log=False):
        place = self.random.random()
        return tidy(low * (high / low) ** place if log else low + place * (high - low), low, high, log=log)

    def suggest_int(self, name, low, high):
        return self.random.randint(low, high)

    def suggest_categorical(self, name, choices):
        return self.optimizer if name == "optimizer" else self.random.choice(choices)


class Given:
    """Answers as told, and with nothing else."""

    def __init__(self, answers):
        self.answers = answers

    def suggest_float(self, name, low, high, *, log=False):
        return self.answers[name]

    def suggest_int(self, name, low, high):
        return self.answers[name]

    def suggest_categorical(self, name, choices):
        return self.answers[name]


def assert_close(one, other):
    """Equal names and choices, numbers equal but for rounding."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        number = isinstance(value, float) and not isinstance(value, bool)
        assert value == (pytest.approx(other[name], rel=1e-3) if number else other[name]), name


@pytest.mark.parametrize("optimizer", DENSE)
def test_answers_lead_back_to_the_recipe_and_stay_the_same(optimizer):
    for seed in range(20):
        recipe = suggest(EVERYTHING, Drawing(optimizer, seed))
        answers = answers_for(EVERYTHING, recipe)
        again = suggest(EVERYTHING, Given(answers))
        assert answers_for(EVERYTHING, again) == answers
        assert_close(again.settings, recipe.settings)
        assert_close(again.schedule_settings, recipe.schedule_settings)
        plain = ("optimizer", "schedule", "batch_size", "clip_norm", "clip_value")
        assert [getattr(again, name) for name in plain] == [getattr(recipe, name) for name in plain]


def test_the_reference_recipe_has_the_reference_answers():
    space = build_space()
    for name in space.optimizers:
        choices = reference_choices(space, name)
        assert_close(answers_for(space, suggest(space, Given(choices))), choices)


def test_what_a_person_wrote_is_answered_with_the_nearest():
    answers = answers_for(build_space(), parse_recipe("sgd lr=1e9 schedule=cosine"))
    assert answers["lr_relative"] == 30.0
    assert answers["warmup"] == 0.0
    assert answers["sgd.one_minus_momentum"] == 0.1


def test_what_is_fixed_is_not_among_the_answers():
    answers = answers_for(build_space(fixed={"lr": 0.1}), parse_recipe("sgd lr=0.1 schedule=cosine"))
    assert "lr_relative" not in answers


@pytest.mark.parametrize("recipe", [Recipe("lion", {"lr": 1e-4}), Recipe("adam", {"lr": 1e-3}, "wsd")])
def test_choices_outside_the_space_are_refused(recipe):
    with pytest.raises(SpaceError, match="is none of those searched"):
        answers_for(build_space(), recipe)


def test_tidy_numbers_are_short_stay_inside_and_stay_as_they_are():
    chance = random.Random(1)
    for _ in range(2000):
        low = 10 ** chance.uniform(-6, 2)
        high, log = low * 10 ** chance.uniform(0.01, 4), chance.random() < 0.5
        value = chance.uniform(low, high)
        short = tidy(value, low, high, log=log)
        assert low <= short <= high
        assert abs(short - value) <= (high - low) / 100
        assert tidy(short, low, high, log=log) == short
        assert tidy(short * (1 + 1e-14), low, high, log=log) == short
