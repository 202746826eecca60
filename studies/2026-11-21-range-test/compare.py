"""Does a learning-rate range test find the rate that a sweep finds?

    python studies/2026-11-21-range-test/compare.py [--optimizers sgd,adamw,rmsprop] [--sweeps FILE] [TASK …]

For every task and optimizer: the range test of ``autoopt.training.range_test``, and a sweep of whole trainings
(at most 10 epochs, one seed, linear decay after a warmup over 5 % of the steps, no weight decay) at 2⁻⁴ to 2⁶ times
the optimizer's reference rate, by fours, then by twos beside the best one. Sweeps that are in ``sweeps.json`` already
are not trained again, new ones are added to it. Prints a row each; rates are log2 of
their multiple of the reference. *Good* are the swept rates that end within 5 % of the best one; *loss* are the
validation losses at the reference, at the swept rate next to the test's, and at the best one.
"""

import argparse
import json
import math
import time
from pathlib import Path
from statistics import mean, median

import autoopt
from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import learning_rate, reference_settings
from autoopt.recipe import Recipe
from autoopt.run import Run
from autoopt.training.range_test import range_test
from autoopt.training.serial import serial_cohort

STUDIES = Path(__file__).parents[1]
SEED, EPOCHS = 7, 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--optimizers", default="sgd,adamw,rmsprop")
    parser.add_argument("--sweeps", type=Path, default=Path(__file__).with_name("sweeps.json"))
    parser.add_argument(
        "tasks", nargs="*", type=Path, help="task files; left out: all studies and architectures"
    )
    options = parser.parse_args()
    files = options.tasks or [*sorted(STUDIES.glob("*.py")), *sorted(STUDIES.glob("architectures/*.py"))]
    rows = []
    for file in files:
        task = autoopt.load_task(file)
        for name in options.optimizers.split(","):
            entry = OPTIMIZERS[name]
            if entry.accepts(sparse=task.sparse_gradients, dense=task.dense_gradients):
                rows.append(compare(task, name, options.sweeps))
    for what, key in (("reference", "reference_off"), ("range test", "test_off")):
        off = [row[key] for row in rows if row[key] is not None]
        middle = f"mean {mean(off):.2f}, median {median(off):.2f}"
        print(f"{what:10} off by 2^x, x: {middle}, worst {max(off):.1f}, of {len(off)}")
    for what, key in (("reference", "at_reference"), ("range test", "at_test")):
        worse = [row[key] / row["at_best"] for row in rows if row[key] is not None]
        print(f"{what:10} loss as a multiple of the best: median {median(worse):.2f}, worst {max(worse):.2f}")


def compare(task, name, sweeps):
    """Return how far reference and range test are from the best swept rate, and print it."""
    started = time.process_time()
    settings = reference_settings(OPTIMIZERS[name]) | {"weight_decay": 0.0}
    found = range_test(task, Recipe(name, settings))
    tested = time.process_time()
    losses = recorded_sweep(task, name, settings, sweeps)
    best = min(losses, key=losses.get)
    swept = time.process_time()
    probe, border = (None if r is None else math.log2(r / settings["lr"]) for r in (found.best, found.border))
    near = None if probe is None else losses[min(losses, key=lambda k: abs(k - probe))]
    good = [k for k in sorted(losses) if losses[k] <= losses[best] + 0.05 * abs(losses[best])]
    cells = [show(v) for v in (probe, border)]
    print(
        f"| {task.name} | {name} | {best} | {good[0]} to {good[-1]} | {cells[0]} | {cells[1]} "
        f"| {losses[0]:.3g}, {math.nan if near is None else near:.3g}, {losses[best]:.3g} "
        f"| {tested - started:.1f} | {swept - tested:.0f} |",
        flush=True,
    )
    return {
        "reference_off": abs(best), "test_off": None if probe is None else abs(best - probe),
        "at_reference": losses[0], "at_test": near, "at_best": losses[best],
    }  # fmt: skip


def recorded_sweep(task, name, settings, file):
    """Return the validation losses of a sweep by k, from the file or newly trained."""
    known = json.loads(file.read_text()) if file.exists() else {}
    if f"{task.name} {name}" not in known:
        losses = sweep(task, name, settings, (-4, -2, 0, 2, 4, 6))
        best = min(losses, key=losses.get)
        losses |= sweep(task, name, settings, (best - 1, best + 1))
        known[f"{task.name} {name}"] = {
            k: loss if math.isfinite(loss) else None for k, loss in losses.items()
        }
        file.write_text(json.dumps(known, indent=1) + "\n")
        known = json.loads(file.read_text())
    return {int(k): math.inf if v is None else v for k, v in known[f"{task.name} {name}"].items()}


def sweep(task, name, settings, steps):
    """Return the validation loss at the end of a training at 2^k times the reference rate, by k."""
    ends = {}
    runs = [
        Run(
            k + 100,
            Recipe(
                name,
                settings | {"lr": learning_rate(OPTIMIZERS[name], 2.0**k, settings)},
                "linear",
                {"warmup": 0.05},
            ),
            SEED,
            min(task.epochs, EPOCHS),
        )
        for k in steps
    ]
    cohort = serial_cohort(task, runs, "cpu")
    while cohort.runs:
        for report in cohort.advance():
            bad = report.diverged or report.failure or not math.isfinite(report.valid_loss)
            ends[report.run_id - 100] = math.inf if bad else report.valid_loss
    return ends


def show(number):
    return "–" if number is None else f"{number:.1f}"


if __name__ == "__main__":
    main()
