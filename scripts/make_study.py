"""Write a large study of made-up runs, for trying the dashboard. Nothing is trained; equal seeds give equal studies.

Every optimizer has a best rate of its own; the loss grows with the distance from it in decades, and diverges beyond.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import learning_rate
from autoopt.recipe import Recipe
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.run import EpochReport, Purpose, Run, RunRecord, RunState
from autoopt.search.fidelity import rungs_of
from autoopt.verdict.confirm import gather_scores
from autoopt.verdict.recommend import recommend
from autoopt.verdict.recommendation import Reason, Spent

COHORT = 9
BATCH = 2000  # runs a transaction
SEEDS = range(1, 6)
SCHEDULES = ("linear", "cosine", "constant", "step")
# best loss, best relative rate, decades above it from which on runs diverge
SHAPES = {"sgd": (0.11, 4.0, 0.7), "adam": (0.09, 1.5, 1.1), "adamw": (0.075, 2.0, 1.1), "nadam": (0.07, 3.0, 1.0),
          "radam": (0.08, 3.0, 1.2), "rmsprop": (0.12, 1.0, 0.8), "adagrad": (0.15, 2.0, 1.5),
          "adadelta": (0.13, 3.0, 1.4)}  # fmt: skip


def main() -> None:
    """Read the command line and write the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("storage")
    parser.add_argument("--trials", type=int, default=50_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--study", default="big")
    parser.add_argument("--running", action="store_true", help="leave it as if it were at work")
    asked = parser.parse_args()
    with Store.open(asked.storage) as store:
        make_study(store, asked.study, asked.trials, asked.epochs, asked.seed, running=asked.running)


def make_study(
    store: Store, name: str, trials: int, epochs: int, seed: int, *, running: bool = False
) -> None:
    """Write a study of so many trials down, with a verdict unless it runs."""
    record = StudyRecord(name, "made_up", "", "made up", "loss", "minimize", epochs, {"seed": seed}, seed)
    store.create_study(record)
    random = np.random.default_rng(seed)
    part: list[tuple[RunRecord, list[EpochReport]]] = []
    best: dict[str, RunRecord] = {}
    for number in range(trials):
        made = make_run(number, epochs, random)
        part.append(made)
        known = best.get(made[0].run.recipe.optimizer)
        if made[0].state is RunState.FINISHED and (
            known is None or (made[0].score or 9) < (known.score or 9)
        ):
            best[made[0].run.recipe.optimizer] = made[0]
        if len(part) == BATCH or number == trials - 1:
            save(store, name, part)
            part = []
    if not running and best:
        judge(store, name, sorted(best.values(), key=lambda r: r.score or 9)[:3], trials, epochs, random)
        store.update_study(name, state="done")


def save(store: Store, name: str, made: list[tuple[RunRecord, list[EpochReport]]]) -> None:
    """Write runs down in one transaction."""
    reports = [report for _, reports in made for report in reports]
    records = [record for record, _ in made]
    store.save(name, runs=[record.run for record in records], reports=reports, records=records)


def make_run(number: int, epochs: int, random: np.random.Generator) -> tuple[RunRecord, list[EpochReport]]:
    """Return a trial with its epochs: nine in ten are trained to the end, so that there are many epochs."""
    optimizer = str(random.choice(list(SHAPES)))
    loss, best_rate, border = SHAPES[optimizer]
    relative = float(np.exp(random.uniform(np.log(0.03), np.log(30))))
    momentum = {"momentum": float(1 - 10 ** random.uniform(-2, -0.3))} if optimizer == "sgd" else {}
    settings = {"lr": learning_rate(OPTIMIZERS[optimizer], relative, momentum), **momentum,
                "weight_decay": float(10 ** random.uniform(-5, -1))}  # fmt: skip
    recipe = Recipe(optimizer, settings, str(random.choice(SCHEDULES)), {"warmup": 0.05}, 64)
    rungs = rungs_of(epochs)
    run = Run(number, recipe, 0, epochs, Purpose.SEARCH, number, number // COHORT, rungs)
    off = np.log10(relative / best_rate)
    final = loss * (1 + 1.5 * off**2) * np.exp(random.normal(0, 0.06))
    if random.random() < 0.002:
        note = "RuntimeError: DataLoader worker (pid 4711) was killed"
        return RunRecord(run, RunState.FAILED, None, 0, 0.0, note), []
    diverges = off > border + random.normal(0, 0.1)
    stopped = not diverges and rungs and random.random() < 0.1
    last = int(random.integers(1, max(2, epochs // 3))) if diverges else rungs[-1] if stopped else epochs
    reports = list(
        make_reports(number, final, off, epochs, last, settings["lr"], random, diverges=bool(diverges))
    )
    record = RunRecord(run)
    for report in reports:
        record = record.after(report)
    return (record.stopped() if stopped else record), reports


def make_reports(
    number: int, final: float, off: float, epochs: int, last: int, lr: float, random: np.random.Generator,
    *, diverges: bool = False,
) -> Iterator[EpochReport]:  # fmt: skip
    """Yield the epochs of a run: from 2.3 down to its final loss, faster for higher rates."""
    speed = 4.0 * 10 ** (0.5 * min(off, 0.3))
    noise = np.exp(random.normal(0, 0.02, size=(last, 2)))
    for epoch in range(1, last + 1):
        valid = float((final + (2.3 - final) * np.exp(-speed * epoch / epochs)) * noise[epoch - 1, 0])
        over = diverges and epoch == last
        yield EpochReport(
            number, epoch, valid * 0.9 * float(noise[epoch - 1, 1]), float("nan") if over else valid,
            float("nan") if over else valid, None, lr * (1 - epoch / (epochs + 1)), 1.0 + valid, 0.05, over,
        )  # fmt: skip


def judge(
    store: Store, name: str, finalists: list[RunRecord], trials: int, epochs: int, random: np.random.Generator
) -> None:
    """Confirm the finalists and a baseline with made-up runs, and write the verdict down."""
    baseline = Recipe("adamw", {"lr": 1e-3}, "constant", {}, 64)
    recipes = [(baseline, 0.12), *((record.run.recipe, (record.score or 0.1) * 1.08) for record in finalists)]
    made = []
    for recipe, loss in recipes:
        for seed in SEEDS:
            purpose = Purpose.BASELINE if recipe is baseline else Purpose.CONFIRM
            run = Run(trials + len(made), recipe, seed, epochs, purpose)
            score = loss * float(np.exp(random.normal(0, 0.03)))
            reports = list(
                make_reports(run.id, score, 0.0, epochs, epochs, float(recipe.settings["lr"]), random)
            )
            record = RunRecord(run)
            for report in reports:
                record = record.after(report)
            made.append((record, reports))
    save(store, name, made)
    records = [record for record, _ in made]
    confirmed = [gather_scores(recipe, records) for recipe, _ in recipes]
    verdict = recommend(
        study=name, task="made_up", objective="loss", direction="minimize", finalists=confirmed[1:],
        baseline=confirmed[0], epochs=epochs, versions={}, spent=Spent(trials * 0.9, len(made), trials * 0.9),
        reasons=[Reason("these runs are made up", "scripts/make_study", "caution")],
    )  # fmt: skip
    store.save_verdict(name, verdict.to_dict())


if __name__ == "__main__":
    main()
