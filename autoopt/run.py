"""Run, EpochReport and RunRecord: one training of a recipe with a seed, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from autoopt.recipe import Recipe

Direction = Literal["minimize", "maximize"]


class Purpose(StrEnum):
    """Why a run is trained."""

    SEARCH = "search"
    BASELINE = "baseline"
    CONFIRM = "confirm"


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    FINISHED = "finished"  # trained for all its epochs
    STOPPED = "stopped"  # given up on at a rung: others did better
    DIVERGED = "diverged"  # the loss became infinite, NaN or absurdly large
    FAILED = "failed"  # the user's code raised; the note says what


@dataclass(frozen=True)
class Run:
    """One training of a recipe with a seed.

    Attributes:
        id: unique within its study, counted from 0 in the order of asking.
        seed: sets initial weights, data order and everything random in the run.
        epochs: the length of the complete training; the schedule ends there.
        trial: number of the Optuna trial; ``None`` outside the search.
        cohort: runs with the same number were started together.
        rungs: epochs after which the averaged weights are scored as well, in ascending order.
    """

    id: int
    recipe: Recipe
    seed: int
    epochs: int
    purpose: Purpose = Purpose.SEARCH
    trial: int | None = None
    cohort: int = 0
    rungs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)  # a large study holds a million of them
class EpochReport:
    """What one epoch of one run showed. Scores are in the units of the task's objective.

    Attributes:
        epoch: counted from 1.
        train_loss: mean over the epoch's batches, while the weights were moving.
        valid_loss: mean loss on the validation data after the epoch.
        score: the objective on the validation data: ``valid_loss`` or a metric.
        averaged_score: the same with averaged weights; only at rungs, else ``None``.
        learning_rate: at the last step of the epoch.
        gradient_norm: 2-norm of the whole gradient at the last step, before clipping.
        seconds: wall-clock time of this epoch with its evaluation.
        diverged: the run is over because its loss is not finite or absurdly large.
        failure: the run is over because the user's code raised; first line of the message.
        test_score: the objective on the test data; only after the last epoch of a confirming run.
        steps: batches of the epoch. This and what follows is ``None`` in epochs recorded before schema 2.
        start_loss, end_loss: mean over the first and the last tenth of the batches.
        worst_loss: the largest of one batch.
        gradient_median, gradient_peak: 2-norms of the whole gradient before clipping, over the
            steps of the epoch; where gradients are sparse, over some of them.
        gradient_turn: mean cosine of the angle between the gradients of one step and the next; −1 means that
            each step undoes the one before.
        update_ratio: median ratio of a step's length to that of the weights it moves.
        lost_updates: share of the weights with a gradient that a step left exactly as they were.
        metrics: what else a loop of the user's own has reported, by name; finite numbers only.
    """

    run_id: int
    epoch: int
    train_loss: float
    valid_loss: float
    score: float
    averaged_score: float | None = None
    learning_rate: float = 0.0
    gradient_norm: float | None = None
    seconds: float = 0.0
    diverged: bool = False
    failure: str | None = None
    test_score: float | None = None
    steps: int | None = None
    start_loss: float | None = None
    end_loss: float | None = None
    worst_loss: float | None = None
    gradient_median: float | None = None
    gradient_peak: float | None = None
    gradient_turn: float | None = None
    update_ratio: float | None = None
    lost_updates: float | None = None
    metrics: Mapping[str, float] | None = None

    @property
    def over(self) -> bool:
        """The run cannot go on."""
        return self.diverged or self.failure is not None


@dataclass(frozen=True)
class RunRecord:
    """A run with its outcome so far; ``score`` is that of the last good epoch, ``None`` before the first."""

    run: Run
    state: RunState = RunState.RUNNING
    score: float | None = None
    epochs_done: int = 0
    seconds: float = 0.0
    note: str = ""
    test_score: float | None = None

    def after(self, report: EpochReport) -> RunRecord:
        """Return the record with one more epoch in it."""
        record = replace(self, epochs_done=report.epoch, seconds=self.seconds + report.seconds)
        if report.failure is not None:
            return replace(record, state=RunState.FAILED, note=report.failure)
        if report.diverged:
            return replace(record, state=RunState.DIVERGED, note="the loss diverged")
        done = report.epoch >= self.run.epochs
        return replace(record, score=report.score, test_score=report.test_score,
                       state=RunState.FINISHED if done else RunState.RUNNING)  # fmt: skip

    def stopped(self, note: str = "others did better") -> RunRecord:
        """Return the record of a run that the search gave up on."""
        return replace(self, state=RunState.STOPPED, note=note)
