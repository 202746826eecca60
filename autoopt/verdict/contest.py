"""The finalists beside the baseline: who may win, who leads, who ties, and by how much."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scipy.special import stdtr

from autoopt.errors import StudyFailed
from autoopt.run import Direction
from autoopt.verdict.confirm import Confirmation, seed_noise
from autoopt.verdict.simplicity import simplicity
from autoopt.verdict.statistics import (
    Gain,
    Interval,
    Verdict,
    chance_best,
    paired_gain,
    seeds_needed,
    simultaneous_confidence,
)
from autoopt.verdict.uneven import chance_to_lead

SEEDS_FOR_FAILURE = 3  # a baseline that fails on fewer seeds may have had bad luck


@dataclass(frozen=True)
class Contest:
    """The finalists beside the baseline. ``contenders`` are those of the ``rivals`` that may win.

    ``costs`` say how many of the baseline's trainings one of an optimizer costs, by name; of all others it is one.
    """

    rivals: tuple[Confirmation, ...]
    contenders: tuple[Confirmation, ...]
    baseline: Confirmation
    direction: Direction
    costs: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def between(
        cls, finalists: Sequence[Confirmation], baseline: Confirmation, direction: Direction,
        costs: Mapping[str, float] | None = None,
    ) -> Contest:  # fmt: skip
        """Return the contest; a finalist with the baseline's recipe is the baseline.

        Raises:
            StudyFailed: nobody has any score.
        """
        by_recipe = {
            finalist.recipe: finalist for finalist in finalists if finalist.recipe != baseline.recipe
        }
        rivals = tuple(sorted(by_recipe.values(), key=lambda rival: rival.recipe.fingerprint))
        usable = [rival for rival in rivals if _usable(rival)]
        if not usable and not _usable(baseline):
            causes = [note for each in (baseline, *rivals) for note in each.failures.values()]
            raise StudyFailed(
                f"no run gave a score: {causes[0] if causes else 'nothing was trained to its end'}"
            )
        front = min(map(_standing, usable), default=None)
        contenders = tuple(rival for rival in usable if _standing(rival) == front)
        return cls(rivals, contenders, baseline, direction, dict(costs or {}))

    def choose(self) -> tuple[Confirmation, Confirmation | None]:
        """Return the chosen one, maybe the baseline, and the finalist with the best mean."""
        if not self.contenders:
            return self.baseline, None
        leader = min(self.contenders, key=self.order)
        tied = [rival for rival in self.contenders if rival is leader or self._tied(rival, leader)]
        chosen = min(tied, key=lambda rival: (self.price(rival), simplicity(rival.recipe), self.order(rival)))
        return (self.baseline if self._baseline_wins(chosen) else chosen), leader

    def price(self, rival: Confirmation) -> float:
        """Return how many of the baseline's trainings one of this rival costs."""
        return self.costs.get(rival.recipe.optimizer, 1.0)

    def order(self, rival: Confirmation) -> tuple[tuple[bool, int, int], float, str]:
        """Return the key that sorts finalists from best to worst."""
        seeds = _shared_seeds(self.contenders) if rival in self.contenders else []
        score = math.fsum(rival.scores[seed] / len(seeds) for seed in seeds) if seeds else rival.mean
        score = rival.search_score if score is None else score
        return _standing(rival), self._cost(score), rival.recipe.fingerprint

    def gain(self, rival: Confirmation) -> Gain | None:
        """Return a finalist's gain over the baseline; ``None`` where they share no seed."""
        if rival is self.baseline:
            return Gain(Interval(0.0, 0.0, 0.0), 0.0, 0.0, 0, len(rival.scores))
        if self._baseline_never_arrived and not rival.missed:
            return None  # what it would have taken is a guess
        field = [*self.contenders, self.baseline]
        if rival not in self.contenders or not _shared_seeds(field):
            field = [rival, self.baseline]
        seeds = _shared_seeds(field)
        if not seeds:
            return None
        return paired_gain(_table(field, seeds), field.index(rival), -1, self.direction, self.confidence)

    @property
    def _baseline_never_arrived(self) -> bool:
        return bool(self.baseline.missed) and set(self.baseline.missed) == set(self.baseline.scores)

    @property
    def confidence(self) -> float:
        """Of each gain, so that the chance to claim one where all are equal stays below 5 %.

        As many intervals hold together as finalists went beyond their first seed. Those that dropped out on it favour
        the others on that seed only; where all were equal, races of 3 to 16 finalists on 3 or 5 seeds claimed a gain
        in 1 to 4 % of simulated studies, the noise of the baseline being a quarter to four times theirs.
        """
        return simultaneous_confidence(max(1, sum(len(r.scores) + len(r.failures) > 1 for r in self.rivals)))

    def verdict(self, rival: Confirmation) -> Verdict:
        """Return whether a finalist is shown to be better than the baseline."""
        gain = self.gain(rival)
        if gain is None:
            never = not self.baseline.scores or self._baseline_never_arrived
            hopeless = never and self.baseline.lost >= SEEDS_FOR_FAILURE
            sound = len(rival.scores) >= SEEDS_FOR_FAILURE and not rival.lost
            return "better" if hopeless and sound else "tie"
        return "better" if gain.interval.verdict == "better" else "tie"

    def relative_gain(self, rival: Confirmation) -> Interval | None:
        """Return the gain as a fraction of the baseline's mean on the same seeds, taken as exact."""
        gain = self.gain(rival)
        scores = [self.baseline.scores[seed] for seed in _shared_seeds([rival, self.baseline])]
        if gain is None or not scores or min(scores) <= 0:
            return None
        mean = math.fsum(score / len(scores) for score in scores)
        if mean < sys.float_info.min:  # too small to divide by
            return None
        shares = [bound / mean for bound in (gain.interval.low, gain.interval.middle, gain.interval.high)]
        return Interval(*shares) if math.isfinite(shares[1]) else None

    def chance_best(self, chosen: Confirmation) -> float:
        """Return the chance that the chosen one's true mean is the best, also of those that dropped out on the way."""
        field = [*self.contenders, *([chosen] if chosen is self.baseline else [])]
        seeds = _shared_seeds(field)
        if not seeds:
            return 1 / len(field)
        chance = chance_best(_table(field, seeds), self.direction)[field.index(chosen)]
        dropped = [
            rival for rival in self.rivals if rival not in field and rival.scores and not rival.failures
        ]
        if not dropped:
            return chance
        everyone = [*field, *dropped]
        beside = [] if chosen is self.baseline else [self.baseline.scores]
        of_all = chance_to_lead(
            [each.scores for each in everyone], field.index(chosen), self.direction, beside
        )
        # nobody is likelier to be the best than to be better than one of the others
        return min([chance, 1 / len(everyone) if of_all is None else of_all,
                    *(self._chance_ahead(chosen, rival) for rival in dropped)])  # fmt: skip

    def _chance_ahead(self, chosen: Confirmation, rival: Confirmation) -> float:
        """Return the chance that a rival with fewer seeds is truly worse: a t test on the seeds that both have."""
        seeds = _shared_seeds([chosen, rival])
        degrees = sum(max(0, len(each.scores) - 1) for each in self.rivals)
        noise = seed_noise(self.rivals)
        if not seeds or noise is None or not degrees:
            return 0.5
        lead = math.fsum(self._cost(rival.scores[s]) - self._cost(chosen.scores[s]) for s in seeds) / len(
            seeds
        )
        error = noise * math.sqrt(2 / len(seeds))
        return float(stdtr(degrees, lead / error)) if error > 0 else float(lead > 0) or 0.5

    def more_seeds(self, rival: Confirmation) -> int | None:
        """Return about how many more seeds would show a finalist's gain; ``None`` where none would."""
        gain = self.gain(rival)
        return None if gain is None else seeds_needed(gain, "decide", self.confidence)

    def seeds_to_halve(self, rival: Confirmation) -> int | None:
        """Return about how many more seeds would make the interval of a gain half as wide; ``None`` if unknown."""
        gain = self.gain(rival)
        return None if gain is None else seeds_needed(gain, "halve", self.confidence)

    def _tied(self, rival: Confirmation, leader: Confirmation) -> bool:
        seeds = _shared_seeds(self.contenders)
        if not seeds:
            return False
        table = _table(self.contenders, seeds)
        rows = (self.contenders.index(leader), self.contenders.index(rival))
        lead = paired_gain(table, *rows, self.direction)
        error = min(lead.standard_error, lead.own_error)
        within = lead.interval.middle <= (error if math.isfinite(error) else 0.0)
        return within and not self._costs_the_claim(rival, leader)

    def _costs_the_claim(self, rival: Confirmation, leader: Confirmation) -> bool:
        if self.verdict(rival) != self.verdict(leader):
            return True
        gain, best = self.gain(rival), self.gain(leader)
        if gain is None or best is None:
            return False
        return gain.interval.middle <= 0 < best.interval.middle

    def _baseline_wins(self, rival: Confirmation) -> bool:
        baseline = self.baseline
        if baseline.scores and rival.scores and baseline.lost != rival.lost:
            return baseline.lost < rival.lost
        gain = self.gain(rival)
        if gain is not None:
            return gain.interval.middle <= 0
        if baseline.search_score is None or rival.search_score is None or baseline.failures or rival.scores:
            return False
        return self._cost(baseline.search_score) <= self._cost(rival.search_score)

    def _cost(self, score: float | None) -> float:
        if score is None:
            return math.inf
        return score if self.direction == "minimize" else -score


def _usable(confirmation: Confirmation) -> bool:
    """Whether there is any score: confirmed, or from the search and not yet disproved."""
    return bool(confirmation.scores) or (confirmation.search_score is not None and not confirmation.failures)


def _standing(confirmation: Confirmation) -> tuple[bool, int, int]:
    return not confirmation.scores, confirmation.lost, -len(confirmation.scores)


def _shared_seeds(confirmations: Sequence[Confirmation]) -> list[int]:
    shared = set(confirmations[0].scores) if confirmations else set()
    return sorted(shared.intersection(*(confirmation.scores for confirmation in confirmations)))


def _table(confirmations: Sequence[Confirmation], seeds: Sequence[int]) -> list[list[float]]:
    return [[confirmation.scores[seed] for seed in seeds] for confirmation in confirmations]
