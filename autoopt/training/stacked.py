"""Runs side by side in one pass: K configurations of one model share every call of a tensor operation.

Each run is a row; what it reports is what it would report if trained alone, up to the order in which numbers are
added up. Rows join, wait, go on and leave between epochs; a row that diverges changes nothing for the others.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import torch

from autoopt.run import EpochReport, Run
from autoopt.tasks.explain import is_out_of_memory
from autoopt.tasks.task import Task
from autoopt.training.checkpoints import Checkpoints
from autoopt.training.parking import free_bytes
from autoopt.training.serial import SerialCohort
from autoopt.training.stack.epoch import Bench, train_rows
from autoopt.training.stack.model import StackedModel
from autoopt.training.stack.row import Row, make_row
from autoopt.training.stack.stackable import refuse_model, refuse_randomness, refuse_run, refuse_task

ROWS = 16
FREE_SHARE = 4  # waiting rows take at most one part in so many of the free memory


def stacked_cohort(
    task: Task, runs: Sequence[Run], device: str = "cpu", *, rows: int = ROWS, compiled: bool = False,
    checkpoints: Checkpoints | None = None,
) -> StackedCohort:  # fmt: skip
    """Return a cohort that trains up to ``rows`` runs in one pass, and those that cannot be stacked one by one.

    Args:
        device: as ``choose_device`` gives it.
        compiled: compile the steps, for just so many rows: it takes a minute or so for every shape of batch, and a
            C++ compiler. Fewer runs take as long as so many.
        checkpoints: write down where runs stand, so that other processes can train them on.
    """
    return StackedCohort(task, runs, device, rows, compiled=compiled, checkpoints=checkpoints)


class StackedCohort:
    """See ``stacked_cohort``.

    Attributes:
        refusal: why no run of the task is stacked; ``None`` if some may be, or nobody has looked yet.
    """

    def __init__(
        self, task: Task, runs: Sequence[Run], device: str, rows: int, *, compiled: bool = False,
        checkpoints: Checkpoints | None = None,
    ) -> None:  # fmt: skip
        self.refusal = refuse_task(task)
        self._task, self._device, self._most = task, device, rows
        self._compiled_rows = rows if compiled else 0
        self._serial = SerialCohort(task, [], device, None, checkpoints)
        self._checkpoints = checkpoints
        self._kind = f"row on {torch.device(device).type}"  # nothing else can go on from its checkpoints
        self._going: dict[int, Run] = {}
        self._done: dict[int, int] = {}  # epochs, by run
        self._alone: set[int] = set()  # of the runs that are trained one by one
        self._rows: dict[int, Row] = {}
        self._bench: Bench | None = None
        self._room = free_bytes(device) // FREE_SHARE
        self.add(runs)

    @property
    def runs(self) -> Sequence[Run]:
        """The runs that can still go on."""
        return list(self._going.values())

    @property
    def stacked(self) -> list[int]:
        """Ids of the runs that are rows now."""
        return list(self._rows)

    def add(self, runs: Sequence[Run]) -> None:
        """Let more runs join; they begin at their first epoch."""
        self._going |= {run.id: run for run in runs}
        self._done |= {run.id: 0 for run in runs}

    def keep(self, run_ids: Collection[int]) -> None:
        """Drop every run that is not named, and free what it held."""
        for run_id in set(self._going) - set(run_ids):
            self._drop(run_id)

    def advance(
        self, run_ids: Collection[int] | None = None, until: int | None = None
    ) -> Iterator[EpochReport]:
        """Train the named runs, or all, for one more epoch or until one; rows of a pass are ready together."""
        named = [run for run in self.runs if run_ids is None or run.id in run_ids]
        if until is None:
            yield from self._advance_once(named)
            return
        while going := [run for run in named if run.id in self._going and self._done[run.id] < until]:
            yield from self._advance_once(going)

    def _advance_once(self, named: Sequence[Run]) -> Iterator[EpochReport]:
        for run in named:
            self._join(run)
        ready: dict[int, EpochReport] = {}
        for place, run in enumerate(named):
            if run.id in self._rows and run.id not in ready:
                ready |= self._train_with(run, [other.id for other in named[place:] if other.id not in ready])
            report = ready[run.id] if run.id in ready else next(iter(self._serial.advance([run.id])))
            self._done[run.id] = report.epoch
            if report.over or report.epoch >= run.epochs:
                self._drop(run.id)
            elif run.id in self._rows and self._checkpoints is not None:
                self._checkpoints.after(run, report, self._kind, self._rows[run.id].state_dict)
            yield report

    def resume(self, run_id: int) -> Sequence[EpochReport]:
        """Bring a run to its newest checkpoint; return the reports up to there, none where it is that far."""
        run, checkpoints = self._going[run_id], self._checkpoints
        if checkpoints is None:
            return []
        self._join(run)
        if run_id in self._alone:
            reports = self._serial.resume(run_id)
            self._done[run_id] += max(0, len(reports) - self._done[run_id])
            return reports
        found = checkpoints.load(run, self._kind, self._device)
        if found is None or len(found.reports) <= self._done[run_id]:
            return []
        self._rows[run_id].load_state_dict(found.state)
        self._done[run_id] = len(found.reports)
        checkpoints.resumed(run, found.reports)
        return found.reports

    def _join(self, run: Run) -> None:
        """Make a run a row at its first epoch, or leave it to the serial cohort."""
        if run.id in self._rows or run.id in self._alone:
            return
        if self.refusal is None and refuse_run(run) is None and (row := self._make_row(run)) is not None:
            self._rows[run.id] = row
        else:
            self._leave_alone(run)

    def _make_row(self, run: Run) -> Row | None:
        """Return the run as a row; ``None`` if it fails, which the serial cohort will report, or has no room."""
        try:
            row, model = make_row(self._task, run, self._device)
            if self._bench is None:
                self.refusal, draws = refuse_model(model), False
                if self.refusal is None:
                    self.refusal, draws = refuse_randomness(self._task, model, self._device)
                if self.refusal is not None:
                    return None
                stacked = StackedModel(self._task, model, compiled=self._compiled_rows > 0)
                self._bench = Bench(self._task, stacked, self._device, draws, self._compiled_rows)
        except (Exception, SystemExit):
            return None
        held = sum(each.nbytes for each in self._rows.values())
        return row if held + row.nbytes <= self._room else None

    def _train_with(self, run: Run, others: Sequence[int]) -> dict[int, EpochReport]:
        """Train a row and as many of the others as go with it in one pass; return their reports by run."""
        assert self._bench is not None
        key = self._key(self._rows[run.id])
        fitting = [self._rows[i] for i in others if i in self._rows and self._key(self._rows[i]) == key]
        while True:
            passes = math.ceil(len(fitting) / self._most)
            rows = fitting[: math.ceil(len(fitting) / passes)]  # passes of about equal width
            try:
                return {report.run_id: report for report in train_rows(self._bench, rows)}
            except (Exception, SystemExit) as error:
                if is_out_of_memory(error) and len(rows) > 1:
                    self._most = len(rows) // 2
                    continue
                for row in rows:
                    self._unstack(row)
                return {}

    def _key(self, row: Row) -> tuple[object, ...]:
        """Return what rows of a pass share."""
        same = (row.run.recipe.batch_size, row.average is None)
        return (*same, row.run.seed, row.epoch) if self._bench is not None and self._bench.draws else same

    def _unstack(self, row: Row) -> None:
        """Let the serial cohort bring a row's run to where it stands; what it raised will be raised there again."""
        del self._rows[row.run.id]
        self._leave_alone(row.run)
        for _ in range(row.epoch):
            list(self._serial.advance([row.run.id]))

    def _leave_alone(self, run: Run) -> None:
        self._alone.add(run.id)
        self._serial.add([run])

    def _drop(self, run_id: int) -> None:
        del self._going[run_id]
        del self._done[run_id]
        self._rows.pop(run_id, None)
        self._serial.keep({run.id for run in self._serial.runs} - {run_id})
        if self._checkpoints is not None:
            self._checkpoints.drop(run_id)
