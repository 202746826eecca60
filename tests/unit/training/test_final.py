import pytest
import torch

from autoopt.errors import StudyFailed
from autoopt.run import Run
from autoopt.space.written import parse_recipe
from autoopt.training.evaluation import evaluate
from autoopt.training.final import train_model
from autoopt.training.serial import serial_cohort
from tests.unit.training.examples import make_task

RECIPE = parse_recipe("adamw lr=0.05")


@pytest.mark.parametrize("recipe", [RECIPE, parse_recipe("schedule_free_adamw lr=0.05")])
def test_the_model_for_keeps_scores_what_the_run_scored(recipe):
    task = make_task()
    cohort = serial_cohort(task, [Run(0, recipe, seed=5, epochs=3)])
    for _ in range(3):
        (report,) = cohort.advance()
    model = train_model(task, recipe, seed=5)
    assert not model.training
    assert evaluate(task, model, task.valid, "cpu", 256).loss == pytest.approx(report.valid_loss)


def test_it_says_so_when_the_training_diverges():
    with pytest.raises(StudyFailed, match="diverged in epoch"):
        train_model(make_task(), parse_recipe("sgd lr=1e30"))


def test_the_callers_random_numbers_are_left_alone():
    before = torch.get_rng_state()
    train_model(make_task(), RECIPE)
    assert torch.equal(before, torch.get_rng_state())
