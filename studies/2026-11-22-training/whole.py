"""Time whole studies: ``autoopt tune`` with one process and with two, beside as many trainings in a plain loop.

    python studies/2026-11-22-training/whole.py studies/digits_mlp.py --budget 20 --rounds 3

By the clock and in processor time, all processes and their start included; the arms in turn, medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from autoopt.tasks.load import load_task
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import Task
from autoopt.training.holding import hold_data


def dataset_of(samples: TensorSamples) -> Dataset[tuple[torch.Tensor, ...]]:
    """Return rows as a data set."""
    return TensorDataset(*samples.tensors)


def train_plainly(task: Task) -> None:
    """Train the task once as a user would: DataLoader, AdamW as it comes, a schedule, an evaluation every epoch."""
    held = hold_data(task, "cpu")
    assert isinstance(held.train, TensorSamples)
    assert isinstance(held.valid, TensorSamples)
    train = DataLoader(dataset_of(held.train), task.batch_size, shuffle=True)
    valid = DataLoader(dataset_of(held.valid), task.batch_size)
    model = task.make_model()
    optimizer: torch.optim.Optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    if task.sparse_gradients:
        optimizer = torch.optim.Adagrad(model.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, task.epochs * len(train))
    for _ in range(task.epochs):
        model.train()
        for batch in train:
            optimizer.zero_grad()
            loss = task.batch_loss(model, batch).loss
            loss.backward()
            optimizer.step()
            schedule.step()
            loss.item()
        model.eval()
        with torch.no_grad():
            for batch in valid:
                task.batch_loss(model, batch).loss.item()


def timed(act: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of an act in this process, by the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - wall, time.process_time() - cpu


def tune(path: str, budget: int, workers: int, document: Path) -> tuple[float, float]:
    """Tune in a process of its own; return seconds by the clock, and of the processor with all that it has started."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "autoopt", "tune", path, "--budget", str(budget), "--seed", "0", "--quiet",
                   "--storage", f"{folder}/study.db", "--workers", str(workers), "--json", str(document)]  # fmt: skip
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise RuntimeError(f"{' '.join(command)} ended with status {status}")
        return time.perf_counter() - began, used.ru_utime + used.ru_stime


def verdict(document: Path) -> dict[str, object]:
    """Return what may not depend on how many processes there were."""
    found = json.loads(document.read_text())
    return {key: value for key, value in found.items() if key not in ("spent", "audit", "pareto")}


def main() -> None:
    """Measure and print a row for each study."""
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument("studies", nargs="+", metavar="STUDY")
    reader.add_argument("--budget", type=int, default=20)
    reader.add_argument("--rounds", type=int, default=1)
    asked = reader.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    print(f"budget {asked.budget}, {asked.rounds} rounds: seconds by the clock (of the processor)")
    for path in asked.studies:
        task = load_task(path)
        train_plainly(task)  # torch loads parts of itself at the first training
        plain, one, two, gains = [], [], [], []
        with tempfile.TemporaryDirectory() as folder:
            documents = [Path(folder) / "one.json", Path(folder) / "two.json"]
            for _ in range(asked.rounds):
                plain.append(timed(lambda task=task: train_plainly(task)))
                one.append(tune(path, asked.budget, 1, documents[0]))
                two.append(tune(path, asked.budget, 2, documents[1]))
                gains.append(one[-1][0] / two[-1][0])
            same = verdict(documents[0]) == verdict(documents[1])
        whole = [asked.budget * median(each) for each in zip(*plain, strict=True)]
        told = [f"{wall:.1f} ({cpu:.1f})" for wall, cpu in
                (whole, *([median(each) for each in zip(*found, strict=True)] for found in (one, two)))]  # fmt: skip
        print(f"{task.name}: {asked.budget} plain trainings {told[0]}, one process {told[1]}, two {told[2]}; "
              f"two are {median(gains):.2f} times as fast ({min(gains):.2f} to {max(gains):.2f}); "
              f"verdicts {'equal' if same else 'DIFFER'}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
