"""What ``tune`` is given to train: a task, a loop, or a model with its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoopt.catalogue.available import check_available
from autoopt.catalogue.misfit import misfit
from autoopt.catalogue.own import entry_of
from autoopt.errors import SpaceError, UsageError
from autoopt.loops.trial import Loop
from autoopt.options import Options
from autoopt.recipe import Recipe
from autoopt.space.check import check_recipe
from autoopt.space.written import BASELINE, SPARSE_BASELINE
from autoopt.subject import Subject
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


def complete_baseline(given: Recipe | None, subject: Subject) -> Recipe:
    """Return the baseline, with the batch size and the hyperparameters of the loop where it has none of its own."""
    sparse = subject.sparse_gradients
    if given:
        given = check_recipe(given)
        entry = entry_of(given)
        check_available(entry)
        if reason := misfit(entry, **subject.limits):
            raise SpaceError(f"the baseline cannot train this task: {reason}")
        if not entry.accepts(sparse=sparse, dense=subject.dense_gradients):
            raise SpaceError(f"the task has {'' if sparse else 'no '}sparse gradients, which the baseline "
                             f"{given.optimizer} cannot use; for example: "
                             f"{SPARSE_BASELINE if sparse else BASELINE}")  # fmt: skip
    baseline = given or (SPARSE_BASELINE if sparse else BASELINE)
    size = None if subject.batch_size is None else baseline.batch_size or subject.batch_size
    defaults = {extra.name: extra.default for extra in subject.extras}
    return replace(baseline, batch_size=size, extras={**defaults, **baseline.extras})
