"""Study: what a database knows of a study, to read, to chart and to hand on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from autoopt.errors import StudyMismatch, UsageError, unknown_name
from autoopt.records.location import storage_url
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.run import EpochReport, RunRecord
from autoopt.verdict.recommendation import Recommendation

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Study:
    """A study as it was when it was loaded; nothing in it changes or writes anything.

    Attributes:
        record: its name, task, objective and options.
        runs: every run with its outcome, in the order of asking.
        recommendation: its answer; ``None`` before there is one.
        storage: where it lies.

    >>> import tempfile, torch
    >>> from autoopt import tune
    >>> storage, data = tempfile.mkdtemp() + "/studies.db", (torch.rand(40, 2), torch.rand(40, 1))
    >>> _ = tune(model=lambda: torch.nn.Linear(2, 1), train=data, epochs=1, budget=2, storage=storage, study="small")
    >>> study = load_study("small", storage=storage)
    >>> study.record.epochs, study.recommendation.objective
    (1, 'loss')
    """

    record: StudyRecord
    runs: Sequence[RunRecord]
    recommendation: Recommendation | None
    storage: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @cached_property
    def epochs(self) -> dict[int, list[EpochReport]]:
        """What every epoch showed, by run."""
        with Store.open(self.storage, readonly=True) as store:
            return store.reports(self.name)

    def trials_frame(self) -> pd.DataFrame:
        """Return a row for every run, with its recipe, seed, purpose and outcome.

        Raises:
            UsageError: pandas is not installed.
        """
        return _frame([run_row(record) for record in self.runs]).set_index("run")

    def epochs_frame(self) -> pd.DataFrame:
        """Return a row for every epoch of every run.

        Raises:
            UsageError: pandas is not installed.
        """
        reports = [epoch_row(report) for run_id in sorted(self.epochs) for report in self.epochs[run_id]]
        return _frame(reports).rename(columns={"run_id": "run"})

    def __str__(self) -> str:
        found = "no answer yet" if self.recommendation is None else str(self.recommendation)
        return f"{self.name}: {len(self.runs)} runs, {self.record.state}\n{found}"


def load_study(name: str | None = None, storage: str = "autoopt.db") -> Study:
    """Read a study back.

    Args:
        name: of the study; the one that was saved to last if ``None``.
        storage: path or URL of the database.

    Raises:
        StorageError: there is no such database.
        StudyMismatch: there is no study of that name in it.

    >>> import tempfile, torch
    >>> from autoopt import tune
    >>> storage, data = tempfile.mkdtemp() + "/studies.db", (torch.rand(40, 2), torch.rand(40, 1))
    >>> _ = tune(model=lambda: torch.nn.Linear(2, 1), train=data, epochs=1, budget=2, storage=storage, study="small")
    >>> load_study("small", storage=storage).name
    'small'
    """
    url = storage_url(storage)
    with Store.open(url, readonly=True) as store:
        names = [summary.study.name for summary in store.studies()]
        if not names:
            raise StudyMismatch(f"there is no study in {storage} yet")
        record = store.study(names[0] if name is None else name)
        if record is None:
            raise StudyMismatch(unknown_name("study", str(name), names))
        document = store.verdict(record.name)
        answer = None if document is None else Recommendation.load(document)
        return Study(record, tuple(store.runs(record.name)), answer, url)


def run_row(record: RunRecord) -> dict[str, Any]:
    """Return a run as one flat row: what was tried, and what came of it."""
    run, recipe = record.run, record.run.recipe
    tried = {
        "optimizer": recipe.optimizer, **recipe.settings, "schedule": recipe.schedule, **recipe.schedule_settings,
        "batch_size": recipe.batch_size, "clip_norm": recipe.clip_norm, "clip_value": recipe.clip_value,
        **recipe.extras,
    }  # fmt: skip
    return {
        "run": run.id, "purpose": str(run.purpose), "trial": run.trial, "seed": run.seed, "state": str(record.state),
        "score": record.score, "test_score": record.test_score, "epochs_done": record.epochs_done,
        "seconds": record.seconds, "note": record.note, **tried,
    }  # fmt: skip


def epoch_row(report: EpochReport) -> dict[str, Any]:
    """Return an epoch as one flat row, metrics of the user's own included."""
    row = {each.name: getattr(report, each.name) for each in fields(report) if each.name != "metrics"}
    return {**row, **(report.metrics or {})}


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        raise UsageError("a frame needs pandas: pip install 'autoopt[dashboard]', or pandas alone") from error
    return pd.DataFrame(rows)
