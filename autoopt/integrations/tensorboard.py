"""A finished study as event files of TensorBoard: curves of every run, and a table of what was tried.

``pip install 'autoopt[tensorboard]'``
"""

from __future__ import annotations

import math
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from autoopt.history import Study, run_row
from autoopt.run import EpochReport, RunRecord

_CURVES = ("train_loss", "valid_loss", "score", "averaged_score", "learning_rate", "gradient_norm")
_NO_SETTINGS = {"run", "trial", "seed", "state", "score", "test_score", "epochs_done", "seconds", "note"}


def log_study(study: Study, folder: str | Path) -> Path:
    """Write a study for TensorBoard, a folder for each run within one for the study.

    Curves are under *Scalars*, recipes with their scores under *HParams*.

    Args:
        study: as ``autoopt.load_study`` returns it.
        folder: that ``tensorboard --logdir`` shows.

    Returns:
        The folder of the study.
    """
    place = Path(folder) / study.name
    for record in study.runs:
        _log_run(place, record, study.epochs.get(record.run.id, []))
    if study.recommendation is not None:
        with SummaryWriter(str(place)) as writer:
            writer.add_text("recommendation", "\n\n".join(str(study.recommendation).splitlines()))
    return place


def _log_run(place: Path, record: RunRecord, reports: list[EpochReport]) -> None:
    settings = {name: _plain(value) for name, value in run_row(record).items()
                if name not in _NO_SETTINGS and value is not None}  # fmt: skip
    name = f"{record.run.purpose}-{record.run.id:04d}-{record.run.recipe.optimizer}"
    with SummaryWriter(str(place / name)) as writer:
        for report in reports:
            values = {curve: getattr(report, curve) for curve in _CURVES} | dict(report.metrics or {})
            for curve, value in values.items():
                if value is not None and math.isfinite(value):
                    writer.add_scalar(curve, value, report.epoch)
        if record.score is not None and math.isfinite(record.score):
            writer.add_hparams(settings, {"hparam/score": record.score}, run_name=".")


def _plain(value: object) -> bool | str | float | int:
    return value if isinstance(value, bool | str | float | int) else str(value)
