"""OwnLoop: a training loop of the user's own as what a study trains."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from torch import nn

from autoopt.errors import LoopError
from autoopt.loops.cohort import LoopCohort
from autoopt.loops.ranks import Ranks, several_ranks
from autoopt.loops.script import Script
from autoopt.loops.seats import Seats
from autoopt.loops.team import Alone, Found, Team
from autoopt.loops.terms import Facts, Terms
from autoopt.loops.trial import Loop
from autoopt.run import Run
from autoopt.subject import Subject
from autoopt.tasks.fingerprint import fingerprint_task
from autoopt.training.checkpoints import Checkpoints
from autoopt.training.cohort import Cohort


class OwnLoop:
    """A function of a ``Trial`` that is trained by a study. Close it, or runs that wait keep their threads.

    Raises:
        LoopError: the function does not take one argument.
    """

    def __init__(self, loop: Loop, terms: Terms) -> None:
        _check_takes_trial(loop)
        self._loop, self._terms = loop, terms
        self._seats = Seats(loop, terms)
        self._team: Team = Ranks(self._seats) if several_ranks() else Alone(self._seats)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except LoopError:
            if error is None:
                raise

    def close(self) -> None:
        """Stop every run that still waits."""
        self._seats.close()

    def lead(self, work: Callable[[], Found]) -> Found:
        """Return what the work comes to; under torchrun the first process does it, and all return the same."""
        return self._team.lead(work)

    def subject(self) -> Subject:
        """Try the loop out, and return what a study needs to know of it.

        Raises:
            LoopError: the loop never asks for an optimizer, or does not let Stop through.
            TaskError: its code raises.
        """
        facts = self._team.try_out()
        terms = self._terms = self._terms.settled(facts.epochs, facts.batch_size)
        profile = facts.profile
        source = getattr(self._loop, "source", "")
        return Subject(
            loop_name(self._loop), source, self._fingerprint(facts), terms.objective, terms.towards, terms.length,
            start=self._start, start_by=lambda _, checkpoints: partial(self._start, checkpoints=checkpoints),
            profile=lambda: profile,
            batch_size=terms.rows if facts.reads_batch_size else None,
            own_batches="the loop never reads trial.batch_size before trial.optimizer; make its batches of that size",
            has_batch_norm=profile.has_batch_norm,
            sparse_gradients=profile.sparse_gradients, dense_gradients=facts.dense_gradients,
            n_trainable=profile.n_trainable, total_steps=facts.total_steps, own_loop=True, extras=facts.extras,
        )  # fmt: skip

    def _start(self, runs: Sequence[Run], checkpoints: Checkpoints | None = None) -> Cohort:
        alone = isinstance(self._team, Alone)  # several ranks have a part of a run each
        return LoopCohort(self._team, self._terms, runs, checkpoints=checkpoints if alone else None)

    def _fingerprint(self, facts: Facts) -> str:
        terms = self._terms
        told = {"epochs": terms.length, "objective": terms.objective, "direction": terms.towards,
                "total_steps": facts.total_steps, "extras": [str(extra) for extra in facts.extras],
                "batch_size": terms.rows if facts.reads_batch_size else None}  # fmt: skip
        return fingerprint_task(_code_of(self._loop), nn.Identity(), facts.layers, told)


def loop_name(loop: Loop) -> str:
    """Return what to call a loop: the name of its function."""
    inner = _function_of(loop)
    name = getattr(inner, "__name__", type(inner).__name__)
    return "loop" if name == "<lambda>" else str(name)


def _function_of(loop: Any) -> Any:
    while isinstance(loop, partial):
        loop = loop.func
    return inspect.unwrap(loop)


def _code_of(loop: Loop) -> bytes:
    """Return the source of the function; nothing where it cannot be had or read by itself, as of a lambda."""
    inner = _function_of(loop)
    if isinstance(inner, Script):
        return inner.code
    try:
        code = textwrap.dedent(inspect.getsource(inner if hasattr(inner, "__code__") else type(inner)))
        compile(code, "loop", "exec")
    except (OSError, TypeError, SyntaxError):
        return b""
    return code.encode()


def _check_takes_trial(loop: Loop) -> None:
    try:
        inspect.signature(loop).bind(None)
    except TypeError as error:
        raise LoopError(
            f"a training loop takes one argument, the trial: write def {loop_name(loop)}(trial), got "
            f"{loop_name(loop)}{inspect.signature(loop)} ({error})"
        ) from error
    except ValueError:
        pass  # built in, without a signature
