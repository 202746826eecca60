"""The ways to train that are compared. A new one is an entry of ``ARMS``.

Each trains the same runs of a workload, complete with an evaluation every epoch. ``plain`` is what the others are
measured against.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.tasks.task import Task
from autoopt.training.build import build_optimizer, build_scheduler
from autoopt.training.cohort import StartCohort
from autoopt.training.holding import hold_data
from autoopt.training.serial import serial_cohort
from autoopt.training.stacked import StackedCohort, stacked_cohort
from studies.bench_training.plain import train_plainly
from studies.bench_training.workloads import WORKLOADS, Workload, task_of

PLACE = {"device": "cpu"}  # where all arms train
RECIPE = Recipe("adamw", {"lr": 1e-3, "weight_decay": 0.01}, "cosine")


@dataclass(frozen=True)
class Arm:
    """A way to train.

    Attributes:
        train: trains runs of a workload, by its name, to their end; returns the processor seconds of other
            processes than this one.
        together: runs that are trained in one go.
    """

    says: str
    train: Callable[[str, Sequence[Run]], float]
    together: int = 1


def runs_of(name: str, number: int) -> list[Run]:
    """Return runs of a workload: AdamW at rates around 1e-3, a seed for each."""
    rates = [1e-3 * 2 ** (n % 5 - 2) for n in range(number)]
    return [
        Run(
            n, Recipe("adamw", {**RECIPE.settings, "lr": lr}, "cosine"), seed=n, epochs=WORKLOADS[name].epochs
        )
        for n, lr in enumerate(rates)
    ]


def plain(name: str, runs: Sequence[Run]) -> float:
    """Train run after run with the loop that a user would write."""
    workload = WORKLOADS[name]
    for run in runs:
        train_plainly(*begin(workload, run), workload.train, workload.valid, workload.batch_size,
                      workload.epochs, device=PLACE["device"])  # fmt: skip
    return 0.0


def begin(workload: Workload, run: Run) -> tuple[nn.Module, Optimizer, LRScheduler]:
    """Return the fresh model of a run, torch.optim.AdamW as it comes, and torch's scheduler."""
    torch.manual_seed(run.seed)
    model = workload.model().to(PLACE["device"])
    optimizer = build_optimizer(model, run.recipe)
    steps = -(-len(workload.train[0]) // workload.batch_size) * workload.epochs
    return model, optimizer, build_scheduler(optimizer, run.recipe, steps)


def cohort_arm(start: Callable[[Task], StartCohort]) -> Callable[[str, Sequence[Run]], float]:
    """Return what trains runs in a cohort.

    Args:
        start: from the task to what makes a cohort of it.
    """

    def train(name: str, runs: Sequence[Run]) -> float:
        task = held(name, PLACE["device"])
        cohort = start(task)(runs)
        reports: list[EpochReport] = []
        while cohort.runs:
            reports += cohort.advance()
        bad = [report for report in reports if report.over]
        if bad or len(reports) != sum(run.epochs for run in runs):
            raise RuntimeError(f"{name}: not all runs came to their end: {bad}")
        return 0.0

    return train


@lru_cache
def held(name: str, device: str) -> Task:
    """Return the task of a workload with its data where a study holds them."""
    return hold_data(task_of(name), device)


train_serially = cohort_arm(lambda task: lambda runs: serial_cohort(task, runs, PLACE["device"]))


class Workers:
    """Processes of one thread each that train serially, started before they are timed."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._pools: list[ProcessPoolExecutor] = []

    def __call__(self, name: str, runs: Sequence[Run]) -> float:
        if not self._pools:
            # a pool each, so that each gets its share; spawned, for torch's threads do not survive a fork
            self._pools = [
                ProcessPoolExecutor(1, mp_context=get_context("spawn")) for _ in range(self._number)
            ]
            for pool in self._pools:
                pool.submit(_work, name, runs[:1])
        waiting = [pool.submit(_work, name, runs[n :: self._number]) for n, pool in enumerate(self._pools)]
        return sum(each.result() for each in waiting)


def _work(name: str, runs: Sequence[Run]) -> float:
    torch.set_num_threads(1)
    began = time.process_time()
    train_serially(name, runs)
    return time.process_time() - began


class Stack:
    """Runs in one pass, of one seed as those of a search are; its cohort lasts, so the first time finds the operations.

    Args:
        rows: in one pass.
        compiled: with compiled steps.
    """

    def __init__(self, rows: int, *, compiled: bool = False) -> None:
        self._rows, self._compiled = rows, compiled
        self._cohorts: dict[str, StackedCohort] = {}
        self._runs = 0

    def __call__(self, name: str, runs: Sequence[Run]) -> float:
        if name not in self._cohorts:
            self._cohorts[name] = stacked_cohort(
                held(name, PLACE["device"]), [], PLACE["device"], rows=self._rows, compiled=self._compiled
            )
        cohort = self._cohorts[name]
        cohort.add([replace(run, id=self._runs + n, seed=0) for n, run in enumerate(runs)])
        self._runs += len(runs)
        while cohort.runs:
            bad = [report for report in cohort.advance() if report.over]
            if bad or (cohort.runs and not cohort.stacked):
                raise RuntimeError(cohort.refusal or f"not all runs were rows to their end: {bad}")
        return 0.0


ARMS = {
    "plain": Arm("a loop with DataLoader and torch.optim", plain),
    "serial": Arm("autoopt, run after run", train_serially),
    "stacked4": Arm("autoopt, 4 runs in one pass", Stack(4), together=4),
    "stacked": Arm("autoopt, 16 runs in one pass", Stack(16), together=16),
    "stacked_compiled": Arm("the same, compiled", Stack(16, compiled=True), together=16),
    "workers2": Arm("autoopt, two processes of one thread", Workers(2), together=2),
}
