"""The command line of the benchmark: see ``scripts/bench_search --help``."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from optuna.exceptions import ExperimentalWarning

from autoopt.errors import AutooptError, UsageError, unknown_name
from studies.bench_search.cache import CurveCache
from studies.bench_search.cells import FRESH_SEEDS, cells_for
from studies.bench_search.choice import CHOOSERS, SEEDS, choices_of
from studies.bench_search.methods import METHODS, Method, find_method, import_function
from studies.bench_search.plots import draw
from studies.bench_search.recorded import record
from studies.bench_search.report import as_data, as_text
from studies.bench_search.results import rows_of
from studies.bench_search.runner import known_results, run_cells
from studies.bench_search.suite import SUITE, loaded, members

CACHE = Path.home() / ".cache" / "autoopt-bench"
QUICK = ["--tasks=digits_mlp,words_sparse", "--methods=adamw,random,tpe,autoopt", "--seeds=2", "--budgets=7",
         "--fresh=2"]  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """Return the reader of the command line."""
    made = argparse.ArgumentParser(prog="scripts/bench_search", description=(
        "Measure autoopt's search against others on the same tasks, space and trainings. What was trained is kept, so "
        "a killed benchmark carries on, and repeating one costs nothing."))  # fmt: skip
    made.add_argument(
        "--tasks", default="development", help="development, kept-aside, all, or names with commas"
    )
    made.add_argument(
        "--methods", default="all", help=f"all, or names with commas: {', '.join(METHODS)}, module:function"
    )
    made.add_argument("--budgets", help="complete trainings, with commas; each method's own by default")
    made.add_argument("--seeds", type=int, default=5, help="searches a cell (5)")
    made.add_argument(
        "--fresh", type=int, default=len(FRESH_SEEDS), help="seeds that each winner is retrained on (5)"
    )
    made.add_argument("--workers", type=int, default=1, help="processes, one thread each (1)")
    made.add_argument("--cache", type=Path, default=CACHE, help=f"folder of trainings and results ({CACHE})")
    made.add_argument("--known", action="store_true", help="show what was run already, and run nothing")
    made.add_argument(
        "--final", action="store_true", help="show the tasks that are kept aside; for final figures only"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write everything that was found")
    made.add_argument("--plots", type=Path, metavar="FOLDER", help="draw pictures")
    made.add_argument("--quick", action="store_true", help="two tasks, two seeds, few methods: does it run?")
    made.add_argument(
        "--choice", action="store_true", help="the choice problem instead: 60 seeds of a formula"
    )
    made.add_argument(
        "--record", type=int, metavar="N", help="write tables of 3 · N random recipes with curves instead"
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 if it came to its end, 2 if the command line is wrong."""
    warnings.simplefilter("ignore", ExperimentalWarning)
    given = parser().parse_args(arguments)
    if given.quick:
        given = parser().parse_args([*(sys.argv[1:] if arguments is None else arguments), *QUICK])
    try:
        data = (
            _choice(given.methods) if given.choice else _record(given) if given.record else _benchmark(given)
        )
    except AutooptError as error:
        print(f"bench_search: {error}", file=sys.stderr)
        return 2
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(data) + "\n", encoding="utf-8")
    return 0


def _benchmark(given: argparse.Namespace) -> dict[str, Any]:
    tasks, methods = _tasks(given.tasks), _methods(given.methods)
    budgets = None if given.budgets is None else [_number(text) for text in given.budgets.split(",")]
    cells = cells_for(methods, tasks, given.seeds, budgets, given.fresh)
    results = (
        known_results(cells, given.cache) if given.known else run_cells(cells, given.cache, given.workers)
    )
    for refused in dict.fromkeys((r["method"], r["refused"]) for r in results if r["refused"]):
        print(f"{refused[0]}: {refused[1]}", file=sys.stderr)
    hidden = [] if given.final else [task for task in tasks if SUITE[task].part == "kept-aside"]
    if hidden:
        print(f"Run, but not shown without --final: {', '.join(hidden)}", file=sys.stderr)
    data = as_data(rows_of(r for r in results if r["task"] not in hidden), {m.name: m.title for m in methods})
    if data["regret"]:
        print(as_text(data))
        if given.plots:
            draw(data, given.plots)
    return data


def _tasks(wanted: str) -> list[str]:
    parts = {
        "development": members("development"),
        "kept-aside": members("kept-aside"),
        "all": list(SUITE.values()),
    }
    if wanted in parts:
        return [member.name for member in parts[wanted]]
    names = wanted.split(",")
    for name in names:
        if name not in SUITE:
            raise UsageError(unknown_name("task", name, [*parts, *SUITE]))
    return names


def _methods(wanted: str) -> list[Method]:
    found = list(METHODS.values()) if wanted == "all" else [find_method(name) for name in wanted.split(",")]
    for method in found:
        if not method.installed and method.package:
            how = "studies/bench_search/README.md says how to install it"
            print(f"{method.title} is left out: {method.package[0]} is missing; {how}", file=sys.stderr)
    found = [method for method in found if method.installed]
    # regrets are told on a scale whose 1 is the default, so that is always run
    return found if any(m.name == "adamw" for m in found) else [METHODS["adamw"], *found]


def _number(text: str) -> int:
    if not text.strip().isdigit() or int(text) < 1:
        raise UsageError(f"a budget is a whole number of complete trainings, got {text!r}")
    return int(text)


def _choice(wanted: str) -> dict[str, Any]:
    choosers = CHOOSERS | {name: import_function(name) for name in wanted.split(",") if ":" in name}
    found = []
    print("| method | right optimizer | mean best loss (ideal 0.42) |\n| --- | ---: | ---: |")
    for name, choose in choosers.items():
        found.append(choices := choices_of(name, choose, range(SEEDS)))
        print(f"| {name} | {choices.right}/{choices.seeds} | {choices.mean_best:.4f} |", flush=True)
    return {"choice": [asdict(choices) for choices in found]}


def _record(given: argparse.Namespace) -> dict[str, Any]:
    cache = CurveCache(given.cache)
    for task in _tasks(given.tasks):
        place = given.cache / "recorded" / f"{task}.npz"
        table = record(loaded(task), cache, place, given.record)
        print(f"{place}: {len(table.recipes)} recipes, 2 seeds, {table.scores.shape[2]} epochs", flush=True)
    return {}


if __name__ == "__main__":
    sys.exit(main())
