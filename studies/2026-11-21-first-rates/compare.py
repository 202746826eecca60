"""At how many rates should every optimizer be tried first? The same study with one, two and three of them.

    python studies/2026-11-21-first-rates/compare.py [--seeds 3] [--budget 20]

Prints a row a task and choice: mean over study seeds of the winner's mean score on fresh seeds (less is better),
the winners, and seconds a study. Everything else is as ``autoopt.tune`` does it.
"""

import argparse
import time
from pathlib import Path
from statistics import mean

import autoopt
from autoopt.search import study as search_study

CHOICES = {
    "reference": (1.0,),
    "reference and 4x": (1.0, 4.0),
    "a quarter, reference and 4x": (0.25, 1.0, 4.0),
}
TASKS = ("digits_mlp", "digits_cnn", "tabular_regression")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="studies a cell")
    parser.add_argument("--budget", type=float, default=20, help="complete trainings a study")
    options = parser.parse_args()
    for name in TASKS:
        task = autoopt.load_task(Path(__file__).parents[1] / f"{name}.py")
        for choice, rates in CHOICES.items():
            search_study.FIRST_RATES = rates
            started = time.perf_counter()
            found = [autoopt.tune(task, options.budget, seed=seed) for seed in range(options.seeds)]
            scores = [f"{r.chosen.mean:.4f} {r.recipe.optimizer}" for r in found]
            seconds = (time.perf_counter() - started) / options.seeds
            print(
                f"{name:20} {choice:28} {mean(r.chosen.mean for r in found):.4f}  {scores}  {seconds:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
