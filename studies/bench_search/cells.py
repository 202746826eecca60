"""A cell: one method on one task with one seed, from its first training to its winners on fresh seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autoopt.errors import AutooptError
from autoopt.recipe import Recipe
from studies.bench_search.bench import Bench, Event, incumbent
from studies.bench_search.cache import CurveCache, task_key
from studies.bench_search.evaluator import Evaluator
from studies.bench_search.flat import space_digest
from studies.bench_search.methods import Method, find_method
from studies.bench_search.suite import loaded, space_of

FRESH_SEEDS = (900_001, 900_002, 900_003, 900_004, 900_005)
"""Winners are trained from scratch on these; no search uses them."""


FORMAT = 2  # of results


@dataclass(frozen=True)
class Cell:
    """What is to be run.

    Attributes:
        method, task: names.
        seed: of the search.
        budgets: complete trainings after which the winner is asked for; one search answers for all of them.
        fresh: how many fresh seeds each winner is trained on.
    """

    method: str
    task: str
    seed: int
    budgets: tuple[int, ...]
    fresh: int = len(FRESH_SEEDS)

    @property
    def cost(self) -> float:
        """Complete trainings that it takes at most, winners on fresh seeds included."""
        return max(self.budgets) + self.fresh * len(self.budgets)

    def key(self) -> str:
        """Return what its result is kept under."""
        return f"{key_of(self.method, self.task, self.seed)}{','.join(map(str, self.budgets))}|{self.fresh}|{FORMAT}"


def key_of(method: str, task: str, seed: int) -> str:
    """Return how the keys of all cells of a method, a task and a seed begin."""
    loaded_task = loaded(task)
    made = f"{find_method(method).version()},{space_digest(space_of(loaded_task))}"
    return f"{method}@{made}|{task_key(loaded_task)}|{seed}|"


def cells_for(methods: Sequence[Method], tasks: Sequence[str], seeds: int, budgets: Sequence[int] | None,
              fresh: int) -> list[Cell]:  # fmt: skip
    """Return the cells of a benchmark: seed by seed, so that what is done at any time covers all methods and tasks.

    Args:
        budgets: instead of those that each method has by itself.
    """
    found = []
    for seed in range(seeds):
        for method in methods:
            asked = tuple(sorted(method.budgets if budgets is None else set(budgets)))
            for task in tasks:
                if method.anytime:
                    found.append(Cell(method.name, task, seed, asked, fresh))
                else:
                    found += [Cell(method.name, task, seed, (budget,), fresh) for budget in asked]
    return found


def run_cell(cell: Cell, cache: CurveCache) -> dict[str, Any]:
    """Return the result of a cell as plain data: from the cache, or by running it and keeping it there.

    Everything but seconds of overhead follows from the cell: a killed one is repeated over the cached trainings.
    """
    key = cell.key()
    if (known := cache.cell(key)) is not None:
        return known
    evaluator = Evaluator(loaded(cell.task), cache)
    bench = Bench(evaluator, max(cell.budgets), cell.seed)
    refused = ""
    winner: Recipe | None = None
    try:
        winner = find_method(cell.method).search(bench)
    except AutooptError as error:
        refused = str(error)
    whole = {"runs": bench.spent, "seconds": bench.training_seconds, "overhead": bench.overhead_seconds}
    looks = []
    for budget in cell.budgets:
        best = winner or incumbent(bench.events, budget, bench.sign)
        cost = whole if len(cell.budgets) == 1 else _cost(bench.events, budget)
        looks.append({"budget": budget, **cost, **_confirmed(evaluator, best, cell.fresh)})
    result = {
        "method": cell.method,
        "task": cell.task,
        "seed": cell.seed,
        "refused": refused,
        "winners": looks,
    }
    cache.keep_cell(key, result)
    return result


def _cost(events: Sequence[Event], budget: float) -> dict[str, float]:
    """Return what had been spent at the last look within a budget."""
    last = max((e for e in events if e.runs <= budget + 1e-9), key=lambda e: e.runs, default=None)
    return {"runs": last.runs if last else 0.0, "seconds": last.seconds if last else 0.0,
            "overhead": last.overhead if last else 0.0}  # fmt: skip


def _confirmed(evaluator: Evaluator, recipe: Recipe | None, fresh: int) -> dict[str, Any]:
    """Return a winner with its scores on fresh seeds; ``None`` for a seed that diverged."""
    told: dict[str, Any] = {"recipe": None, "scores": [], "test_scores": []}
    if recipe is None:
        return told
    for seed in FRESH_SEEDS[:fresh]:
        curve = evaluator.curve(recipe, seed, evaluator.task.epochs)
        last = curve.reports[-1]
        sound = not last.over and math.isfinite(last.score)
        told["scores"].append(last.score if sound else None)
        told["test_scores"].append(last.test_score if sound else None)
    return told | {"recipe": recipe.to_dict(), "text": str(recipe)}
