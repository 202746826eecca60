"""Time to a target: runs judged by the seconds of training until the validation score first reaches a value."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from autoopt.run import Direction, EpochReport, Run
from autoopt.training.cohort import Cohort


@dataclass(frozen=True)
class Target:
    """A validation score to reach as soon as possible.

    Attributes:
        value: of the score.
        metric: whose it is: ``loss`` or a metric's name.
        direction: which way the score is better.
    """

    value: float
    metric: str
    direction: Direction

    @property
    def objective(self) -> str:
        """What is minimised, in words: ``seconds to loss ≤ 0.3``."""
        return f"seconds to {self}"

    def __str__(self) -> str:
        """Return it as people write it: ``loss ≤ 0.3``."""
        return f"{self.metric} {'≤' if self.direction == 'minimize' else '≥'} {self.value:g}"

    @property
    def place(self) -> str:
        """Under which name a report keeps the score itself among its metrics."""
        return f"validation {self.metric}"

    def gap(self, score: float) -> float:
        """Return what is left to the target, relative to it (in units of the score where it is 0); 0 beyond it."""
        left = score - self.value if self.direction == "minimize" else self.value - score
        return max(0.0, left) / (abs(self.value) or 1.0)

    def score_of(self, report: EpochReport) -> float:
        """Return the score itself, of a report as it was made or as ``TargetCohort`` tells it."""
        return (report.metrics or {}).get(self.place, report.score)

    def seen_through(self, reports: Sequence[EpochReport]) -> list[EpochReport]:
        """Return reports with the score itself as their score again."""
        return [replace(report, score=self.score_of(report), averaged_score=None) for report in reports]

    def is_reached(self, reports: Sequence[EpochReport]) -> bool:
        """Whether a run of these epochs came to the target in any of them."""
        return any(self.gap(self.score_of(report)) == 0 for report in reports if not report.over)


def crossing(path: Sequence[tuple[float, float]], target: float) -> float:
    """Return where a run comes down to a cost, in between two epochs on a straight line; infinity if nowhere.

    Args:
        path: (seconds or epochs so far, cost) after each epoch.

    >>> crossing([(1.0, 0.9), (2.0, 0.5), (3.0, 0.1)], 0.3), crossing([(1.0, 0.2)], 0.3), crossing([(1.0, 0.9)], 0.3)
    (2.5, 1.0, inf)
    """
    before: tuple[float, float] | None = None
    for spent, cost in path:
        if cost <= target:
            if before is None or not math.isfinite(target):
                return spent
            share = (before[1] - target) / (before[1] - cost)
            return before[0] + share * (spent - before[0])
        before = spent, cost
    return math.inf


class TargetCohort:
    """The runs of another cohort, judged by the time that they take to a target.

    A run that has reached it scores the seconds of its training, evaluations included, until then. One that has not
    scores the seconds that all its epochs would take, times one plus the relative gap that is left: so that all runs
    of a search compare on one scale, after however many epochs. Averaged weights, which stand in for the decay to come,
    are judged by their own gap. The score itself is kept among the metrics of a report, that on test data too.

    Seconds are those of the reports, so one that was recorded gives what it gave.
    """

    def __init__(self, cohort: Cohort, target: Target) -> None:
        self._cohort, self._target = cohort, target
        self._epochs = {run.id: run.epochs for run in cohort.runs}
        self._clocks: dict[int, _Clock] = {}

    @property
    def runs(self) -> Sequence[Run]:
        """The runs that can still go on."""
        return self._cohort.runs

    def advance(
        self, run_ids: Collection[int] | None = None, until: int | None = None
    ) -> Iterator[EpochReport]:
        """Train as the other cohort does; tell its reports by the clock."""
        for report in self._cohort.advance(run_ids, until):
            yield self._told(report)

    def add(self, runs: Sequence[Run]) -> None:
        """Let more runs join; they begin at their first epoch."""
        self._epochs |= {run.id: run.epochs for run in runs}
        self._cohort.add(runs)

    def keep(self, run_ids: Collection[int]) -> None:
        """Drop every run that is not named, and free what it held."""
        self._cohort.keep(run_ids)

    def _told(self, report: EpochReport) -> EpochReport:
        clock = self._clocks.setdefault(report.run_id, _Clock())
        target, score = self._target, self._target.score_of(report)
        if report.over or not math.isfinite(score):
            return report
        sign = 1.0 if target.direction == "minimize" else -1.0
        clock.add(report.seconds, sign * score)
        if target.place in (report.metrics or {}):  # it was told before, and recorded
            return report
        arrived = crossing(clock.path, sign * target.value)
        whole = median(clock.seconds) * self._epochs[report.run_id]
        metrics = {**(report.metrics or {}), target.place: score}
        if report.test_score is not None:
            metrics[f"test {target.metric}"] = report.test_score
        averaged = report.averaged_score
        if averaged is not None:
            averaged = whole * (1 + target.gap(averaged)) if math.isfinite(averaged) else math.nan
        return replace(
            report, score=arrived if math.isfinite(arrived) else whole * (1 + target.gap(score)),
            averaged_score=averaged, test_score=None, metrics=metrics,
        )  # fmt: skip


@dataclass
class _Clock:
    """The time of a run: seconds of its epochs, and its cost after so many seconds."""

    seconds: list[float] = field(default_factory=list)
    path: list[tuple[float, float]] = field(default_factory=list)

    def add(self, seconds: float, cost: float) -> None:
        self.seconds.append(seconds)
        self.path.append(((self.path[-1][0] if self.path else 0.0) + seconds, cost))
