"""Running cells: some processes, one bar, and nothing lost when it is killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from studies.bench_search.cache import CurveCache
from studies.bench_search.cells import FORMAT, Cell, key_of, run_cell

_CACHE: dict[Path, CurveCache] = {}


def run_cells(cells: Sequence[Cell], folder: Path, workers: int) -> list[dict[str, Any]]:
    """Return the results of cells, in their order; those that are known come at once.

    Args:
        folder: of the cache.
        workers: processes, each with one thread.
    """
    counted = TextColumn("{task.completed:.0f}/{task.total:.0f} runs")
    bar = Progress(TextColumn("{task.description:44}"), BarColumn(), counted, TimeElapsedColumn(),
                   TimeRemainingColumn(elapsed_when_finished=True), console=Console(stderr=True))  # fmt: skip
    results: list[dict[str, Any] | None] = [None] * len(cells)
    with bar:
        shown = bar.add_task("starting", total=sum(cell.cost for cell in cells))
        for place, result in _results(cells, folder, workers):
            results[place] = result
            cell = cells[place]
            told = f"{cell.method} · {cell.task} · seed {cell.seed}"
            bar.update(shown, advance=cell.cost, description=told)
            if not bar.console.is_terminal:  # a log has no bar
                bar.console.print(
                    f"{place + 1} of {len(cells)} cells: {told}, up to {max(cell.budgets)} runs"
                )
    return [result for result in results if result is not None]


def known_results(cells: Sequence[Cell], folder: Path) -> list[dict[str, Any]]:
    """Return what was run already of the methods, tasks and seeds of the cells, whatever the budgets; run nothing."""
    cache = CurveCache(folder)
    found = []
    for method, task, seed, fresh in dict.fromkeys((c.method, c.task, c.seed, c.fresh) for c in cells):
        winners: dict[int, Any] = {}
        for result in cache.cells(key_of(method, task, seed), f"|{fresh}|{FORMAT}"):
            winners |= {winner["budget"]: winner for winner in result["winners"] if not result["refused"]}
        told = [winners[budget] for budget in sorted(winners)]
        found.append({"method": method, "task": task, "seed": seed, "refused": "", "winners": told})
    cache.close()
    return found


def _results(cells: Sequence[Cell], folder: Path, workers: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield place and result as they come."""
    if workers < 2:
        yield from ((place, _work(cell, folder)) for place, cell in enumerate(cells))
        return
    # spawned, not forked: torch's threads do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(_work, cell, folder): place for place, cell in enumerate(cells)}
        for done in as_completed(waiting):
            yield waiting[done], done.result()


def _work(cell: Cell, folder: Path) -> dict[str, Any]:
    torch.set_num_threads(1)
    if folder not in _CACHE:
        _CACHE[folder] = CurveCache(folder)
    return run_cell(cell, _CACHE[folder])
