"""Rules against scores."""

from __future__ import annotations

import math

import pytest

from autoopt.guidance.audit import audit
from autoopt.guidance.library import load_rules
from autoopt.guidance.rule import Condition, Rule
from autoopt.run import Direction
from autoopt.tasks.profile import TaskProfile

LARGE = TaskProfile("mlp", 2_000_000, 2_000_000, n_train=50_000)
MOMENTUM = Rule("momentum", "choice", "Large simple models: SGD.", ("D4",), favours=("sgd",))
ALIKE = Rule("alike", "alike", "They behave alike.", ("D5",), favours=("rmsprop", "adadelta", "adam"))


def stance(
    rule: Rule, scores: dict[str, float], *, direction: Direction = "minimize", noise: float | None = 0.001
) -> str:
    return audit([rule], LARGE, scores, direction, noise, "adamw")[0].stance


def test_a_finding_reads_as_a_line_with_figures_in_three_digits() -> None:
    scores = {"sgd": 0.13412, "adamw": 0.10291, "adam": 0.11}

    (finding,) = audit([MOMENTUM], LARGE, scores, "minimize", 0.002, "adamw")

    assert str(finding) == (
        "disagrees D4: Large simple models: SGD. (best SGD 0.134 against AdamW 0.103)"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sgd", "direction", "noise", "expected"),
    [
        (0.08, "minimize", 0.001, "agrees"),
        (0.12, "minimize", 0.001, "disagrees"),
        (0.12, "maximize", 0.001, "agrees"),
        (0.08, "maximize", 0.001, "disagrees"),
        (0.08, "minimize", 0.02, "undecided"),
        (0.12, "maximize", 0.02, "undecided"),
        (0.099, "minimize", None, "agrees"),
        (0.1, "minimize", None, "undecided"),
        (math.nan, "minimize", 0.001, "not tested"),
    ],
)
def test_the_favoured_must_be_ahead_by_more_than_the_seed_noise(
    sgd: float, direction: Direction, noise: float | None, expected: str
) -> None:
    assert stance(MOMENTUM, {"sgd": sgd, "adamw": 0.1}, direction=direction, noise=noise) == expected


def test_the_best_of_each_side_is_compared() -> None:
    rule = Rule("adam", "choice", "Adam.", ("D2",), favours=("adam", "adamw"))

    (finding,) = audit(
        [rule], LARGE, {"adam": 0.3, "adamw": 0.1, "sgd": 0.2, "radam": 0.4}, "minimize", 0.01, "sgd"
    )

    assert (finding.stance, finding.figures) == ("agrees", "best AdamW 0.1 against SGD 0.2")


def test_a_rule_over_certain_optimizers_is_compared_with_those_only() -> None:
    rule = Rule("sparser", "choice", "Adam over RMSprop.", ("D5",), favours=("adam",), over=("rmsprop",))

    assert stance(rule, {"adam": 0.2, "rmsprop": 0.3, "sgd": 0.1}) == "agrees"
    (finding,) = audit([rule], LARGE, {"adam": 0.2, "sgd": 0.1}, "minimize", None, "sgd")
    assert (finding.stance, finding.figures) == ("not tested", "RMSprop was not tried")


def test_one_optimizer_alone_tests_nothing() -> None:
    (finding,) = audit([MOMENTUM], LARGE, {"sgd": 0.1}, "minimize", None, "sgd")

    assert (finding.stance, finding.figures) == ("not tested", "no other optimizer was tried")


def test_optimizers_alike_lie_within_the_seed_noise() -> None:
    assert stance(ALIKE, {"rmsprop": 0.1, "adam": 0.101, "sgd": 0.3}) == "agrees"
    assert stance(ALIKE, {"rmsprop": 0.1, "adam": 0.101, "adadelta": 0.2}) == "disagrees"
    assert stance(ALIKE, {"rmsprop": 0.1, "adam": 0.101}, noise=None) == "undecided"
    assert stance(ALIKE, {"rmsprop": 0.1, "sgd": 0.1}) == "not tested"


def test_noise_that_hides_every_difference_shows_no_likeness() -> None:
    assert stance(ALIKE, {"rmsprop": 0.1, "adam": 0.101, "sgd": 0.3}, noise=0.5) == "undecided"


def test_the_default_is_not_held_against_its_own_variants() -> None:
    default = next(rule for rule in load_rules() if rule.id == "adam-by-default")
    assert stance(default, {"adam": 0.2, "sgd": 0.3, "nadam": 0.1, "radam": 0.1}) == "agrees"


def test_rules_for_other_tasks_and_rules_that_scores_do_not_test_are_left_out() -> None:
    other = Rule("other", "choice", "-", ("D2",), when=(Condition("family", ("rnn",)),), favours=("sgd",))
    practice = Rule("practice", "practice", "-", ("D1",))

    assert audit([other, practice], LARGE, {"sgd": 0.1, "adam": 0.2}, "minimize", None, "sgd") == []


def test_findings_about_the_choice_come_first_then_by_stance() -> None:
    scores = {"sgd": 0.1, "adam": 0.2, "adamw": 0.21}

    findings = audit(load_rules(), LARGE, scores, "minimize", 0.001, "sgd")

    assert [(f.rule_id, f.stance) for f in findings] == [
        ("large-simple-sgd-momentum", "agrees"),
        ("adam-by-default", "disagrees"),
        ("rmsprop-adadelta-adam-alike", "not tested"),
    ]
