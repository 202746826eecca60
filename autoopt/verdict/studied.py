"""StudiedRuns: the runs of a study as rules ask for them, and the best of one side against the best of another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from scipy.special import stdtrit

from autoopt.guidance.audit import Measured
from autoopt.recipe import Recipe
from autoopt.run import Direction, EpochReport, Purpose, RunRecord
from autoopt.verdict.comparison import confirmations, first_look, title_of
from autoopt.verdict.confirm import Confirmation, seed_noise
from autoopt.verdict.statistics import paired_gain, simultaneous_confidence

Side = Callable[[Recipe], bool]
Titled = Callable[[Recipe], str]
Candidate = tuple[float, Recipe]


@dataclass(frozen=True)
class StudiedRuns:
    """The runs of a study, of the search and of the confirmation, with their epochs.

    Attributes:
        objective, direction: what the scores are, and which way is better.
        epochs: length of a complete training.
    """

    records: Sequence[RunRecord]
    reports: Mapping[int, Sequence[EpochReport]]
    objective: str
    direction: Direction
    epochs: int

    @cached_property
    def trials(self) -> list[RunRecord]:
        """The runs of the search."""
        return [record for record in self.records if record.run.purpose is Purpose.SEARCH]

    @cached_property
    def looks(self) -> list[tuple[Recipe, float]]:
        """What each trial cost at its first rung, lower is better, infinite if it diverged."""
        found = [(r.run.recipe, first_look(r, self.reports, self.direction)) for r in self.trials]
        return [(recipe, cost) for recipe, cost in found if cost is not None]

    @property
    def look_epochs(self) -> int:
        """When that was."""
        return min((r.run.rungs[0] if r.run.rungs else r.run.epochs for r in self.trials), default=0)

    @cached_property
    def confirmed(self) -> list[Confirmation]:
        """Tuned recipes on fresh seeds. An untuned baseline is not among them: it speaks for nobody's best."""
        return confirmations(r for r in self.records if r.run.purpose is Purpose.CONFIRM)

    @cached_property
    def everyone(self) -> list[Confirmation]:
        """All recipes on fresh seeds, the baseline's too."""
        return confirmations(self.records)

    @cached_property
    def noise(self) -> float | None:
        """Standard deviation of a score over seeds; ``None`` if not known."""
        return seed_noise(self.everyone)

    def margin(self, pairs: int = 1) -> float:
        """Return by how much two single runs may differ by the luck of seeds, with 95 % for all pairs together."""
        degrees = sum(len(each.scores) - 1 for each in self.everyone if len(each.scores) > 1)
        if self.noise is None or not degrees:
            return math.inf
        quantile = float(stdtrit(degrees, (1 + simultaneous_confidence(pairs)) / 2))
        return quantile * math.sqrt(2) * self.noise

    def cost(self, score: float) -> float:
        """Return a score as something that is better when it is lower; of a cost, the score."""
        return score if self.direction == "minimize" else -score

    def levels(self) -> list[tuple[int, list[Candidate]]]:
        """Return (cost, recipe) of every trial that was there, at the last epoch and at each rung, latest first."""
        places = {self.epochs, *(rung for record in self.trials for rung in record.run.rungs)}
        return [(epoch, self._at(epoch)) for epoch in sorted(places, reverse=True)]

    def _at(self, epoch: int) -> list[Candidate]:
        found = []
        for record in self.trials:
            curve = self.reports.get(record.run.id, ())
            for report in (r for r in curve if r.epoch == epoch and not r.over):
                scores = [
                    s for s in (report.score, report.averaged_score) if s is not None and math.isfinite(s)
                ]
                if scores:
                    found.append((min(map(self.cost, scores)), record.run.recipe))
        return found


def compare_sides(
    runs: StudiedRuns, ours: Side, theirs: Side, title: Titled, *, in_full: bool = False
) -> Measured | None:
    """Compare the best recipe of one side with the best of the other.

    By confirmed runs on shared fresh seeds if both sides have some, else by single runs of the search at the
    latest epoch that both reached, give or take the seed noise. The side with more trials has more luck, too.

    Args:
        in_full: only complete trainings tell; at a rung the outcome is open.

    Returns:
        ``None`` if a side has no run with a score.
    """
    if (found := _compare_confirmed(runs, ours, theirs, title)) is not None:
        return found
    for epoch, candidates in runs.levels():
        us = [each for each in candidates if ours(each[1])]
        them = [each for each in candidates if theirs(each[1])]
        if us and them:
            best, rival = (min(side, key=lambda each: each[0]) for side in (us, them))
            return _measured(runs, best, rival, title, epoch, telling=not in_full or epoch == runs.epochs)
    return None


def compare_all(runs: StudiedRuns, named: Iterable[str]) -> Measured | None:
    """Return how far the best runs of several optimizers lie apart, at the latest epoch that all of them reached.

    Who was given up before an epoch was not alike by then. ``None`` if fewer than two of them were tried.
    """
    tried = {recipe.optimizer for _, candidates in runs.levels() for _, recipe in candidates} & set(named)
    if len(tried) < 2:
        return None
    levels = [(epoch, best_by_optimizer(candidates)) for epoch, candidates in runs.levels()]
    together = [(epoch, best) for epoch, best in levels if tried <= best.keys()]
    if not together:
        return None
    epoch, best = together[0]
    costs = sorted((best[name], name) for name in tried)
    spread, margin = costs[-1][0] - costs[0][0], runs.margin(len(tried) * (len(tried) - 1) // 2)
    stands_out = max(best.values()) - min(best.values()) > margin
    figures = "best " + ", ".join(f"{title_of(name)} {runs.cost(cost):.3g}" for cost, name in costs)
    figures += _when(runs, epoch) + _within(spread, margin)
    return Measured(
        spread - margin, spread, spread + margin, runs.objective, figures,
        telling=stands_out and epoch == runs.epochs,
    )  # fmt: skip


def best_by_optimizer(candidates: Iterable[Candidate]) -> dict[str, float]:
    """Return the least cost of each optimizer."""
    best: dict[str, float] = {}
    for cost, recipe in candidates:
        best[recipe.optimizer] = min(cost, best.get(recipe.optimizer, math.inf))
    return best


def _compare_confirmed(runs: StudiedRuns, ours: Side, theirs: Side, title: Titled) -> Measured | None:
    scored = [each for each in runs.confirmed if each.scores and not each.failures]
    us, them = ([each for each in scored if side(each.recipe)] for side in (ours, theirs))
    if not us or not them:
        return None
    best, rival = (min(side, key=lambda each: runs.cost(each.mean or 0.0)) for side in (us, them))
    seeds = sorted(best.scores.keys() & rival.scores.keys())
    field = [each for each in runs.everyone if not each.failures and set(seeds) <= each.scores.keys()]
    if len(seeds) < 2:
        return None
    table = [[each.scores[seed] for seed in seeds] for each in field]
    rows = [next(n for n, each in enumerate(field) if each.recipe == one.recipe) for one in (best, rival)]
    gain = paired_gain(table, rows[0], rows[1], runs.direction).interval
    figures = (
        f"confirmed {title(best.recipe)} {best.mean:.3g} against {title(rival.recipe)} {rival.mean:.3g} "
        f"on {len(seeds)} fresh seeds, ahead by {gain.middle:.2g} [{gain.low:.2g}, {gain.high:.2g}]"
    )
    return Measured(gain.low, gain.middle, gain.high, runs.objective, figures, "confirmed")


def _measured(
    runs: StudiedRuns, best: Candidate, rival: Candidate, title: Titled, epoch: int, *, telling: bool
) -> Measured:
    ahead, margin = rival[0] - best[0], runs.margin()
    figures = (
        f"best {title(best[1])} {runs.cost(best[0]):.3g} against {title(rival[1])} {runs.cost(rival[0]):.3g}"
        + _when(runs, epoch)
        + _within(abs(ahead), margin)
    )
    return Measured(ahead - margin, ahead, ahead + margin, runs.objective, figures, telling=telling)


def _when(runs: StudiedRuns, epoch: int) -> str:
    return " in single runs" + ("" if epoch == runs.epochs else f" after {epoch} of {runs.epochs} epochs")


def _within(difference: float, margin: float) -> str:
    if not math.isfinite(margin):
        return "; the seed noise is not known"
    return (
        f", within the seed noise of ±{margin:.2g}" if difference <= margin else f", seed noise ±{margin:.2g}"
    )
