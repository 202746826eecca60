"""Ranks, tests and intervals over regrets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from studies.bench_search.results import Table

Key = tuple[str, int]
BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Ranking:
    """Mean ranks of methods (1 is best), and whether they differ by more than luck.

    Attributes:
        mean_ranks: by cell, over all pairs of task and seed; ties share a rank.
        friedman_p: chance of ranks as different as these if all methods were alike (Friedman's test over tasks, on mean
            regrets of the seeds, so that its rows are independent); NaN for fewer than three methods or tasks.
    """

    mean_ranks: dict[Key, float]
    friedman_p: float


def rank(table: Table, keys: Sequence[Key]) -> Ranking:
    """Rank methods against each other (Demšar, JMLR 2006).

    Seeds beyond those that all methods have are left out.
    """
    stacked = np.stack([table.regrets[key] for key in keys])  # methods, tasks, seeds
    blocks = stacked.reshape(len(keys), -1).T
    blocks = blocks[~np.isnan(blocks).any(axis=1)]
    ranks = stats.rankdata(blocks, axis=1).mean(axis=0) if len(blocks) else np.full(len(keys), np.nan)
    means = np.array([table.by_task(key) for key in keys])
    testable = len(keys) >= 3 and means.shape[1] >= 3
    p = float(stats.friedmanchisquare(*means).pvalue) if testable and np.ptp(means) > 0 else float("nan")
    return Ranking(dict(zip(keys, map(float, ranks), strict=True)), p)


@dataclass(frozen=True)
class Duel:
    """One method against another: less than zero is better for the first.

    Attributes:
        gap: mean difference of regrets, over tasks and seeds.
        p: two-sided Wilcoxon signed-rank test over pairs of task and seed, corrected after Holm.
        better, worse: tasks on which the 95 % interval of the difference (Welch, over seeds) excludes zero.
        ahead: share of the pairs in which the first did better; ties count half.
    """

    rival: Key
    gap: float
    p: float
    better: tuple[str, ...]
    worse: tuple[str, ...]
    ahead: float


def duels(table: Table, ours: Key, rivals: Sequence[Key]) -> list[Duel]:
    """Compare one method with each of the others."""
    found, values = [], []
    for rival in rivals:
        gaps = table.regrets[ours] - table.regrets[rival]
        flat = gaps[~np.isnan(gaps)]
        values.append(_wilcoxon(flat))
        better, worse = _by_task(table, ours, rival)
        ahead = float(np.mean((flat < 0) + 0.5 * (flat == 0))) if len(flat) else float("nan")
        found.append((rival, float(flat.mean()) if len(flat) else float("nan"), better, worse, ahead))
    return [
        Duel(rival, gap, p, better, worse, ahead)
        for (rival, gap, better, worse, ahead), p in zip(found, holm(values), strict=True)
    ]


def _wilcoxon(gaps: np.ndarray) -> float:
    return float(stats.wilcoxon(gaps).pvalue) if len(gaps) >= 5 and np.any(gaps != 0) else float("nan")


def _by_task(table: Table, ours: Key, rival: Key) -> tuple[tuple[str, ...], tuple[str, ...]]:
    better, worse = [], []
    for task, a, b in zip(table.tasks, table.regrets[ours], table.regrets[rival], strict=True):
        low, high = welch(a[~np.isnan(a)], b[~np.isnan(b)])
        better += [task] if high < 0 else []
        worse += [task] if low > 0 else []
    return tuple(better), tuple(worse)


def welch(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two means; infinite for fewer than two values of either.

    Welch, Biometrika 1947. Without any scatter the interval is the difference itself.
    """
    if min(len(a), len(b)) < 2:
        return -np.inf, np.inf
    gap, parts = float(a.mean() - b.mean()), (a.var(ddof=1) / len(a), b.var(ddof=1) / len(b))
    if sum(parts) == 0:
        return gap, gap
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    reach = float(stats.t.ppf(0.975, freedom) * np.sqrt(sum(parts)))
    return gap - reach, gap + reach


def holm(values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number (Holm, 1979); NaN stays and does not count.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = [n for n in np.argsort(values) if not np.isnan(values[n])]
    corrected, highest = list(values), 0.0
    for place, n in enumerate(order):
        highest = max(highest, min(1.0, round(values[n] * (len(order) - place), 12)))
        corrected[n] = highest
    return corrected


def bootstrap(regrets: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Return mean regret over tasks with its 95 % bootstrap interval over seeds, tasks as they are.

    Args:
        regrets: (tasks, seeds), NaN where nothing was run.
    """
    random = np.random.default_rng(seed)
    known = [row[~np.isnan(row)] for row in regrets]
    draws = np.zeros(BOOTSTRAPS)
    for row in known:
        draws += random.choice(row, (BOOTSTRAPS, len(row))).mean(axis=1) / len(known)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(np.mean([row.mean() for row in known])), float(high)
