"""The one way in which the benchmark trains: autoopt's own serial engine, and every epoch once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from time import process_time

from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Purpose, Run
from autoopt.tasks.task import Task
from autoopt.training.cohort import Cohort
from autoopt.training.serial import serial_cohort
from studies.bench_search.cache import Curve, CurveCache

LIVE = 64  # trainings that wait in memory to be carried on; older ones are repeated when wanted


class Evaluator:
    """Trains recipes on a task as far as somebody asks, and remembers.

    Args:
        task: of the suite.
        cache: what is there is not trained again.
    """

    def __init__(self, task: Task, cache: CurveCache) -> None:
        self.task, self._cache = task, cache
        self._live: OrderedDict[tuple[Recipe, int], tuple[Cohort, Curve]] = OrderedDict()
        self.seconds_inside = 0.0

    def curve(self, recipe: Recipe, seed: int, epochs: int) -> Curve:
        """Return a training up to an epoch at least, or to the epoch in which it diverged or failed."""
        started = process_time()
        curve = self._cache.curve(self.task, recipe, seed)
        if len(curve.reports) < epochs and not curve.over:
            curve = self._train(recipe, seed, epochs)
            self._cache.keep(self.task, recipe, seed, curve)
        self.seconds_inside += process_time() - started
        return curve

    def _train(self, recipe: Recipe, seed: int, epochs: int) -> Curve:
        """Carry on a training that waits, else repeat it from its beginning.

        What it gave so far is kept beside it, and not taken from the cache, where another process may have put more
        or less of the same training meanwhile.
        """
        cohort, known = self._live.pop((recipe, seed), (None, Curve()))
        if cohort is None:
            cohort = self._start(recipe, seed)
        reports, seconds = list(known.reports), list(known.cpu_seconds)
        while len(reports) < epochs and cohort.runs:
            started = process_time()
            reports += cohort.advance()
            seconds.append(process_time() - started)
        curve = Curve(tuple(reports), tuple(seconds))
        if cohort.runs:
            self._live[recipe, seed] = cohort, curve
            if len(self._live) > LIVE:
                self._live.popitem(last=False)
        return curve

    def _start(self, recipe: Recipe, seed: int) -> Cohort:
        # averaged weights at every epoch and the test data at the end, so that one training serves all who ask
        epochs = self.task.epochs
        run = Run(0, recipe, seed, epochs, Purpose.CONFIRM, rungs=tuple(range(1, epochs)))
        return serial_cohort(self.task, [run])


class CachedCohort:
    """A cohort, as autoopt's search knows it, whose epochs come from an evaluator.

    Args:
        evaluator: trains or remembers.
        runs: as the search started them.
        charge: told of every epoch that was given out, with its processor time.
    """

    def __init__(self, evaluator: Evaluator, runs: Sequence[Run], charge: Charge) -> None:
        self._evaluator, self._charge = evaluator, charge
        self._going: dict[int, Run] = {}
        self._epoch: dict[int, int] = {}
        self.add(runs)

    @property
    def runs(self) -> Sequence[Run]:
        """The runs that can still go on."""
        return list(self._going.values())

    def advance(
        self, run_ids: Collection[int] | None = None, until: int | None = None
    ) -> Iterator[EpochReport]:
        """Give the next epoch of the named runs, or of all, or those until one."""
        for run in [run for run in self.runs if run_ids is None or run.id in run_ids]:
            end = self._epoch[run.id] + 1 if until is None else until
            while run.id in self._going and self._epoch[run.id] < end:
                yield self._next_report(run)

    def _next_report(self, run: Run) -> EpochReport:
        self._epoch[run.id] += 1
        epoch = self._epoch[run.id]
        curve = self._evaluator.curve(run.recipe, run.seed, epoch)
        report = as_seen_by(run, curve.reports[epoch - 1])
        self._charge(1, curve.cpu_seconds[epoch - 1])
        if report.over or epoch >= run.epochs:
            del self._going[run.id]
        return report

    def add(self, runs: Sequence[Run]) -> None:
        """Let more runs join."""
        self._going |= {run.id: run for run in runs}
        self._epoch |= {run.id: 0 for run in runs}

    def keep(self, run_ids: Collection[int]) -> None:
        """Drop every run that is not named."""
        self._going = {run_id: run for run_id, run in self._going.items() if run_id in set(run_ids)}


class Charge:
    """What a method has spent: epochs trained, and processor seconds of training them."""

    def __init__(self) -> None:
        self.epochs, self.seconds = 0, 0.0

    def __call__(self, epochs: int, seconds: float) -> None:
        """Add to the bill."""
        self.epochs += epochs
        self.seconds += seconds


def as_seen_by(run: Run, report: EpochReport) -> EpochReport:
    """Return a report as this run would have got it: averaged weights at its own rungs, the test when confirming."""
    tested = run.purpose in (Purpose.CONFIRM, Purpose.BASELINE)
    return replace(
        report, run_id=run.id, averaged_score=report.averaged_score if report.epoch in run.rungs else None,
        test_score=report.test_score if tested else None,
    )  # fmt: skip
