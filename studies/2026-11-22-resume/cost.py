"""What checkpoints cost: seconds that a study writes them, beside those that it trains; and one file of a larger model.

python studies/2026-11-22-resume/cost.py studies/digits_mlp.py studies/sequence_gru.py
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import ClassVar

import torch
from torch import nn

import autoopt
from autoopt import sitting
from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.tasks.make import make_task
from autoopt.training.checkpoint_folder import CheckpointFolder
from autoopt.training.checkpoints import Checkpoints
from autoopt.training.trainee import Trainee


class Timed(Checkpoints):
    """Remembers what it did."""

    seen: ClassVar[list[Timed]] = []

    def __init__(self, folder: CheckpointFolder) -> None:
        super().__init__(folder)
        self.files, self.cpu = 0, 0.0
        Timed.seen.append(self)

    def _save(self, *arguments: object) -> None:
        began = process_time()
        super()._save(*arguments)
        self.files += 1
        self.cpu += process_time() - began


def study_cost(task: str, folder: Path) -> str:
    """Search with a budget of eight trainings, and say what part of the time went to checkpoints."""
    sitting.Checkpoints = Timed
    began = process_time()
    autoopt.tune(task, 8, storage=str(folder / "study.db"), study=task)
    total, made = process_time() - began, Timed.seen[-1]
    return (f"{Path(task).stem}: {made.files} files in {1000 * made.cpu:.0f} ms of {total:.1f} s (processor time), "
            f"{100 * made.cpu / total:.2f} %; {1000 * made.cpu / max(1, made.files):.1f} ms a file")  # fmt: skip


def file_cost(width: int, folder: Path) -> str:
    """Write and read one run of a large model with AdamW, five times; medians."""

    def model() -> nn.Module:
        return nn.Sequential(
            nn.Linear(16, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2)
        )

    rows = torch.randn(8, 16), torch.arange(8) % 2
    task = make_task(model=model, train_data=rows, val_data=rows, epochs=2, batch_size=8, name="large")
    run = Run(0, Recipe("adamw", {"lr": 1e-3}), 0, 2)
    trainee = Trainee(task, run, "cpu")
    report: EpochReport = trainee.train_epoch()
    place = CheckpointFolder(folder, "large")
    writes, reads = [], []
    for _ in range(5):
        began = perf_counter()
        place.save(run, [report], trainee.state())
        writes.append(perf_counter() - began)
        began = perf_counter()
        Trainee(task, run, "cpu").resume(place.load(run).state)
        reads.append(perf_counter() - began)
    size = next(place.path.iterdir()).stat().st_size
    return (f"{sum(p.numel() for p in trainee.parameters):,} parameters, AdamW: {size / 1e6:.0f} MB, "
            f"{statistics.median(writes):.2f} s to write, {statistics.median(reads):.2f} s to go on from")  # fmt: skip


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=".") as root:
        for name in sys.argv[1:]:
            print(study_cost(name, Path(root)), flush=True)
        for size in (100, 1000, 3000):
            print(file_cost(size, Path(root) / "files"), flush=True)
