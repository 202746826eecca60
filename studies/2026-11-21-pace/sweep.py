"""How does the best learning rate change with the length of a training? See README.md beside this file.

OMP_NUM_THREADS=1 python studies/2026-11-21-pace/sweep.py
"""

import math
from dataclasses import replace
from pathlib import Path

import torch

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import learning_rate
from autoopt.recipe import Recipe
from autoopt.run import Run
from autoopt.tasks.load import load_task
from autoopt.training.serial import serial_cohort

TASKS = Path(__file__).parents[1] / "bench_search" / "tasks"
LENGTHS = (1, 3, 9, 27)  # epochs
OTHERS = {"sgd": {"momentum": 0.9, "nesterov": True}}


def final_loss(task, optimizer, relative):
    """Return the validation loss after a training at a multiple of the reference rate; infinite if it diverged."""
    settings = {"lr": 0.0, **OTHERS.get(optimizer, {})}
    settings["lr"] = learning_rate(OPTIMIZERS[optimizer], relative, settings)
    run = Run(0, Recipe(optimizer, settings, "linear", {"warmup": 0.05}), seed=1, epochs=task.epochs)
    cohort, loss = serial_cohort(task, [run]), math.inf
    while cohort.runs:
        (report,) = cohort.advance()
        loss = report.score if math.isfinite(report.score) and not report.over else math.inf
    return loss


def main():
    torch.set_num_threads(1)
    print("| task | optimizer | steps | best multiples of the reference rate, with their losses |")
    print("| --- | --- | ---: | --- |")
    for name in ("digits_mlp", "waves_gru"):
        task = load_task(TASKS / f"{name}.py")
        for optimizer in ("adam", "sgd", "adagrad", "rmsprop"):
            for epochs in LENGTHS:
                long = replace(task, epochs=epochs)
                lowest = 1 if epochs >= 9 else 2
                found = sorted((final_loss(long, optimizer, r), r) for r in (lowest * 2**k for k in range(7)))
                steps = epochs * task.train.steps_per_epoch(task.batch_size)
                shown = ", ".join(f"{relative} × ({loss:.3g})" for loss, relative in found[:3])
                print(f"| {name} | {optimizer} | {steps} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
