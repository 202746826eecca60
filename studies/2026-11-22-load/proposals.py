"""Print a checksum of proposals of a made-up study, by seed: what makes the sampler faster must not change it.

python studies/2026-11-22-load/proposals.py TRIALS SEED …
"""

from __future__ import annotations

import hashlib
import math
import sys
import time

import numpy as np

from autoopt.catalogue import OPTIMIZERS
from autoopt.run import Purpose, Run, RunRecord, RunState
from autoopt.search.fidelity import looks_of
from autoopt.search.study import Study, Trial
from autoopt.space.build import build_space

EPOCHS = 18
WAVE = 9
# best loss, best rate as a multiple of the reference, decades above it from which on runs diverge
SHAPES = {
    "sgd": (0.11, 4.0, 0.7),
    "adam": (0.09, 1.5, 1.1),
    "adamw": (0.075, 2.0, 1.1),
    "nadam": (0.07, 3.0, 1.0),
}


def tell(study: Study, trial: Trial, random: np.random.Generator) -> None:
    """Let a trial come to something: it diverges, is stopped at a rung, goes on waiting, or is trained to its end."""
    recipe = trial.recipe
    loss, best, border = SHAPES.get(recipe.optimizer, (0.1, 2.0, 1.0))
    settings = OPTIMIZERS[recipe.optimizer].hyperparameters
    reference = next((float(each.reference) for each in settings if each.name == "lr"), 1.0)
    off = math.log10(float(recipe.settings.get("lr", reference)) / reference / best)
    final = loss * (1 + 1.5 * off**2) * math.exp(random.normal(0, 0.06))
    run = Run(trial.number, recipe, 0, EPOCHS, Purpose.SEARCH, trial.number)
    chance, looks = random.random(), looks_of(EPOCHS)
    if off > border:
        study.tell(RunRecord(run, RunState.DIVERGED, None, 1))
        return
    reached = looks[: 3 if chance < 0.1 else 2 if chance < 0.35 else 1]
    for epoch in reached:
        score = final + (2.3 - final) * math.exp(-4 * epoch / EPOCHS)
        study.report(run, epoch, score)
    if reached == looks:
        study.tell(RunRecord(run, RunState.FINISHED, score, EPOCHS))
    elif chance < 0.6:
        study.tell(RunRecord(run, RunState.STOPPED, score, reached[-1]))


def checksum(trials: int, seed: int) -> str:
    """Return a checksum of all recipes that a study of so many trials proposes."""
    random, study = np.random.default_rng(seed), Study(build_space(), "minimize", EPOCHS, seed)
    found, waiting = hashlib.sha256(), []
    for number in range(trials):
        waiting.append(study.ask())
        found.update(str(waiting[-1].recipe).encode())
        if len(waiting) == WAVE or number < 5:
            for trial in waiting:
                tell(study, trial, random)
            waiting = []
    return found.hexdigest()[:16]


if __name__ == "__main__":
    for seed in map(int, sys.argv[2:]):
        began = time.process_time()
        print(seed, checksum(int(sys.argv[1]), seed), f"{time.process_time() - began:.1f} s", flush=True)
