"""Optuna as its users run it, over autoopt's space: random, TPE, TPE with pruners, CMA-ES."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from autoopt.catalogue.rate import learning_rate
from autoopt.recipe import Recipe
from autoopt.space.choose import suggest
from autoopt.space.question import Chooser
from studies.bench_search.bench import Bench, BudgetSpentError
from studies.bench_search.flat import Answers, questions_of

WIDE_RATES = (1e-5, 1.0)
"""One range of absolute rates for all optimizers, as in the PyTorch examples of Optuna (1e-5 to 1e-1), which name Adam,
RMSprop and SGD; up to 1 here, since Adadelta and SGD without momentum want more."""

Suggest = Callable[[Bench, Chooser], Recipe]


def random(bench: Bench) -> None:
    """Random search, every run to its end."""
    _optimize(bench, RandomSampler(seed=bench.seed), NopPruner())


def tpe(bench: Bench) -> None:
    """Optuna's default sampler, every run to its end."""
    _optimize(bench, TPESampler(seed=bench.seed), NopPruner())


def tpe_wide(bench: Bench) -> None:
    """TPE with one wide range of absolute learning rates for all optimizers: the script that users write."""
    _optimize(bench, TPESampler(seed=bench.seed), NopPruner(), suggest_wide)


def tpe_median(bench: Bench) -> None:
    """TPE with Optuna's default pruner."""
    _optimize(bench, TPESampler(seed=bench.seed), MedianPruner())


def tpe_hyperband(bench: Bench) -> None:
    """TPE with Hyperband from a ninth of a training on, a third going on at each rung."""
    epochs = bench.task.epochs
    pruner = HyperbandPruner(min_resource=max(1, epochs // 9), max_resource=epochs, reduction_factor=3)
    _optimize(bench, TPESampler(seed=bench.seed), pruner)


def cma_es(bench: Bench) -> None:
    """CMA-ES over all numbers of the space at once, those of the other optimizers idle; choices at random."""
    sampler = CmaEsSampler(seed=bench.seed, n_startup_trials=1, warn_independent_sampling=False)
    _optimize(bench, sampler, NopPruner(), suggest_flat)


def suggest_normal(bench: Bench, chooser: Chooser) -> Recipe:
    """Walk autoopt's space."""
    return suggest(bench.space, chooser)


def suggest_wide(bench: Bench, chooser: Chooser) -> Recipe:
    """Walk autoopt's space, but ask for an absolute learning rate."""
    recipe = suggest(bench.space, _Wide(chooser))
    entry = bench.space.entry(recipe.optimizer)
    rate = float(recipe.settings["lr"]) / learning_rate(entry, 1.0, recipe.settings)
    return replace(recipe, settings={**recipe.settings, "lr": rate})


class _Wide:
    """Passes questions on; the relative rate is asked as an absolute one."""

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self.suggest_int, self.suggest_categorical = chooser.suggest_int, chooser.suggest_categorical

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Answer ``lr_relative`` with a number that only ``suggest_wide`` knows how to read."""
        if name == "lr_relative":
            return self._chooser.suggest_float("lr", *WIDE_RATES, log=True)
        return self._chooser.suggest_float(name, low, high, log=log)


def suggest_flat(bench: Bench, chooser: Chooser) -> Recipe:
    """Ask for everything that any optimizer or schedule could want, then walk the space with the answers."""
    answers: dict[str, Any] = {q.name: q.ask(chooser) for q in questions_of(bench.space)}
    return suggest(bench.space, Answers(answers))


def _optimize(bench: Bench, sampler: BaseSampler, pruner: BasePruner, walk: Suggest = suggest_normal) -> None:
    """Ask and tell until the budget is spent; a score that is not finite is a failed trial, as in Optuna."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction = "minimize" if bench.sign > 0 else "maximize"
    # the pruner hashes the name, so it must not be left to chance
    study = optuna.create_study(sampler=sampler, pruner=pruner, direction=direction, study_name="bench")
    looks: Sequence[int] = range(1, bench.task.epochs + 1)
    if isinstance(pruner, NopPruner):
        looks = (bench.task.epochs,)
    while True:
        trial = study.ask()
        training = bench.start(walk(bench, trial))
        try:
            for epoch in looks:
                report = training.upto(epoch)
                trial.report(report.score, epoch)
                if training.over or (trial.should_prune() and epoch < bench.task.epochs):
                    break
        except BudgetSpentError:
            return
        if training.over or not math.isfinite(report.score):
            study.tell(trial, state=TrialState.FAIL)
        elif report.epoch < bench.task.epochs:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, report.score)
