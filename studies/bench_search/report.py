"""The benchmark told: tables for the terminal and for Markdown, and everything as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from studies.bench_search.results import Row, Table, scales
from studies.bench_search.statistics import Duel, bootstrap, duels, rank

OURS, RIVAL = "autoopt", ("tpe", 100)


def as_data(rows: Sequence[Row], titles: Mapping[str, str], ours: str = OURS) -> dict[str, Any]:
    """Return everything that the benchmark found, as plain data for JSON."""
    table = Table.of(rows)
    found: dict[str, Any] = {
        "tasks": {task: {"best": s.best, "default": s.default} for task, s in scales(rows).items()},
        "regret": [_cell(table, key, titles, rows) for key in sorted(table.regrets)],
        "ranks": [_ranks(table, budget, ours) for budget in _budgets(table)],
        "bar": [_bar(table, (ours, budget)) for budget in _budgets(table) if (ours, budget) in table.regrets],
    }
    found["winners"] = [
        {"method": r.method, "task": r.task, "seed": r.seed, "budget": r.budget, "scores": _plain(r.scores),
         "test_scores": _plain(r.test_scores), "recipe": r.recipe} for r in rows
    ]  # fmt: skip
    return found


def _budgets(table: Table) -> list[int]:
    return sorted({budget for _, budget in table.regrets})


def _cell(
    table: Table, key: tuple[str, int], titles: Mapping[str, str], rows: Sequence[Row]
) -> dict[str, Any]:
    regrets = table.regrets[key]
    ran = ~np.isnan(regrets).all(axis=1)
    low, middle, high = bootstrap(regrets[ran])
    ours = [row for row in rows if (row.method, row.budget) == key]
    return {
        "method": key[0], "title": titles.get(key[0], key[0]), "budget": key[1],
        "regret": middle, "low": low, "high": high,
        "by_task": {task: _number(np.nanmean(line)) for task, line, is_run in
                    zip(table.tasks, regrets, ran, strict=True) if is_run},
        "seeds": int((~np.isnan(regrets)).sum(axis=1).min()), "runs": float(np.mean([row.runs for row in ours])),
        "seconds": float(np.mean([row.seconds for row in ours])),
        "overhead": float(np.mean([row.overhead for row in ours])),
    }  # fmt: skip


def _ranks(table: Table, budget: int, ours: str) -> dict[str, Any]:
    """Rank what was run on every task: defaults stand beside every budget."""
    keys = [key for key in sorted(table.regrets) if key[1] == budget or (key[0] in ("adamw", "defaults"))]
    keys = table.complete(_one_each(keys, budget))
    ranking = rank(table, keys) if len(keys) > 1 else None
    mine = (ours, budget)
    told = duels(table, mine, [key for key in keys if key != mine]) if mine in keys else []
    return {
        "budget": budget, "friedman_p": None if ranking is None else _number(ranking.friedman_p),
        "mean_ranks": {} if ranking is None else {key[0]: _number(r) for key, r in ranking.mean_ranks.items()},
        "against": [_duel(duel) for duel in told],
    }  # fmt: skip


def _one_each(keys: Sequence[tuple[str, int]], budget: int) -> list[tuple[str, int]]:
    """Keep one cell a method: of the budget, else (defaults) the largest there is."""
    chosen: dict[str, int] = {}
    for method, asked in keys:
        if asked == budget or (chosen.get(method) != budget and asked > chosen.get(method, 0)):
            chosen[method] = asked
    return list(chosen.items())


def _bar(table: Table, ours: tuple[str, int]) -> dict[str, Any]:
    """Compare with TPE after a hundred runs."""
    if RIVAL not in table.regrets:
        return {"budget": ours[1]}
    return {"budget": ours[1], **_duel(duels(table, ours, [RIVAL])[0])}


def _duel(duel: Duel) -> dict[str, Any]:
    return {"method": duel.rival[0], "at": duel.rival[1], "gap": _number(duel.gap), "p": _number(duel.p),
            "ahead": _number(duel.ahead), "better": list(duel.better), "worse": list(duel.worse)}  # fmt: skip


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _plain(values: Sequence[float]) -> list[float | None]:
    return [_number(value) for value in values]


def as_text(data: Mapping[str, Any]) -> str:
    """Return the tables in Markdown."""
    tasks = list(data["tasks"])
    lines = ["Normalised regret on fresh seeds (0: best known, 1: AdamW's defaults): mean over tasks, 95 % interval "
             "over seeds", "",
             "| method | budget | regret | " + " | ".join(tasks) + " | seeds | runs spent | training s | overhead s |",
             "| --- | ---: | --- | " + "---: | " * len(tasks) + "---: | ---: | ---: | ---: |"]  # fmt: skip
    for cell in sorted(data["regret"], key=lambda c: (c["budget"], c["regret"])):
        by_task = " | ".join(_show(cell["by_task"].get(task)) for task in tasks)
        regret = f"{cell['regret']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}]"
        lines.append(
            f"| {cell['title']} | {cell['budget']} | {regret} | {by_task} | "
            f"{cell['seeds']} | {cell['runs']:.1f} | {cell['seconds']:.1f} | {cell['overhead']:.2f} |"
        )
    for ranks in data["ranks"]:
        if ranks["mean_ranks"]:
            order = sorted(ranks["mean_ranks"].items(), key=lambda pair: pair[1])
            told = ", ".join(f"{name} {value:.2f}" for name, value in order)
            lines += [
                "",
                f"Mean ranks at {ranks['budget']} runs (Friedman p = {_show(ranks['friedman_p'])}): {told}",
            ]
        lines += [_say(ranks["budget"], duel) for duel in ranks["against"]]
    if any("gap" in bar for bar in data["bar"]):
        lines += ["", "Against TPE after 100 runs:"]
        lines += [_say(bar["budget"], bar) for bar in data["bar"] if "gap" in bar]
    return "\n".join(lines)


def _say(budget: int, duel: Mapping[str, Any]) -> str:
    worse = f"; worse on {', '.join(duel['worse'])}" if duel["worse"] else ""
    better = f"; better on {', '.join(duel['better'])}" if duel["better"] else ""
    return (f"- ours at {budget} against {duel['method']} at {duel['at']}: gap {_show(duel['gap'])}, ahead in "
            f"{_show(duel['ahead'])} of the pairs, p = {_show(duel['p'])}{better}{worse}")  # fmt: skip


def _show(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 3) + 0.0:.3f}"  # no −0.000
