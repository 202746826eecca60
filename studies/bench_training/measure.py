"""Timing arms against each other: in turn, again and again, since the machine is shared and its speed drifts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch

from studies.bench_training.arms import ARMS, PLACE, runs_of


@dataclass(frozen=True)
class Row:
    """What an arm took on a workload.

    Attributes:
        seconds_per_run: median over the rounds, by the clock, of a complete training with its evaluations.
        seconds_low, seconds_high: the fastest and the slowest round.
        cpu_seconds_per_run: the same in processor time, of all processes.
        ratio_to_plain: median over the rounds of seconds of ``plain`` / seconds of this arm in the same round;
            above 1 is faster.
        cpu_ratio_to_plain: the same in processor time.
        ratio_low, ratio_high: its smallest and largest, in processor time.
        first_seconds: of the untimed first time, by the clock: with compilation and starting processes.
        together: runs that were trained in one go.
    """

    workload: str
    arm: str
    seconds_per_run: float
    seconds_low: float
    seconds_high: float
    cpu_seconds_per_run: float
    ratio_to_plain: float
    cpu_ratio_to_plain: float
    ratio_low: float
    ratio_high: float
    first_seconds: float
    rounds: int
    together: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, numbers with four digits."""
        return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in asdict(self).items()}


def measure(
    workload: str, arms: Sequence[str], rounds: int, tell: Callable[[str], None] = lambda _: None
) -> list[Row]:
    """Return a row for each arm; ``plain`` is measured along with the others.

    Args:
        rounds: every arm is timed once in each.
        tell: is told what an arm could not do; that arm has no row.
    """
    times: dict[str, list[tuple[float, float]]] = {}
    first: dict[str, float] = {}
    for arm in dict.fromkeys(["plain", *arms]):
        try:
            first[arm] = _time(workload, arm)[0] * ARMS[arm].together
        except Exception as error:  # an arm may refuse a workload, and says why
            tell(f"{workload}: {arm}: {error}")
        else:
            times[arm] = []
    for number in range(rounds):
        # there and back, so that none always follows the same one
        for arm in list(times)[:: 1 if number % 2 == 0 else -1]:
            times[arm].append(_time(workload, arm))
    return [_row(workload, arm, times[arm], times["plain"], first[arm]) for arm in times]


def _time(workload: str, arm: str) -> tuple[float, float]:
    """Return seconds and processor seconds a run."""
    way = ARMS[arm]
    runs = runs_of(workload, way.together)
    wall, cpu = time.perf_counter(), time.process_time()
    elsewhere = way.train(workload, runs)
    if PLACE["device"].startswith("cuda"):
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu + elsewhere
    return wall / len(runs), cpu / len(runs)


def _row(
    workload: str,
    arm: str,
    times: Sequence[tuple[float, float]],
    plain: Sequence[tuple[float, float]],
    first: float,
) -> Row:
    wall, cpu = zip(*times, strict=True)
    ratios = [theirs[0] / ours[0] for ours, theirs in zip(times, plain, strict=True)]
    cpu_ratios = [theirs[1] / ours[1] for ours, theirs in zip(times, plain, strict=True)]
    return Row(workload, arm, median(wall), min(wall), max(wall), median(cpu), median(ratios), median(cpu_ratios),
               min(cpu_ratios), max(cpu_ratios), first, len(times), ARMS[arm].together)  # fmt: skip
