"""Reasons of a verdict: at which epoch a rule is judged."""

from autoopt.tasks.profile import TaskProfile
from autoopt.verdict.reasons import check_rules

SMALL = TaskProfile("mlp", 2_000, 2_000, n_train=1_000)
LEVELS = [
    (1, {"rmsprop": 0.3, "adam": 0.3, "adadelta": 0.9, "sgd": 0.8}),
    (3, {"rmsprop": 0.2, "adam": 0.2, "sgd": 0.6}),
]


def judged(levels, rule):
    reasons = check_rules(SMALL, levels, 3, "minimize", 0.01, "adam")
    return next(reason for reason in reasons if reason.says.startswith(rule))


def test_one_given_up_early_was_not_alike():
    reason = judged(LEVELS, "RMSprop, Adadelta and Adam behave alike")
    assert reason.stance == "disagrees"
    assert reason.says.endswith("after 1 of 3 epochs)")


def test_one_that_was_never_tried_is_left_out_of_the_likeness():
    levels = [(1, {"rmsprop": 0.3, "adam": 0.3, "sgd": 0.8}), LEVELS[1]]
    reason = judged(levels, "RMSprop, Adadelta and Adam behave alike")
    assert reason.stance == "agrees"
    assert reason.says.endswith("(best RMSprop 0.2, Adam 0.2)")


def test_a_choice_is_judged_at_the_latest_epoch():
    assert judged(LEVELS, "Adam is the default").says.endswith(
        "(best Adam 0.2 against RMSprop 0.2, within the seed noise)"
    )


def test_alike_for_some_epochs_is_not_alike_in_the_end():
    levels = [(1, {"rmsprop": 0.3, "adam": 0.3, "adadelta": 0.3, "sgd": 0.8}), LEVELS[1]]
    assert judged(levels, "RMSprop, Adadelta and Adam behave alike").stance == "measured"
