"""Reasons of a verdict: at which epoch a rule is judged."""

from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Purpose, Run, RunRecord
from autoopt.tasks.profile import TaskProfile
from autoopt.verdict.reasons import check_rules, find_symptoms

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


CHOSEN = Recipe("adamw", {"lr": 0.01})
FALLING, RISING = (1.0, 0.9, 0.8, 0.7, 0.6, 0.55), (1.0, 0.8, 0.9, 1.1, 1.3, 1.5)


def confirming(*courses, recipe=CHOSEN):
    """Confirming runs of a recipe whose validation losses take these courses while training gets better."""
    runs = [Run(n, recipe, n, 6, Purpose.CONFIRM) for n in range(len(courses))]
    reports = {
        run.id: [
            EpochReport(run.id, e, 1 / e, loss, loss, learning_rate=0.01 / e)
            for e, loss in enumerate(course, 1)
        ]
        for run, course in zip(runs, courses, strict=True)
    }
    return [RunRecord(run) for run in runs], reports


def test_a_symptom_of_most_confirming_runs_is_a_caution_with_its_remedy():
    (reason,) = find_symptoms(CHOSEN, *confirming(RISING, FALLING, RISING), "minimize")
    assert (reason.stance, reason.source) == ("caution", "D2")
    assert reason.says.startswith(
        "2 of 3 confirming runs show overfitting: the validation loss rose from 0.8 after"
    )
    assert reason.says.endswith("What helps: add weight decay, or stop early")


def test_a_symptom_of_a_single_run_or_of_another_recipe_is_no_caution():
    assert find_symptoms(CHOSEN, *confirming(RISING, FALLING, FALLING), "minimize") == []
    assert find_symptoms(CHOSEN, *confirming(RISING, RISING, recipe=Recipe("sgd")), "minimize") == []
