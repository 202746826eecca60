"""Seats: the runs of one process, each a loop that waits in a thread of its own at its last report."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from autoopt.errors import LoopError, Stop
from autoopt.loops.kept import Kept
from autoopt.loops.reported import Outcome
from autoopt.loops.terms import Facts, Terms
from autoopt.loops.trial import Abandoned, Loop, StepsSeen, Trial
from autoopt.loops.tryout import try_out
from autoopt.loops.turns import Turns
from autoopt.run import Run
from autoopt.tasks.explain import is_out_of_memory
from autoopt.training.health import describe_failure
from autoopt.training.scratch import Scratch
from autoopt.training.streams import RandomStreams


@dataclass
class _Seat:
    trial: Trial
    turns: Turns
    streams: RandomStreams


class Seats:
    """Runs a loop, as many times side by side as wanted.

    Args:
        loop: the user's function.
    """

    def __init__(self, loop: Loop, terms: Terms) -> None:
        self._loop, self._terms = loop, terms
        self._seats: dict[int, _Seat] = {}
        self._steps_seen: StepsSeen = {}
        self._files: dict[int, Path] = {}
        self._states: dict[int, Mapping[str, Any]] = {}  # of other processes, to go on from
        self._scratch: Scratch | None = None

    def try_out(self) -> Facts:
        """Run the loop up to its first call of ``trial.optimizer``, and return what that showed.

        Raises:
            LoopError: there is none, or the loop does not let Stop through.
            TaskError: its code raises.
        """
        facts = try_out(self._loop, self._terms)
        self._terms = self._terms.settled(facts.epochs, facts.batch_size)
        return facts

    def advance(self, run: Run, known: int) -> Outcome:
        """Let a run work until its next report.

        Args:
            known: epochs that it has reported so far; where it does not wait here it is trained again up to there.
        """
        seat = self._seats.get(run.id) or self._begin(run, known)
        outcome = self._turn(seat)
        if outcome.over:
            self._forget(run.id)
        return outcome

    def put_aside(self, run_id: int) -> None:
        """Free what a waiting run holds: it goes on from a file if it can, else from its start."""
        if run_id not in self._seats:
            return
        seat = self._seats[run_id]
        path = self._file(run_id)
        with seat.streams.active():
            seat.trial.put_aside(str(path))
        if path.exists():
            self._files[run_id] = path
        _raise_first([self._end(run_id)])

    def state(self, run_id: int) -> Mapping[str, Any] | None:
        """Return what another process needs to go on with a run that waits here; ``None`` if none can.

        Raises:
            AutooptError: the loop keeps something that cannot be written down.
        """
        seat = self._seats.get(run_id)
        if seat is None:
            return None
        with seat.streams.active():
            return seat.trial.state()

    def resume(self, run_id: int, state: Mapping[str, Any]) -> None:
        """Let a run begin where it stood in another process."""
        _raise_first([self._end(run_id)])
        self._states[run_id] = state

    def drop(self, run_ids: Collection[int]) -> None:
        """Stop runs and free what they held.

        Raises:
            LoopError: one goes on after Stop.
        """
        mistakes = []
        for run_id in run_ids:
            mistakes.append(self._end(run_id))
            self._states.pop(run_id, None)
            if path := self._files.pop(run_id, None):
                path.unlink(missing_ok=True)
        _raise_first(mistakes)

    def close(self) -> None:
        """Stop everything."""
        try:
            self.drop(list(self._seats))
        finally:
            if self._scratch is not None:
                self._scratch.close()

    def _begin(self, run: Run, known: int) -> _Seat:
        kept = Kept(self._states.pop(run.id, None) or self._files.pop(run.id, None))
        trial = Trial(run, self._terms, lambda reported: turns.hand_over(reported), steps_seen=self._steps_seen,
                      kept=kept, known=known)  # fmt: skip
        loop = self._loop

        def work(_: Turns) -> None:
            trial.finish(loop(trial))

        turns = Turns(work, f"autoopt run {run.id}")
        seat = self._seats[run.id] = _Seat(trial, turns, RandomStreams(run.seed, self._terms.device))
        return seat

    def _turn(self, seat: _Seat) -> Outcome:
        trial = seat.trial
        try:
            with seat.streams.active():
                reported = seat.turns.take()
        except Stop:  # the loop's own way of ending: its loss is not finite
            return self._ended(trial)
        except LoopError as error:
            return Outcome(over=True, mistake=str(trial.mistake or error))
        except (Exception, SystemExit, Abandoned) as error:
            if trial.mistake is not None or isinstance(error, Abandoned):
                return Outcome(over=True, mistake=str(trial.mistake))
            outcome = Outcome(over=True, failure=describe_failure(error))
            if is_out_of_memory(error):
                self._clear_memory()
            return outcome
        if trial.mistake is not None:
            return Outcome(over=True, mistake=str(trial.mistake))
        return self._ended(trial) if seat.turns.over else Outcome(reported)

    @staticmethod
    def _ended(trial: Trial) -> Outcome:
        return Outcome(trial.last, over=True, mistake=None if trial.mistake is None else str(trial.mistake))

    def _forget(self, run_id: int) -> None:
        self._seats.pop(run_id, None)

    def _end(self, run_id: int) -> LoopError | None:
        """Raise Stop in a waiting run, see to it that it ends, and return what was wrong with that."""
        seat = self._seats.pop(run_id, None)
        if seat is None or seat.turns.over:
            return None
        try:
            with seat.streams.active():
                seat.turns.take(Stop("other runs do better"))
        except (Exception, SystemExit, Abandoned):  # whatever it raises on its way out, it is over
            pass
        return seat.trial.mistake

    def _file(self, run_id: int) -> Path:
        if self._scratch is None:
            self._scratch = Scratch()
        return self._scratch.path / f"run-{run_id}.pt"

    def _clear_memory(self) -> None:
        gc.collect()
        if self._terms.device.startswith("cuda"):
            torch.cuda.empty_cache()


def _raise_first(mistakes: Iterable[LoopError | None]) -> None:
    for mistake in mistakes:
        if mistake is not None:
            raise mistake
