"""Simulate studies whose truth is known, with the real race and verdict, and count what the verdict gets right.

Every recipe has a true mean; a score is that, plus what the seed does to all recipes, plus noise of its own. The search
sees each candidate once and passes the best on; they race on fresh seeds as ``sitting`` lets them, beside the baseline,
and ``Contest`` judges. Equal seeds give equal tables.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from autoopt.recipe import Recipe
from autoopt.run import Direction
from autoopt.search.budget import Budget, race
from autoopt.verdict.confirm import Confirmation, drop_behind
from autoopt.verdict.contest import Contest

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

RECIPES = [Recipe("adamw", {"lr": 1e-3 * (k + 1)}) for k in range(64)]
BASELINE = Recipe("sgd", {"lr": 0.1})
CANDIDATES_A_FINALIST = 3
EQUAL = 1e-12


def normal(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Noise of deviation 1."""
    return random.normal(size=shape)


def heavy(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Noise of deviation 1 with heavy tails: t with three degrees of freedom."""
    return random.standard_t(3, shape) / math.sqrt(3)


def skewed(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Noise of deviation 1 with a long tail to the bad side: exponential."""
    return random.exponential(size=shape) - 1


@dataclass(frozen=True)
class World:
    """What is true of a simulated study, in units of the noise of one run.

    Attributes:
        spread: deviation of the candidates' true means; 0 makes all of them equal.
        behind: how much worse the baseline is than their middle.
        baseline_noise: of the baseline's runs.
        unequal: the noise of finalists differs, from a half to the double.
    """

    name: str
    spread: float = 0.0
    behind: float = 0.0
    baseline_noise: float = 1.0
    draw: Draw = normal
    unequal: bool = False
    direction: Direction = "minimize"
    scale: float = 1.0


WORLDS = (
    World("all equal"),
    World("all equal, maximised, scores at 1e-30", direction="maximize", scale=1e-30),
    World("all equal, scores at 1e+30", scale=1e30),
    World("all equal, baseline half as noisy", baseline_noise=0.5),
    World("all equal, baseline twice as noisy", baseline_noise=2.0),
    World("all equal, finalists unequally noisy", unequal=True),
    World("all equal, heavy tails", draw=heavy),
    World("all equal, skewed", draw=skewed),
    World("they differ by the noise", spread=1.0),
    World("baseline behind by the noise", spread=1.0, behind=1.0),
    World("they differ by three times the noise", spread=3.0, behind=3.0),
)
PLANS = (*(Budget(runs).confirmation for runs in (7, 10, 12, 16, 20, 25, 40)), (4, 10), (16, 10))
SOME = (PLANS[1], PLANS[5], PLANS[6])


@dataclass
class Tally:
    """What came of simulated studies.

    Attributes:
        together: studies in which every gain's interval held the truth, of all finalists that were judged on two seeds
            or more.
        chosen, chosen_right: studies in which a finalist was chosen, and its interval held.
        claims, false_claims: studies with a gain claimed, and those in which there was none.
        said, best: the chance to be the best of the finalists as told, added up, and how often that was so.
    """

    studies: int = 0
    together: int = 0
    chosen: int = 0
    chosen_right: int = 0
    claims: int = 0
    false_claims: int = 0
    said: float = 0.0
    best: int = 0


def simulate(world: World, finalists: int, seeds: int, studies: int, seed: int = 0) -> Tally:
    """Return what came of so many studies."""
    random = np.random.default_rng([seed, finalists, seeds])
    tally = Tally()
    for _ in range(studies):
        _one_study(random, world, finalists, seeds, tally)
    return tally


def _one_study(random: np.random.Generator, world: World, finalists: int, seeds: int, tally: Tally) -> None:
    truth = random.normal(0, world.spread, CANDIDATES_A_FINALIST * finalists) if world.spread else np.zeros(
        CANDIDATES_A_FINALIST * finalists
    )  # fmt: skip
    seen = truth + world.draw(random, truth.shape)
    best = np.argsort(seen)[:finalists]
    truth, seen = truth[best], seen[best]
    noise = np.exp2(random.uniform(-1, 1, (finalists, 1))) if world.unequal else 1.0
    by_seed = random.normal(size=seeds)
    table = truth[:, None] + noise * world.draw(random, (finalists, seeds)) + by_seed
    rival = world.behind + world.baseline_noise * world.draw(random, (seeds,)) + by_seed
    sign = world.scale if world.direction == "minimize" else -world.scale
    confirmed = _race(sign * table, sign * seen, world.direction)
    baseline = Confirmation(BASELINE, {k: float(sign * score) for k, score in enumerate(rival)})
    contest = Contest.between(confirmed, baseline, world.direction)
    chosen, _ = contest.choose()
    gains = {r.recipe: world.scale * (world.behind - truth[RECIPES.index(r.recipe)]) for r in contest.rivals}
    _count(tally, contest, chosen, gains)


def _race(table: np.ndarray, seen: np.ndarray, direction: Direction) -> list[Confirmation]:
    """Return the confirmations of finalists, who drop out on the way as in a sitting."""
    found = {RECIPES[k]: Confirmation(RECIPES[k], search_score=float(score)) for k, score in enumerate(seen)}
    alive = list(found)
    for seed, places in enumerate(race(len(table), table.shape[1])):
        alive = drop_behind([found[recipe] for recipe in alive], places, direction)
        for recipe in alive:
            before = found[recipe]
            scores = {**before.scores, seed: float(table[RECIPES.index(recipe), seed])}
            found[recipe] = Confirmation(recipe, scores, search_score=before.search_score)
    return list(found.values())


def _count(tally: Tally, contest: Contest, chosen: Confirmation, gains: dict[Recipe, float]) -> None:
    tally.studies += 1
    tally.together += all(_holds(contest, each, gains) for each in contest.rivals if len(each.scores) > 1)
    if len(set(gains.values())) > 1:  # of equals every one is the best
        tally.said += contest.chance_best(chosen)
        best = max([*gains.values(), *([0.0] if chosen is contest.baseline else [])])
        tally.best += gains.get(chosen.recipe, 0.0) == best
    if chosen is contest.baseline:
        return
    tally.chosen += 1
    tally.chosen_right += _holds(contest, chosen, gains)
    if contest.verdict(chosen) == "better":
        tally.claims += 1
        tally.false_claims += gains[chosen.recipe] <= EQUAL * abs(gains[chosen.recipe])


def _holds(contest: Contest, rival: Confirmation, gains: dict[Recipe, float]) -> bool:
    gain = contest.gain(rival)
    return gain is None or gain.interval.low <= gains[rival.recipe] <= gain.interval.high


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=4000, help="simulated studies a line")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    print("| what is true | finalists, seeds | all intervals hold | the chosen one's holds | gain claimed | wrongly "
          "| chance of being the best: said, was |")  # fmt: skip
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    rows = []
    for world in WORLDS:
        for finalists, seeds in PLANS if world is WORLDS[0] else SOME:
            tally = simulate(world, finalists, seeds, given.studies, given.seed)
            rows.append({"world": world.name, "finalists": finalists, "seeds": seeds, **asdict(tally)})
            print(_row(world, finalists, seeds, tally), flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


def _row(world: World, finalists: int, seeds: int, tally: Tally) -> str:
    def share(count: float, of: int) -> str:
        return f"{count / of:.1%}" if of else "–"

    best = (
        "" if world.spread == 0 else f"{share(tally.said, tally.studies)}, {share(tally.best, tally.studies)}"
    )
    cells = (
        world.name, f"{finalists}, {seeds}", share(tally.together, tally.studies),
        share(tally.chosen_right, tally.chosen), share(tally.claims, tally.studies),
        share(tally.false_claims, tally.studies), best,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
