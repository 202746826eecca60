"""Advice on a task, without training it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoopt.guidance.guide import Guidance, guide
from autoopt.subject import total_steps
from autoopt.tasks.gradient_noise import measure_gradients
from autoopt.tasks.load import load_task
from autoopt.tasks.profile import profile_task
from autoopt.tasks.task import Task
from autoopt.training.own_entry import OptimizerSource, read_optimizers


def suggest(task: str | Path | Task, optimizers: str | Sequence[OptimizerSource] | None = None) -> Guidance:
    """Return advice without training: recipes worth trying, best first, each with its reasons.

    Args:
        task: path of a Python file, ``package.module``, or a Task.
        optimizers: names, or optimizers of your own, to rank; those that rules or measurements speak for if ``None``.

    Raises:
        UsageError: something that the caller can mend.

    >>> import torch
    >>> from autoopt.tasks.make import make_task
    >>> X, y = torch.randn(64, 4), torch.randint(2, (64,))
    >>> advice = suggest(make_task(model=lambda: torch.nn.Linear(4, 2), train_data=(X, y)), optimizers=["adamw"])
    >>> advice.advice[0].recipe.optimizer
    'adamw'
    """
    names, own = read_optimizers(optimizers, ())
    loaded = task if isinstance(task, Task) else load_task(task)
    profile = profile_task(loaded, measure_gradients(loaded))
    return guide(profile, names, own, total_steps(loaded))
