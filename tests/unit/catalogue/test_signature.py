import inspect

import pytest

from autoopt.catalogue.own import check_apart, entry_from_dict, entry_of, entry_to_dict, tell_difference
from autoopt.catalogue.ranges import parse_range
from autoopt.catalogue.rate import learning_rate, reference_settings
from autoopt.catalogue.signature import describe_optimizer
from autoopt.errors import SpaceError
from autoopt.recipe import Own, Recipe

OWN = Own("lions:Lion", "/home/ada/lions.py", code="abc")


def usual(
    params, lr=2e-3, betas=(0.95, 0.98), momentum=0.9, weight_decay=0.0, eps=1e-8, nesterov=False, rho=3.0
):
    """The signature of most torch optimizers."""


def describe(function=usual, name="mylion", **written):
    ranges = {each: parse_range(each, text) for each, text in written.items()}
    return describe_optimizer(name, OWN, inspect.signature(function), ranges)


def test_ranges_are_guessed_from_names_and_defaults_alone():
    found = {h.name: (h.low, h.high, h.reference) for h in describe().hyperparameters}
    assert list(found) == ["lr", "beta1", "beta2", "momentum", "weight_decay"]
    assert found["lr"] == pytest.approx((6e-5, 6e-2, 2e-3))
    assert found["beta1"] == (0.5, 0.99, 0.95)
    assert found["momentum"] == (0.0, 0.995, 0.9)
    assert found["weight_decay"] == (1e-5, 0.1, 0.0)


def test_a_guessed_range_is_made_to_hold_the_default():
    entry = describe(lambda params, lr=1, betas=(0.0, 0.99999), weight_decay=0.5: None)
    assert entry.hyperparameter("beta1").low == 0.0
    assert entry.hyperparameter("beta2").high == 0.99999
    assert entry.hyperparameter("weight_decay").high == 0.5


def test_what_is_not_a_number_is_left_alone():
    entry = describe(lambda params, lr=1e-3, betas=None, momentum=None, weight_decay=None: None)
    assert [h.name for h in entry.hyperparameters] == ["lr"]


@pytest.mark.parametrize(
    ("name", "written", "expected"),
    [
        ("weight_decay", "1e-3..1", ("float", "log", 1e-3, 1.0, False)),
        ("weight_decay", "0..1", ("float", "log", 1e-3, 1.0, True)),
        ("beta1", "0.8..0.99", ("float", "one_minus_log", 0.8, 0.99, False)),
        ("eps", "1e-9..1e-6", ("float", "log", 1e-9, 1e-6, False)),
        ("rho", "1..5", ("float", "linear", 1.0, 5.0, False)),
    ],
)
def test_a_given_range_is_walked_as_its_name_and_width_suggest(name, written, expected):
    h = describe(**{name: written}).hyperparameter(name)
    assert (h.kind, h.scale, h.low, h.high, h.or_zero) == pytest.approx(expected)


def test_whole_numbers_stay_whole_where_the_default_is_whole():
    made = describe(lambda params, lr=1e-3, every=5, warm=None: None, every="1..20", warm="2..8")
    assert [(h.kind, h.reference) for h in made.hyperparameters[1:]] == [("int", 5), ("int", 5)]


def test_choices_are_switches_or_choices_and_one_value_stands():
    entry = describe(nesterov="true,false", rho="1,2", eps="1e-6")
    assert entry.hyperparameter("nesterov").kind == "bool"
    assert entry.hyperparameter("nesterov").reference is False
    assert entry.hyperparameter("rho").choices == (1, 2)
    assert reference_settings(entry)["eps"] == 1e-6


def test_the_best_guess_is_the_one_given_else_a_default_within_the_range_else_the_middle():
    assert describe(lr="1e-5..1@0.1").hyperparameter("lr").reference == 0.1
    assert describe(lr="1e-5..1").hyperparameter("lr").reference == 2e-3
    assert describe(lr="1e-3..1e-1").hyperparameter("lr").reference == pytest.approx(1e-2)
    assert describe(lr="0.01").hyperparameter("lr").reference == 0.01
    assert describe(rho="10..20").hyperparameter("rho").reference == 15
    assert describe(momentum="0.99..0.999").hyperparameter("momentum").reference == pytest.approx(
        0.99684, abs=1e-5
    )


def test_the_relative_rates_of_all_optimizers_are_laid_over_a_given_range():
    entry = describe(lr="1e-4..1e-1@1e-3")
    assert learning_rate(entry, 0.03, {}) == pytest.approx(1e-4)
    assert learning_rate(entry, 1.0, {}) == pytest.approx(1e-3)
    assert learning_rate(entry, 30.0, {}) == pytest.approx(1e-1)
    assert 1e-3 < learning_rate(entry, 4.0, {}) < 1e-1


def test_the_parts_of_a_tuple_reach_it_and_what_is_not_set_is_its_default():
    arguments = describe().arguments
    assert arguments({"lr": 1.0, "beta2": 0.5}) == {"lr": 1.0, "betas": (0.95, 0.5)}
    assert arguments({"lr": 1.0, "rho": 2.0}) == {"lr": 1.0, "rho": 2.0}


def test_arguments_of_a_class_that_are_called_like_parts_of_a_tuple_keep_their_name():
    prodigy = lambda params, lr=1.0, betas=(0.9, 0.999), beta3=None: None  # noqa: E731
    plain = lambda params, lr=1.0, beta1=0.9: None  # noqa: E731
    assert describe(prodigy, beta3="0.9..0.99").arguments({"beta3": 0.95}) == {"beta3": 0.95}
    assert describe(plain, beta1="0.8..0.9").arguments({"beta1": 0.85}) == {"beta1": 0.85}


@pytest.mark.parametrize(
    ("function", "written", "message"),
    [
        (lambda *args, **kwargs: None, {}, "first argument must be the parameters"),
        (lambda: None, {}, "first argument must be the parameters"),
        (lambda *, params, lr=1: None, {}, "first argument must be the parameters"),
        (lambda params, lr=1, /: None, {}, "takes lr by position only"),
        (lambda params, rate=1: None, {}, "Lion has no argument lr"),
        (lambda params, lr: None, {}, r"Lion needs lr, which has no default: give its range, lr=LOW\.\.HIGH"),
        (lambda params, lr=None: None, {}, "lr has no default above 0"),
        (lambda params, lr=0.0: None, {}, "lr has no default above 0"),
        (lambda params, model, lr=1: None, {}, r"needs model, which has no default: give its range, model="),
        (usual, {"lr": "0..1"}, "begin above 0"),
        (usual, {"lr": "0.1,0.2"}, "lr is searched as a range"),
        (usual, {"lr": "fast"}, "lr is searched as a range"),
        (usual, {"beta1": "0.9..1"}, "beta1 from 0.9 to 1 is no range: it goes from 0 to below 1"),
        (usual, {"weight_decay": "-1..1"}, "must not be negative"),
        (usual, {"betas": "0.8,0.9"}, "betas of Lion is a tuple, which has no range: give beta1, beta2"),
        (usual, {"beta3": "0.8..0.9"}, "unknown argument of Lion 'beta3': did you mean 'beta"),
        (usual, {"warmup": "0..1"}, "warmup of Lion cannot be searched: the name has another meaning"),
    ],
)  # fmt: skip
def test_what_is_no_optimizer_or_no_range_of_it_is_refused(function, written, message):
    with pytest.raises(SpaceError, match=message):
        describe(function, **written)


def test_a_class_that_takes_anything_takes_any_range():
    entry = describe(lambda params, **anything: None, lr="1e-4..1e-2", tau="0.1..1")
    assert [h.name for h in entry.hyperparameters] == ["lr", "tau"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "adamw",
            "the catalogue has an optimizer 'adamw' already: give lions:Lion another name.*name=my_adamw",
        ),
        ("MyLion", "use lower-case letters"),
        ("my lion", "use lower-case letters"),
    ],
)
def test_a_name_that_is_taken_or_no_name_is_refused(name, message):
    with pytest.raises(SpaceError, match=message):
        describe(name=name)


def test_two_of_ones_own_need_two_names():
    check_apart([describe(), describe(name="other")])
    with pytest.raises(SpaceError, match="would both be called 'mylion'"):
        check_apart([describe(), describe()])


def test_an_entry_survives_being_remembered():
    entry = describe(nesterov="true,false", rho="1,2")
    again = entry_from_dict(entry_to_dict(entry))
    assert entry_to_dict(again) == entry_to_dict(entry)
    assert again.hyperparameters == entry.hyperparameters


@pytest.mark.parametrize(
    "data", [{}, {"name": "x", "own": None}, {"name": "x", "hyperparameters": [{"x": 1}]}]
)
def test_what_is_no_remembered_entry_is_refused(data):
    with pytest.raises(SpaceError):
        entry_from_dict(data)


def test_a_recipe_alone_tells_its_optimizer_without_importing_anything():
    entry = entry_of(Recipe("mylion", {"lr": 1.0}, own=Own("nowhere.lions:Lion")))
    assert (entry.title, entry.target) == ("Lion", "nowhere.lions:Lion")
    with pytest.raises(SpaceError, match="unknown optimizer 'mylion'"):
        entry_of(Recipe("mylion"))


def test_what_has_changed_since_is_told():
    before = [entry_to_dict(describe())]
    assert tell_difference(before, before) == ""
    assert "own: mylion; now they are: none" in tell_difference(before, [])
    assert "mylion has other ranges" in tell_difference(before, [entry_to_dict(describe(lr="1e-4..1"))])
    changed = [{**before[0], "own": {**before[0]["own"], "code": "def"}}]
    assert "the code of mylion has changed" in tell_difference(before, changed)
    moved = [{**before[0], "own": {**before[0]["own"], "file": "/elsewhere/lions.py"}}]
    assert "mylion lives in /elsewhere/lions.py now" in tell_difference(before, moved)
