"""Rules against what a study measured."""

from __future__ import annotations

import math

import pytest

from autoopt.guidance.audit import Measured, judge, say_once
from autoopt.guidance.rule import Evidence, Figure, Rule

MOMENTUM = Rule("momentum", "choice", "Large simple models: SGD.", ("D4",), favours=("sgd",))
ALIKE = Rule("alike", "alike", "They behave alike.", ("D5",), favours=("rmsprop", "adadelta", "adam"))


def measured(
    low: float, high: float, figures: str = "best SGD 0.1 against Adam 0.2", **more: bool
) -> Measured:
    return Measured(low, (low + high) / 2, high, "loss", figures, **more)  # type: ignore[arg-type]


def test_a_finding_reads_as_a_line_with_figures() -> None:
    finding = judge(MOMENTUM, measured(0.05, 0.15))

    assert str(finding) == "agrees D4: Large simple models: SGD. (best SGD 0.1 against Adam 0.2)"


@pytest.mark.parametrize(
    ("low", "high", "stance"),
    [
        (0.01, 0.2, "agrees"),
        (-0.2, -0.01, "disagrees"),
        (-0.1, 0.1, "undecided"),
        (-math.inf, math.inf, "undecided"),
    ],
)
def test_an_interval_on_one_side_of_zero_decides(low: float, high: float, stance: str) -> None:
    assert judge(MOMENTUM, Measured(low, 0.0, high, "loss", "-")).stance == stance


def test_what_could_not_have_shown_the_opposite_decides_nothing() -> None:
    assert judge(MOMENTUM, measured(0.01, 0.2, telling=False)).stance == "undecided"
    assert judge(ALIKE, measured(-0.1, 0.1, telling=False)).stance == "undecided"


def test_those_alike_must_not_lie_apart() -> None:
    assert judge(ALIKE, measured(-0.1, 0.1)).stance == "agrees"
    assert judge(ALIKE, measured(0.01, 0.1)).stance == "disagrees"
    assert judge(ALIKE, Measured(-math.inf, 0.1, math.inf, "loss", "-")).stance == "undecided"


def test_what_was_not_tested_says_why() -> None:
    finding = judge(MOMENTUM, "SGD was not tried")

    assert (finding.stance, finding.figures, finding.measured) == ("not tested", "SGD was not tried", None)


def test_what_others_published_stands_beside_what_was_measured() -> None:
    rule = Rule("x", "practice", "Do.", ("D1",), evidence=Evidence("mixed", (Figure("-", "DeepOBS"),)))

    assert judge(rule, measured(0.1, 0.2)).published == "mixed"


def test_two_rules_that_the_same_comparison_tests_are_said_once_with_both_sources() -> None:
    default = Rule("default", "choice", "Adam is the default.", ("D2", "D4"), favours=("adam",))
    small = Rule("small", "choice", "Small data sets call for Adam.", ("D3", "D4"), favours=("adam",))
    found = [judge(rule, measured(0.1, 0.2)) for rule in (default, small)]

    (finding,) = say_once(found)

    assert finding.says == "Adam is the default; small data sets call for Adam."
    assert finding.source == "D2, D3, D4"


def test_rules_with_other_figures_or_without_any_stay_apart() -> None:
    found = [judge(MOMENTUM, measured(0.1, 0.2)), judge(ALIKE, measured(-0.1, 0.2, "others"))]
    untested = [judge(rule, "nobody was tried") for rule in (MOMENTUM, ALIKE)]

    assert say_once([*found, *untested]) == [*found, *untested]
