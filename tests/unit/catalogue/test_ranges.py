import pytest

from autoopt.catalogue.ranges import Choices, Range, parse_range, read_range, split_source
from autoopt.errors import SpaceError


def test_a_source_may_hold_blanks_and_colons():
    assert split_source("C:/my files/lions.py:Lion lr=1e-5..1e-2 beta1=0.9") == (
        "C:/my files/lions.py:Lion",
        {"lr": "1e-5..1e-2", "beta1": "0.9"},
    )
    assert split_source("pkg.lions:Lion") == ("pkg.lions:Lion", {})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-5..1e-2", Range(1e-5, 1e-2)),
        ("2..20@5", Range(2, 20, 5)),
        ("-1..1.5", Range(-1, 1.5)),
        ("0.9", Choices((0.9,))),
        ("true,false", Choices((True, False))),
        ("l1,l2", Choices(("l1", "l2"))),
        ("1,2,2", Choices((1, 2))),
    ],
)
def test_ranges_are_read_as_written(written, meant):
    assert parse_range("x", written) == meant


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ((0.1, 1), Range(0.1, 1)),
        ((1, 9, 3), Range(1, 9, 3)),
        ([1, 2], Choices((1, 2))),
        (True, Choices((True,))),
    ],
)
def test_ranges_are_read_from_python(given, meant):
    assert read_range("x", given) == meant


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", r"lr= says nothing: write NAME=LOW\.\.HIGH"),
        ("1,", "lr=1, says nothing"),
        ("1e-3..", r"lr=1e-3\.\. lacks one end of its range"),
        ("..1", "lacks one end of its range"),
        ("1..2@", "lacks one end of its range or its best guess"),
        ("1e-2..1e-3", "lr from 0.01 to 0.001 is no range: the low end must be less"),
        ("1..1", "the low end must be less"),
        ("1..2@5", "lr from 1 to 2 does not hold its best guess 5"),
        ("a..b", r"the range of lr is \('a', 'b'\)"),
        ("nan..1", "the range of lr is"),
        ("inf", "numbers finite"),
        ("a(b)", "words without blanks"),
    ],
)
def test_what_is_no_range_says_how_to_write_one(written, message):
    with pytest.raises(SpaceError, match=message):
        parse_range("lr", written)


@pytest.mark.parametrize(
    "given", [None, (), [], (1,), (1, 2, 3, 4), ("a", "b"), {"low": 1}, [None], (True, False)]
)
def test_what_is_no_range_in_python_is_refused(given):
    with pytest.raises(SpaceError, match="the range of lr is"):
        read_range("lr", given)


def test_a_name_may_come_once():
    with pytest.raises(SpaceError, match="lr is given twice: lr=1 and lr=2"):
        split_source("a:B lr=1 lr=2")
