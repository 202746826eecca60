"""One training for keeps: a model trained to its end with a recipe."""

from __future__ import annotations

from torch import nn

from autoopt.errors import StudyFailed
from autoopt.recipe import Recipe
from autoopt.run import Purpose, Run
from autoopt.tasks.task import Task
from autoopt.training.trainee import Trainee


def train_model(task: Task, recipe: Recipe, seed: int = 0, device: str = "cpu") -> nn.Module:
    """Train a fresh model for all its epochs, as the confirmation does, and return it ready to predict.

    Args:
        device: as ``choose_device`` gives it.

    Raises:
        StudyFailed: the training diverged.
        Exception: whatever the user's model raises.
    """
    trainee = Trainee(task, Run(0, recipe, seed, task.epochs, Purpose.CONFIRM), device)
    for _ in range(task.epochs):
        if trainee.train_epoch().over:
            raise StudyFailed(
                f"the training with {recipe} diverged in epoch {trainee.epoch}: take a lower rate"
            )
    return trainee.trained_model()
