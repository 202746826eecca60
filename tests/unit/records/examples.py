"""Small studies, runs and reports, and a second process to try things in."""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from autoopt.recipe import Recipe
from autoopt.records.study import StudyRecord
from autoopt.run import EpochReport, Purpose, Run

LONG_AGO = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def make_study(name: str = "digits", **changes: Any) -> StudyRecord:
    """Return a study that began long ago."""
    values: dict[str, Any] = {
        "task": "digits_mlp", "source": "studies/digits_mlp.py", "fingerprint": "abc123", "objective": "loss",
        "direction": "minimize", "epochs": 20, "options": {"budget": 20, "optimizers": ["sgd", "adamw"]},
        "seed": 7, "created": LONG_AGO, "updated": LONG_AGO,
    }  # fmt: skip
    return StudyRecord(name, **{**values, **changes})


def make_run(run_id: int = 0, **changes: Any) -> Run:
    """Return a run of a recipe with settings of every kind."""
    settings = {"lr": 1e-3 * (run_id + 1), "nesterov": True, "foreach": 3, "mode": "fast"}
    recipe = Recipe("adamw", settings, "cosine", {"warmup": 0.05}, batch_size=64, clip_norm=1.0)
    return Run(run_id, recipe, seed=run_id, epochs=20, **changes)


def make_baseline(run_id: int) -> Run:
    """Return a run outside the search, with everything at its default or unset."""
    return Run(run_id, Recipe("sgd"), seed=2**63 - 1, epochs=3, purpose=Purpose.BASELINE)


def make_report(run_id: int = 0, epoch: int = 1, **changes: Any) -> EpochReport:
    """Return an ordinary report."""
    values = {"train_loss": 1 / epoch, "valid_loss": 1.1 / epoch, "score": 1.2 / epoch}
    return EpochReport(run_id, epoch, **{**values, "learning_rate": 1e-3, "seconds": 0.5, **changes})


def in_a_fork(act: Callable[[], Any], *, as_nobody: bool = False) -> str:
    """Do something in a forked child, and return what came of it as text: the value, or the error.

    Args:
        as_nobody: without the rights of a superuser, for whom nothing is write-protected.
    """
    return in_forks([act], as_nobody=as_nobody)[0]


def in_forks(acts: Sequence[Callable[[], Any]], *, as_nobody: bool = False) -> list[str]:
    """Do things in forked children at the same time, and return what came of each."""
    children = [_fork(act, as_nobody) for act in acts]
    answers = []
    for child, reader in children:
        with os.fdopen(reader) as pipe:
            answers.append(pipe.read().strip())
        os.waitpid(child, 0)
    return answers


def _fork(act: Callable[[], Any], as_nobody: bool) -> tuple[int, int]:
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks while torch has threads
        child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    try:
        if as_nobody and os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        answer = str(act())
    except BaseException as error:
        answer = "".join(traceback.format_exception_only(error))
    os.write(writer, answer.encode())
    os._exit(0)
