"""What costs no search: AdamW as torch has it, and the best of everybody's defaults."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from autoopt.recipe import Recipe
from autoopt.space.choose import reference_choices, suggest
from autoopt.space.written import BASELINE, SPARSE_BASELINE
from autoopt.tasks.task import Task
from studies.bench_search.bench import Bench, BudgetSpentError
from studies.bench_search.flat import Answers


def baseline_of(task: Task) -> Recipe:
    """Return AdamW at 1e-3 with a constant rate; Adagrad at 0.01 where gradients are sparse, which AdamW refuses."""
    return replace(SPARSE_BASELINE if task.sparse_gradients else BASELINE, batch_size=task.batch_size)


def adamw_default(bench: Bench) -> Recipe:
    """Take AdamW's defaults; nothing is trained."""
    return baseline_of(bench.task)


def best_default(bench: Bench) -> None:
    """Train every optimizer once at its reference setting, and take the best.

    At the rate of the catalogue, and not at what the space makes of it for trainings of this length.
    """
    space = replace(bench.space, pace=1.0)
    with suppress(BudgetSpentError):
        for name in space.optimizers:
            bench.start(suggest(space, Answers(reference_choices(space, name)))).to_the_end()
