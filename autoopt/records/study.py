"""StudyRecord and StudySummary: what is written down of a study, and what it has come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from autoopt.run import Direction, RunState

StudyState = Literal["running", "interrupted", "done", "failed"]


@dataclass(frozen=True)
class StudyRecord:
    """A study: which task it serves, with which options, and where it stands.

    Attributes:
        name: unique within a database.
        task, source, fingerprint: the task's name, the file or module it came from, and its identity.
        objective, direction: what the scores are, and which way is better.
        epochs: length of one complete training.
        options: everything else that the study was started with; plain data for JSON.
        created, updated: in UTC; ``updated`` moves with everything that is saved, so it serves as heartbeat.
    """

    name: str
    task: str
    source: str
    fingerprint: str
    objective: str
    direction: Direction
    epochs: int
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    state: StudyState = "running"
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class StudySummary:
    """A study with its totals.

    Attributes:
        runs: number of runs by state; a state without runs is left out.
        spent_epochs: epochs trained so far, over all runs.
        seconds: their wall-clock time, added up.
        best_score: best finite score of a run that was trained to its end; ``None`` before there is one.
        charged_epochs: the epochs, each counted for as many as it costs; ``None`` where all cost the same.
    """

    study: StudyRecord
    runs: Mapping[RunState, int]
    spent_epochs: int
    seconds: float
    best_score: float | None
    charged_epochs: float | None = None

    @property
    def spent_runs(self) -> float:
        """Compute so far in units of one complete training."""
        spent = self.spent_epochs if self.charged_epochs is None else self.charged_epochs
        return spent / self.study.epochs
