"""The choice problem: which of six optimizers is right, when the rates that are known for them are wrong by up to 3 ×?

A formula in place of training, after the synthetic problem in the notes of this project: every optimizer has its own
best rate and its own floor, Lion's being the lowest by a margin; the optimum is 0.42. What a method knows of the rates
is off by a random factor of up to √10 either way. A method gets 60 evaluations; 60 seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from autoopt.search.samplers import Sampler
from autoopt.search.study import FIRST_RATES

EVALUATIONS, SEEDS, BEST = 60, 60, 0.42
DECADES = 1.0  # searched on either side of the rate that is known
WEIGHT_DECAYS = (1e-6, 1e-1)
WIDE_RATES = (1e-6, 1.0)


@dataclass(frozen=True)
class Valley:
    """How one optimizer's loss depends on its rate: its best rate, its width in decades, and its floor."""

    rate: float
    width: float
    floor: float


VALLEYS = {
    "sgd": Valley(0.3, 0.9, 0.55), "momentum": Valley(0.05, 0.8, 0.5), "adam": Valley(1e-3, 1.0, 0.5),
    "adamw": Valley(1e-3, 1.0, 0.48), "lion": Valley(1e-4, 0.45, BEST), "rmsprop": Valley(5e-4, 1.0, 0.52),
}  # fmt: skip
RIGHT = "lion"


@dataclass
class ChoiceProblem:
    """The problem as one seed has it. Every call of ``loss`` is an evaluation."""

    seed: int
    evaluations: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        wrong = np.random.default_rng([1000, self.seed]).uniform(-0.5, 0.5, len(VALLEYS))
        self.known = {
            name: valley.rate * 10**off for (name, valley), off in zip(VALLEYS.items(), wrong, strict=True)
        }

    def loss(self, optimizer: str, lr_relative: float, weight_decay: float) -> float:
        """Return the loss of an optimizer at a multiple of the rate that is known for it."""
        valley = VALLEYS[optimizer]
        miss = math.log10(self.known[optimizer] * lr_relative / valley.rate) / valley.width
        found = valley.floor + min(0.5, 0.25 * miss**2) + 0.01 * (math.log10(weight_decay) + 3) ** 2
        self.evaluations.append((optimizer, found))
        return found


Choose = Callable[[ChoiceProblem, int], None]
"""A method: it calls ``loss`` so many times; the best of them is its answer."""


def by_sampler(make: Callable[[int], BaseSampler], *, wide: bool = False) -> Choose:
    """Return the method that asks one Optuna study for everything.

    Args:
        wide: one range of absolute rates for all optimizers, in place of multiples of the known ones.
    """

    def choose(problem: ChoiceProblem, evaluations: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = make(problem.seed)
        study = optuna.create_study(sampler=sampler)
        for _ in range(evaluations):
            trial = study.ask()
            optimizer = trial.suggest_categorical("optimizer", tuple(VALLEYS))
            if wide:
                rate = trial.suggest_float("lr", *WIDE_RATES, log=True) / problem.known[optimizer]
            else:
                rate = trial.suggest_float("lr_relative", 10**-DECADES, 10**DECADES, log=True)
            decay = trial.suggest_float("weight_decay", *WEIGHT_DECAYS, log=True)
            study.tell(trial, problem.loss(optimizer, rate, decay))

    return choose


def _own_sampler(seed: int) -> Sampler:
    """Return autoopt's sampler with the portfolio that its studies begin with: each optimizer at some rates."""
    portfolio = [
        {"optimizer": name, "lr_relative": rate, "weight_decay": 1e-3}
        for rate in FIRST_RATES
        for name in VALLEYS
    ]
    return Sampler(seed, first=portfolio, apart=0.15)


CHOOSERS: dict[str, Choose] = {
    "random, wide rates": by_sampler(lambda seed: RandomSampler(seed=seed), wide=True),
    "TPE, wide rates": by_sampler(lambda seed: TPESampler(seed=seed), wide=True),
    "random": by_sampler(lambda seed: RandomSampler(seed=seed)),
    "TPE": by_sampler(lambda seed: TPESampler(seed=seed)),
    "autoopt's sampler": by_sampler(_own_sampler),
}


@dataclass(frozen=True)
class Choices:
    """How a method did over seeds: how often its best evaluation was of the right optimizer, and its mean best loss."""

    method: str
    right: int
    seeds: int
    mean_best: float


def choices_of(name: str, choose: Choose, seeds: Sequence[int], evaluations: int = EVALUATIONS) -> Choices:
    """Run a method on every seed."""
    bests = []
    for seed in seeds:
        problem = ChoiceProblem(seed)
        choose(problem, evaluations)
        bests.append(min(problem.evaluations[:evaluations], key=lambda found: found[1]))
    right = sum(optimizer == RIGHT for optimizer, _ in bests)
    return Choices(name, right, len(bests), float(np.mean([loss for _, loss in bests])))
