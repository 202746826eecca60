"""What ``tune`` is given to train: a task, a loop, or a model with its data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoopt.errors import UsageError
from autoopt.loops.trial import Loop
from autoopt.options import Options
from autoopt.tasks.make import make_task
from autoopt.tasks.task import Task


def given_task(
    task: str | Path | Task | Loop | None, parts: Mapping[str, Any], options: Options
) -> str | Path | Task | Loop:
    """Return what to train: the task or loop, or the task that model, data and loss make."""
    given = {name: part for name, part in parts.items() if part is not None}
    if task is not None:
        if given:
            raise UsageError(
                f"{next(iter(given))} is for a model: give model=…, train=…, or the task, not both"
            )
        return task
    if "model" not in given:
        raise UsageError("nothing to train: give a task, a training loop, or model=… and train=…")
    if "train" not in given:
        raise UsageError("model=… needs train=…: a pair (X, y), a Dataset or a DataLoader")
    name = getattr(parts["model"], "__name__", type(parts["model"]).__name__)
    return make_task(model=parts["model"], train_data=parts["train"], val_data=parts["valid"],
                     test_data=parts["test"], loss=parts["loss"], objective=options.metric, epochs=options.epochs,
                     batch_size=options.batch_size, seed=options.seed,
                     name="model" if name == "<lambda>" else name)  # fmt: skip
