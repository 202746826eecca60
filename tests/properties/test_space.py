"""Whatever is narrowed or fixed, and whoever chooses: a recipe comes out that can be trained."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from autoopt.catalogue import OPTIMIZERS, SCHEDULES, WARMUP
from autoopt.catalogue.rate import learning_rate
from autoopt.recipe import Recipe
from autoopt.space import build_space, check_recipe, reference_choices, suggest

FIXABLE = {
    "lr": st.floats(1e-6, 10),
    "weight_decay": st.floats(0, 1),
    "momentum": st.floats(0, 0.99),
    "beta1": st.floats(0, 0.999),
    "rho": st.floats(0, 0.999),
    "warmup": st.floats(0, 0.5),
    "gamma": st.floats(0.01, 1),
    "cycles": st.integers(1, 9),
    "batch_size": st.integers(1, 512),
    "clip_norm": st.one_of(st.none(), st.just("off"), st.floats(0.01, 10)),
}


class RandomChooser:
    """Answers anything allowed, ends of ranges included."""

    def __init__(self, draw):
        self.draw = draw
        self.asked = []

    def suggest_float(self, name, low, high, *, log=False):
        self.asked.append(name)
        assert math.isfinite(low)
        assert low < high
        assert not log or low > 0
        return self.draw(st.floats(low, high))

    def suggest_int(self, name, low, high):
        self.asked.append(name)
        assert low <= high
        return self.draw(st.integers(low, high))

    def suggest_categorical(self, name, choices):
        self.asked.append(name)
        return self.draw(st.sampled_from(choices))


class ObedientChooser:
    """Answers what it was told, if that is allowed."""

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    def suggest_float(self, name, low, high, *, log=False):
        self.asked.append(name)
        assert low <= self.answers[name] <= high
        return self.answers[name]

    suggest_int = suggest_float

    def suggest_categorical(self, name, choices):
        self.asked.append(name)
        assert self.answers[name] in choices
        return self.answers[name]


@st.composite
def spaces(draw):
    sparse = draw(st.booleans())
    dense = not sparse or draw(st.booleans())
    known = [name for name, entry in OPTIMIZERS.items() if entry.accepts(sparse=sparse, dense=dense)]
    optimizers = draw(st.lists(st.sampled_from(known), min_size=1))
    schedules = draw(st.lists(st.sampled_from(list(SCHEDULES)), min_size=1))
    present = {each.name for name in optimizers for each in OPTIMIZERS[name].hyperparameters}
    present |= {each.name for name in schedules for each in SCHEDULES[name].hyperparameters}
    present |= {"batch_size", "clip_norm"}
    if sparse:
        present -= {"weight_decay"}
    if all(OPTIMIZERS[name].batches != "any" for name in optimizers):
        present -= {"batch_size"}
    names = draw(st.lists(st.sampled_from(sorted(present & set(FIXABLE))), unique=True))
    return build_space(
        optimizers=optimizers,
        schedules=schedules,
        fixed={name: draw(FIXABLE[name]) for name in names},
        batch_sizes=draw(st.lists(st.integers(1, 512), max_size=3)),
        tune_clip=draw(st.booleans()),
        sparse_gradients=sparse,
        dense_gradients=dense,
        decay_all=draw(st.booleans()),
    )


def assert_in_range(hyperparameter, value):
    if hyperparameter.kind in ("float", "int") and not (hyperparameter.or_zero and value == 0):
        assert hyperparameter.low <= value <= hyperparameter.high, hyperparameter.name


@settings(deadline=None, max_examples=150)
@given(spaces(), st.data())
def test_every_choice_from_every_space_is_a_recipe_within_it(space, data):
    chooser = RandomChooser(data.draw)
    recipe = suggest(space, chooser)
    assert check_recipe(recipe) == recipe
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert recipe.optimizer in space.optimizers
    entry, schedule = OPTIMIZERS[recipe.optimizer], SCHEDULES[recipe.schedule]
    only = entry.schedules if entry.takes_schedule else ("constant",)
    assert recipe.schedule in (only or space.schedules)
    assert len(set(chooser.asked)) == len(chooser.asked)
    assert "optimizer" in chooser.asked
    assert ("schedule" in chooser.asked) == (not only)
    for name, value in {**recipe.settings, **recipe.schedule_settings}.items():
        owner = entry if name in recipe.settings else schedule
        if name in space.fixed:
            assert value == space.fixed[name]
        elif name == "lr":
            relative = value / learning_rate(entry, 1.0, recipe.settings)
            assert 0.03 * (1 - 1e-9) <= relative <= 30 * (1 + 1e-9)
        else:
            assert_in_range(owner.hyperparameter(name), value)
    shape = {each.name for each in schedule.hyperparameters} if entry.takes_schedule else set()
    assert set(recipe.schedule_settings) == shape
    assert not (space.sparse_gradients and recipe.settings.get("weight_decay"))


@settings(deadline=None, max_examples=150)
@given(spaces(), st.data())
def test_reference_answers_are_exactly_what_is_asked_and_allowed(space, data):
    optimizer = data.draw(st.sampled_from(space.optimizers))
    answers = reference_choices(space, optimizer)
    chooser = ObedientChooser(answers)
    recipe = suggest(space, chooser)
    assert sorted(chooser.asked) == sorted(answers)
    assert recipe.optimizer == optimizer
    assert check_recipe(recipe) == recipe
    for name, value in recipe.settings.items():
        if name not in space.fixed and name != "lr":
            assert value == OPTIMIZERS[optimizer].hyperparameter(name).reference
    if "warmup" not in space.fixed and "warmup" in recipe.schedule_settings:
        assert recipe.schedule_settings["warmup"] == WARMUP.reference
