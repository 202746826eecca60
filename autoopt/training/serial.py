"""Runs side by side in one process, one after the other."""

from __future__ import annotations

import gc
import math
import warnings
from collections.abc import Collection, Iterator, Sequence
from time import perf_counter

import torch

from autoopt.errors import AutooptWarning
from autoopt.run import EpochReport, Run
from autoopt.tasks.explain import is_out_of_memory
from autoopt.tasks.task import Task
from autoopt.training.checkpoints import Checkpoints
from autoopt.training.cohort import Cohort
from autoopt.training.health import describe_failure
from autoopt.training.parking import Parking
from autoopt.training.trainee import Trainee


def serial_cohort(
    task: Task, runs: Sequence[Run], device: str = "cpu", *, room_bytes: int | None = None,
    checkpoints: Checkpoints | None = None,
) -> Cohort:  # fmt: skip
    """Return a cohort that trains the runs in turn, each exactly as it would be trained alone.

    Models are made when their first epoch comes and freed when their run is over.

    Args:
        device: as ``choose_device`` gives it.
        room_bytes: memory for the weights and optimizer states of waiting runs, beyond which they wait in
            files of the system's temporary folder; ``None`` for a quarter of what is free.
        checkpoints: write down where runs stand, so that other processes can train them on.
    """
    return SerialCohort(task, runs, device, room_bytes, checkpoints)


class SerialCohort:
    """See ``serial_cohort``."""

    def __init__(self, task: Task, runs: Sequence[Run], device: str, room_bytes: int | None,
                 checkpoints: Checkpoints | None = None) -> None:  # fmt: skip
        self._task = task
        self._device = device
        self._going: dict[int, Run] = {}
        self._epochs_done: dict[int, int] = {}
        self._parking = Parking(device, room_bytes)
        self._checkpoints = checkpoints
        self._kind = f"run on {torch.device(device).type}"  # nothing else can go on from its checkpoints
        self.add(runs)

    @property
    def runs(self) -> Sequence[Run]:
        """The runs that can still go on."""
        return list(self._going.values())

    def advance(
        self, run_ids: Collection[int] | None = None, until: int | None = None
    ) -> Iterator[EpochReport]:
        """Train the named runs, or all, for one more epoch or until one; in turn, each report as it is ready."""
        for run in self.runs:
            if run_ids is None or run.id in run_ids:
                end = self._epochs_done[run.id] + 1 if until is None else until
                while run.id in self._going and self._epochs_done[run.id] < end:
                    yield self._advance_run(run)

    def add(self, runs: Sequence[Run]) -> None:
        """Let more runs join; they begin at their first epoch."""
        self._going |= {run.id: run for run in runs}
        self._epochs_done |= {run.id: 0 for run in runs}

    def keep(self, run_ids: Collection[int]) -> None:
        """Drop every run that is not named, and free what it held."""
        for run_id in set(self._going) - set(run_ids):
            self._drop(run_id)

    def resume(self, run_id: int) -> Sequence[EpochReport]:
        """Bring a run to its newest checkpoint; return the reports up to there, none where it is that far."""
        run, checkpoints = self._going[run_id], self._checkpoints
        found = None if checkpoints is None else checkpoints.load(run, self._kind, self._device)
        if checkpoints is None or found is None or len(found.reports) <= self._epochs_done[run_id]:
            return []
        try:
            trainee = Trainee(self._task, run, self._device)
            trainee.resume(found.state)
        except (Exception, SystemExit) as error:
            warnings.warn(f"run {run_id} does not go on from its checkpoint but is trained again from its start: "
                          f"{describe_failure(error)}", AutooptWarning, stacklevel=2)  # fmt: skip
            return []
        self._parking.drop(run_id)
        self._parking.put(trainee)
        self._epochs_done[run_id] = trainee.epoch
        checkpoints.resumed(run, found.reports)
        return found.reports

    def _advance_run(self, run: Run) -> EpochReport:
        started = perf_counter()
        self._epochs_done[run.id] += 1
        try:
            trainee = self._parking.take(run.id) or Trainee(self._task, run, self._device)
            report = trainee.train_epoch()
        except (Exception, SystemExit) as error:
            failure, clear = describe_failure(error), is_out_of_memory(error)
        else:
            if report.over or report.epoch >= run.epochs:
                self._drop(run.id)
            else:
                if self._checkpoints is not None:
                    self._checkpoints.after(run, report, self._kind, trainee.state)
                self._parking.put(trainee)
            return report
        self._drop(run.id)
        if clear:
            _clear_memory(self._device)
        return EpochReport(run.id, self._epochs_done[run.id], train_loss=math.nan, valid_loss=math.nan,
                           score=math.nan, seconds=perf_counter() - started, failure=failure)  # fmt: skip

    def _drop(self, run_id: int) -> None:
        del self._going[run_id]
        self._parking.drop(run_id)
        if self._checkpoints is not None:
            self._checkpoints.drop(run_id)


def _clear_memory(device: str) -> None:
    """Give back what a run left that ran out of memory, so that the next one finds room."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
