"""Progress: a picture of a running study, handed to whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from autoopt.run import Direction

Phase = Literal["search", "confirm", "done"]


@dataclass(frozen=True)
class Progress:
    """Where a study stands now.

    Attributes:
        spent_runs: compute so far in units of one complete training, ``budget_runs`` what it may become.
        seconds: training and waiting so far, over all sittings; ``seconds_left`` an estimate or ``None``.
        best: best score so far by optimizer name, in the units of the objective.
        finished, stopped, diverged, failed, running: runs by state.
        note: one line about what happens now.
    """

    study: str
    phase: Phase
    objective: str
    direction: Direction
    spent_runs: float
    budget_runs: float
    seconds: float
    seconds_left: float | None = None
    best: Mapping[str, float] = field(default_factory=dict)
    finished: int = 0
    stopped: int = 0
    diverged: int = 0
    failed: int = 0
    running: int = 0
    note: str = ""


Watcher = Callable[[Progress], None]


def join_watchers(watch: Watcher | None, callbacks: Sequence[Watcher]) -> Watcher | None:
    """Return one watcher that calls all; ``None`` if there is none."""
    watchers = [*([] if watch is None else [watch]), *callbacks]

    def tell_all(progress: Progress) -> None:
        for each in watchers:
            each(progress)

    return tell_all if watchers else None
