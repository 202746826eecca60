"""When a run is worth a checkpoint: at each pause and now and then in between, as long as it costs next to nothing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from time import monotonic, perf_counter
from typing import Any

from autoopt.errors import AutooptError, AutooptWarning
from autoopt.run import EpochReport, Run
from autoopt.training.checkpoint_folder import Checkpoint, CheckpointFolder

EVERY = 30.0  # seconds of a run's training between two checkpoints, where it does not pause
SHARE = 0.02  # of the time that training takes, that writing may take
CREDIT = 1.0  # seconds that writing may take beyond that, so that short trainings are written down as well
LINGER = 10.0  # seconds that a file outlasts its run: reports are written down twice a second
PRECIOUS = 1.0  # seconds of training that are worth waiting for the disk


class Checkpoints:
    """Writes down where runs stand, and brings them back.

    A run is written down when it reaches a rung, for there it waits, perhaps for another process, after each sixth of
    its training, and after every 30 seconds of training. Not where writing would take more
    than 2 % of the time that training took so far.

    Args:
        folder: where the files are.
    """

    def __init__(self, folder: CheckpointFolder) -> None:
        self._folder = folder
        self._reports: dict[int, list[EpochReport]] = {}
        self._unsaved: dict[int, float] = {}  # seconds of training that a kill would cost, by run
        self._trained, self._spent, self._last_cost = 0.0, 0.0, 0.0
        self._over: dict[int, float] = {}  # when runs ended whose files are still there
        self._given_up: set[str] = set()  # optimizers whose runs cannot be saved
        self._full = False

    def load(self, run: Run, kind: str, device: str) -> Checkpoint | None:
        """Return the newest checkpoint of a run that a trainer of this kind has written; ``None`` if there is none."""
        found = self._folder.load(run, device)
        return None if found is None or found.state.get("kind") != kind else found

    def resumed(self, run: Run, reports: Sequence[EpochReport]) -> None:
        """Take note that a run goes on from a checkpoint with these reports."""
        self._reports[run.id], self._unsaved[run.id] = list(reports), 0.0
        self._over.pop(run.id, None)

    def after(
        self, run: Run, report: EpochReport, kind: str, state: Callable[[], Mapping[str, Any] | None]
    ) -> None:
        """Take note of an epoch, and write the run down if it is time.

        Args:
            kind: of the trainer, which alone can go on from this state.
            state: returns it; ``None`` where there is nothing to go on from.
        """
        self._sweep()
        reports = self._reports.setdefault(run.id, [])
        if report.epoch != len(reports) + 1:
            return  # nobody knows the epochs before it
        reports.append(report)
        self._trained += report.seconds
        self._unsaved[run.id] = self._unsaved.get(run.id, 0.0) + report.seconds
        is_due = report.epoch in _pauses(run) or self._unsaved[run.id] >= EVERY
        if is_due and self._is_affordable and not self._full and run.recipe.optimizer not in self._given_up:
            self._save(run, reports, kind, state)

    def drop(self, run_id: int) -> None:
        """Take note that a run is over; its file goes later, for its last reports may not be written down yet."""
        self._unsaved.pop(run_id, None)
        if self._reports.pop(run_id, None) is not None:
            self._over[run_id] = monotonic()
        self._sweep()

    def _sweep(self) -> None:
        for run_id in [i for i, ended in self._over.items() if monotonic() - ended >= LINGER]:
            del self._over[run_id]
            self._folder.drop(run_id)

    def clear(self) -> None:
        """Delete everything of a study that is done."""
        self._folder.clear()

    @property
    def _is_affordable(self) -> bool:
        return self._spent + self._last_cost <= CREDIT + SHARE * self._trained

    def _save(
        self,
        run: Run,
        reports: Sequence[EpochReport],
        kind: str,
        state: Callable[[], Mapping[str, Any] | None],
    ) -> None:
        started = perf_counter()
        try:
            if (told := state()) is None:
                return
            precious = self._unsaved[run.id] >= PRECIOUS
            self._folder.save(run, reports, {**told, "kind": kind}, safe=precious)
        except AutooptError as error:
            self._given_up.add(run.recipe.optimizer)
            warnings.warn(f"runs of {run.recipe.optimizer} are not saved: {error}; a study that is killed trains them "
                          "again from their start", AutooptWarning, stacklevel=2)  # fmt: skip
        except OSError as error:
            self._full = True
            warnings.warn(f"no checkpoint can be written ({error}); a study that is killed trains its runs again from "
                          "their start", AutooptWarning, stacklevel=2)  # fmt: skip
        else:
            self._unsaved[run.id] = 0.0
        self._last_cost = perf_counter() - started
        self._spent += self._last_cost


def _pauses(run: Run) -> set[int]:
    """Return the epochs after which a run waits, or is a sixth further on its way to its end."""
    return {*run.rungs, *(run.epochs * part // 6 for part in range(1, 6))}
