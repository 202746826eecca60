"""Runs whose curves follow a formula: a cohort for tests that takes microseconds, and a place to count epochs."""

import math
from collections import Counter
from typing import ClassVar

from autoopt.run import EpochReport

BEST_RATE = {"sgd": 0.3, "adamw": 1e-3}


class CurveCohort:
    """Scores fall towards a floor that depends on how far the rate is from the optimizer's best one."""

    trained: ClassVar[Counter] = Counter()

    def __init__(self, runs, diverge_above=math.inf, fail=False, spoil=lambda run: False):
        self.runs, self._epochs = list(runs), Counter()
        self._diverge_above, self._fail, self._spoil = diverge_above, fail, spoil

    def advance(self, run_ids=None, until=None):
        reports = []
        for run in [run for run in self.runs if run_ids is None or run.id in run_ids]:
            end = self._epochs[run.id] + 1 if until is None else until
            while run in self.runs and self._epochs[run.id] < end:
                reports.append(self._report(run))
                if reports[-1].over or self._epochs[run.id] >= run.epochs:
                    self.runs = [other for other in self.runs if other.id != run.id]
        return reports

    def _report(self, run):
        CurveCohort.trained[run.id] += 1
        self._epochs[run.id] += 1
        epoch = self._epochs[run.id]
        rate = run.recipe.settings["lr"]
        miss = abs(math.log10(rate / BEST_RATE.get(run.recipe.optimizer, 1e-2)))
        score = 0.1 + 0.2 * miss + math.exp(-epoch / 3) + 1e-3 * math.sin(run.seed)
        bad = rate > self._diverge_above or self._spoil(run)
        return EpochReport(run.id, epoch, score, math.nan if bad else score, math.nan if bad else score,
                           score, rate, 1.0, 0.01, diverged=bad,
                           failure="ValueError: no" if self._fail else None)  # fmt: skip

    def add(self, runs):
        self.runs += runs

    def keep(self, run_ids):
        self.runs = [run for run in self.runs if run.id in set(run_ids)]
