"""Symptoms of the confirming runs among the reasons of a verdict."""

from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Purpose, Run, RunRecord
from autoopt.verdict.reasons import find_symptoms

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
