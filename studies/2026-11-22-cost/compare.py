"""What studies of dear optimizers take beside their budget, charged and not: python compare.py [BUDGET] [SEEDS].

Times are those of the processor, so that others at work on the machine hardly count.
"""

import sys
import time
from collections import Counter
from pathlib import Path
from typing import ClassVar

from autoopt import opening, tune
from autoopt.catalogue import OPTIMIZERS
from autoopt.training import serial
from autoopt.training.trainee import Trainee

TASK = str(Path(__file__).parents[1] / "digits_mlp.py")
NAMES = ["adamw", "muon", "soap"]


class Timed(Trainee):
    """A trainee that adds up its processor time by optimizer, and its epochs."""

    seconds: ClassVar[Counter[str]] = Counter()
    epochs: ClassVar[Counter[str]] = Counter()

    def train_epoch(self):
        began = time.process_time()
        report = super().train_epoch()
        Timed.seconds[self.run.recipe.optimizer] += time.process_time() - began
        Timed.epochs[self.run.recipe.optimizer] += 1
        return report


def main(budget: float = 20, seeds: int = 2) -> None:
    """Print a line a study."""
    serial.Trainee = Timed
    measured = opening.study_costs
    print("| charged | seed | costs | epochs | budget | time of trainings | winner | loss |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for seed in range(seeds):
        for charged in (True, False):
            opening.study_costs = measured if charged else lambda *_: {}
            Timed.seconds.clear()
            Timed.epochs.clear()
            answer = tune(TASK, budget, optimizers=NAMES, seed=seed)
            training = Timed.seconds["adamw"] / Timed.epochs["adamw"] * answer.epochs
            taken = sum(Timed.seconds.values()) / training
            costs = ", ".join(f"{name} {cost:g}" for name, cost in answer.costs.items()) or "–"
            epochs = ", ".join(f"{name} {count}" for name, count in Timed.epochs.items())
            spent = answer.spent.search_runs + answer.spent.confirm_runs
            print(f"| {'yes' if charged else 'no'} | {seed} | {costs} | {epochs} | {spent:.1f} of {budget:g} | "
                  f"{taken:.1f} × a baseline's | {OPTIMIZERS[answer.recipe.optimizer].title} | "
                  f"{answer.chosen.mean:.4f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
