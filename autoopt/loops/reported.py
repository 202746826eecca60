"""Reported: what a loop says after an epoch, and what a turn of it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reported:
    """What a loop reports after an epoch.

    Attributes:
        epoch: counted from 1.
        value: as it was reported; ``metrics`` what stood beside it, by name.
        numbers: of the steps of the epoch, as fields of ``EpochReport``.
        held_bytes: memory of the model and the optimizer.
    """

    epoch: int
    value: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    numbers: Mapping[str, Any] = field(default_factory=dict)
    held_bytes: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a turn of a run came to; plain data, so that it can be told to other processes.

    Attributes:
        reported: what the loop reported; ``None`` where it ended without.
        over: the loop has ended.
        failure: what it raised, in a line.
        mistake: what is wrong with the loop as such.
    """

    reported: Reported | None = None
    over: bool = False
    failure: str | None = None
    mistake: str | None = None
