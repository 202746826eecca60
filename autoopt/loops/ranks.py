"""Ranks: the processes of torchrun as one team. The first one searches, the others do as it does.

Orders and outcomes go over a process group of their own on the processor, so that they stay apart from what the
training itself sends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch.distributed as dist

from autoopt.errors import AutooptError, LoopError
from autoopt.loops.reported import Outcome, Reported
from autoopt.loops.seats import Seats
from autoopt.loops.team import Found
from autoopt.loops.terms import Facts
from autoopt.run import Run

_END = "end"


def several_ranks() -> bool:
    """Tell whether this is one of several processes that train together.

    Raises:
        LoopError: torchrun has started several, and they do not know of each other.
    """
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size() > 1
    if started_by_torchrun():
        raise LoopError(
            f"torchrun started {os.environ['WORLD_SIZE']} processes: call torch.distributed.init_process_group() "
            "before autoopt.tune(), in all of them"
        )
    return False


def started_by_torchrun() -> bool:
    """Tell whether torchrun, or whatever sets its variables, has started this process as one of several."""
    size = os.environ.get("WORLD_SIZE", "1")
    return size.isdecimal() and int(size) > 1 and "RANK" in os.environ


class Ranks:
    """A team of several processes; made in all of them at once."""

    def __init__(self, seats: Seats) -> None:
        self._seats = seats
        self._group = dist.new_group(backend="gloo")
        self._broken = (
            False  # an interruption came in the middle of an exchange: nobody can say who waits for what
        )

    def lead(self, work: Callable[[], Found]) -> Found:
        """Do the work on the first rank, follow its orders on the others; all return, or raise, what it came to."""
        if dist.get_rank() > 0:
            return self._follow()  # type: ignore[no-any-return]
        try:
            found = work()
        except BaseException as error:
            self._end(None, error)
            raise
        self._end(found, None)
        return found

    def try_out(self) -> Facts:
        """Try the loop out on all ranks, and return what the first one saw."""
        facts: Facts = self._order("try_out")[0]
        return facts

    def advance(self, run: Run, known: int) -> Outcome:
        """Let a run work until its next report on all ranks."""
        return _together(self._order("advance", run, known))

    def state(self, run_id: int) -> None:
        """Return nothing: a run that several processes train together goes on in no other ones."""

    def call(self, verb: str, *arguments: Any) -> None:
        """Let the seats of all ranks do something else."""
        if not self._broken:
            self._order(verb, *arguments)

    def _order(self, verb: str, *arguments: Any) -> list[Any]:
        self._broken = True
        dist.broadcast_object_list([(verb, arguments)], src=0, group=self._group)
        answers = self._exchange(self._do(verb, arguments))
        self._broken = False
        for _, error in answers:
            if error is not None:
                raise error
        return [answer for answer, _ in answers]

    def _follow(self) -> Any:
        while True:
            order: list[Any] = [None]
            dist.broadcast_object_list(order, src=0, group=self._group)
            verb, arguments = order[0]
            if verb == _END:
                found, error = arguments
                if error is not None:
                    raise error
                return found
            self._exchange(self._do(verb, arguments))

    def _do(self, verb: str, arguments: Sequence[Any]) -> tuple[Any, AutooptError | None]:
        try:
            return getattr(self._seats, verb)(*arguments), None
        except AutooptError as error:
            return None, error

    def _exchange(self, answer: Any) -> list[Any]:
        answers: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(answers, answer, group=self._group)
        return answers

    def _end(self, found: Any, error: BaseException | None) -> None:
        if self._broken:
            return
        told = error if error is None or isinstance(error, AutooptError) else AutooptError(
            f"the first process ended with {type(error).__name__}: {error}"
        )  # fmt: skip
        dist.broadcast_object_list([(_END, (found, told))], src=0, group=self._group)


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    """Return what a turn came to on all ranks: the mean of what they report; over or failed where any is."""
    mistake = next((each.mistake for each in outcomes if each.mistake), None)
    failure = next((each.failure for each in outcomes if each.failure), None)
    reported = [each.reported for each in outcomes if each.reported is not None]
    if (
        mistake is None
        and failure is None
        and len({(each.over, each.reported is None) for each in outcomes}) > 1
    ):
        mistake = "the loop ends on some ranks and goes on with others: let all of them report equally often"
    if mistake or failure or not reported:
        return Outcome(over=True, failure=failure, mistake=mistake)
    return Outcome(_mean(reported), over=outcomes[0].over)


def _mean(reported: Sequence[Reported]) -> Reported:
    first = reported[0]
    metrics = {name: _average([each.metrics.get(name, value) for each in reported]) for name, value in
               first.metrics.items()}  # fmt: skip
    held = max(each.held_bytes for each in reported)
    return replace(first, value=_average([each.value for each in reported]), metrics=metrics, held_bytes=held)


def _average(values: Sequence[float]) -> float:
    return values[0] if len(set(values)) == 1 else sum(values) / len(values)
