"""autoopt itself: the whole of ``tune``, search and confirmation, over trainings that are done once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import autoopt
from autoopt.options import Options
from autoopt.recipe import Recipe
from autoopt.records.location import MEMORY
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.search.budget import Budget, Ledger
from autoopt.search.journal import Journal
from autoopt.sitting import Sitting
from autoopt.subject import task_subject
from studies.bench_search.bench import Bench
from studies.bench_search.defaults import baseline_of
from studies.bench_search.suite import OPTIMIZERS, SCHEDULES

AFTERWARDS = {"cli", "dashboard", "export", "records"}


def tune(bench: Bench) -> Recipe:
    """Run a whole study of autoopt: the budget covers search and confirmation, as it does for its users.

    Raises:
        BudgetError: autoopt refuses so small a budget.
    """
    task = bench.task
    options = Options(seed=bench.seed, optimizers=list(OPTIMIZERS), schedules=list(SCHEDULES))
    ledger = Ledger(Budget(bench.budget), task.epochs)
    with Store.open(MEMORY) as store:
        store.create_study(StudyRecord(task.name, task.name, task.source, task.fingerprint, task.objective,
                                       task.direction, task.epochs, options.to_dict(), bench.seed))  # fmt: skip
        journal = Journal(store, task.name, task.objective, task.direction, ledger)
        subject = replace(task_subject(task), start=bench.cohort)
        return Sitting(subject, options, baseline_of(task), journal).hold().recipe


@cache
def source_digest() -> str:
    """Return eight digits that change with autoopt's code, so that its results are of the code at hand.

    Rooms that a verdict passes through when it is found already are left out.
    """
    root = Path(autoopt.__file__).parent
    files = sorted(file for file in root.rglob("*.py") if file.relative_to(root).parts[0] not in AFTERWARDS)
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]
