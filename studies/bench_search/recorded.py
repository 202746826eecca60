"""Recorded tables: random recipes with their whole curves, for trying out searches without training anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from optuna.samplers import RandomSampler

from autoopt.recipe import Recipe
from autoopt.space.choose import suggest
from autoopt.tasks.task import Task
from studies.bench_search.bench import SEEDS_A_SEARCH
from studies.bench_search.cache import CurveCache
from studies.bench_search.evaluator import Evaluator
from studies.bench_search.suite import space_of

SECOND_SEED = 500_000


@dataclass(frozen=True)
class Recorded:
    """Recipes and their curves on two seeds.

    Attributes:
        recipes: what was trained.
        scores, averaged: (recipes, 2, epochs), of the weights as they are and of their average; NaN once diverged,
            and in ``averaged`` after the last epoch.
        seconds: (recipes, 2), processor time of the complete training.
    """

    recipes: tuple[Recipe, ...]
    scores: np.ndarray
    averaged: np.ndarray
    seconds: np.ndarray


def random_recipes(task: Task, count: int, seed: int) -> Iterator[Recipe]:
    """Yield the recipes that random search with this seed tries."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=RandomSampler(seed=seed))
    for _ in range(count):
        yield suggest(space_of(task), study.ask())


def record(task: Task, cache: CurveCache, place: Path, count: int, seeds: int = 3) -> Recorded:
    """Train ``count`` recipes of each of the first random searches, on two seeds, and write them."""
    evaluator = Evaluator(task, cache)
    recipes, scores, averaged, seconds = [], [], [], []
    for seed in range(seeds):
        for recipe in random_recipes(task, count, seed):
            curves = [evaluator.curve(recipe, s, task.epochs) for s in (seed * SEEDS_A_SEARCH, SECOND_SEED)]
            recipes.append(recipe)
            scores.append([_padded([r.score for r in c.reports if not r.over], task.epochs) for c in curves])
            averaged.append(
                [_padded([r.averaged_score for r in c.reports if not r.over], task.epochs) for c in curves]
            )
            seconds.append([sum(c.cpu_seconds) for c in curves])
    found = Recorded(tuple(recipes), np.array(scores), np.array(averaged), np.array(seconds))
    place.parent.mkdir(parents=True, exist_ok=True)
    told = np.array([json.dumps(recipe.to_dict()) for recipe in recipes])
    np.savez_compressed(
        place, recipes=told, scores=found.scores, averaged=found.averaged, seconds=found.seconds
    )
    return found


def load_recorded(place: Path) -> Recorded:
    """Read what ``record`` wrote."""
    with np.load(place) as data:
        recipes = tuple(Recipe.from_dict(json.loads(str(text))) for text in data["recipes"])
        return Recorded(recipes, data["scores"], data["averaged"], data["seconds"])


def _padded(values: list[float | None], epochs: int) -> list[float]:
    known = [float("nan") if value is None else value for value in values]
    return known + [float("nan")] * (epochs - len(known))
