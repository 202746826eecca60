"""The documents' rules against the scores of a study: which held on this task, with figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from autoopt.catalogue import OPTIMIZERS
from autoopt.guidance.rule import Rule
from autoopt.run import Direction

if TYPE_CHECKING:
    from autoopt.tasks.profile import TaskProfile

Stance = Literal["agrees", "disagrees", "undecided", "not tested"]

NOISES_APART = 2.0
"""Best scores less than this many standard deviations of the seed noise apart decide nothing.

Each is a single run with noise of its own, so their difference varies √2 times as much as either.
"""

_ORDER: tuple[Stance, ...] = ("agrees", "disagrees", "undecided", "not tested")


@dataclass(frozen=True)
class Finding:
    """What a study's scores say of one rule.

    Attributes:
        rule_id, says, source: of the rule; the source is the documents' ids.
        stance: ``undecided`` within the seed noise, ``not tested`` if one side was not tried.
        figures: the scores compared, three significant digits.
    """

    rule_id: str
    says: str
    source: str
    stance: Stance
    figures: str

    def __str__(self) -> str:
        return f"{self.stance} {self.source}: {self.says} ({self.figures})"


def audit(
    rules: Iterable[Rule],
    profile: TaskProfile,
    best_by_optimizer: Mapping[str, float],
    direction: Direction,
    noise: float | None,
    chosen: str,
) -> list[Finding]:
    """Compare every rule about optimizers that speaks of such tasks with the best scores of a study.

    Args:
        rules: any; those of practice and symptoms are left out, for scores alone do not test them.
        best_by_optimizer: best score of each optimizer that was tried, in the units of the objective;
            what is not finite counts as not tried.
        noise: standard deviation of a score over seeds, in the same units; ``None`` if not known, and then
            any difference decides.
        chosen: the recommended optimizer; rules about it come first.

    Returns:
        Findings, those about the chosen optimizer first, then by stance.
    """
    scores = {name: score for name, score in best_by_optimizer.items() if math.isfinite(score)}
    margin = NOISES_APART * noise if noise is not None and math.isfinite(noise) else 0.0
    tested = [rule for rule in rules if rule.kind in ("choice", "alike") and rule.applies(profile)]
    findings = [(rule, _finding(rule, scores, direction, margin)) for rule in tested]
    findings.sort(key=lambda pair: (chosen not in pair[0].favours, _ORDER.index(pair[1].stance)))
    return [finding for _, finding in findings]


def _finding(rule: Rule, scores: Mapping[str, float], direction: Direction, margin: float) -> Finding:
    compare = _compare_alike if rule.kind == "alike" else _compare_choice
    stance, figures = compare(rule, scores, direction, margin)
    return Finding(rule.id, rule.says, rule.source, stance, figures)


def _compare_choice(
    rule: Rule, scores: Mapping[str, float], direction: Direction, margin: float
) -> tuple[Stance, str]:
    """The best of the favoured against the best of those that they should beat."""
    rivals = [name for name in scores if name not in rule.favours and (not rule.over or name in rule.over)]
    favoured = [name for name in rule.favours if name in scores]
    if not favoured or not rivals:
        missing = _titles(rule.favours if not favoured else rule.over, " or ")
        return "not tested", f"{missing} was not tried" if missing else "no other optimizer was tried"
    ours, theirs = _best(favoured, scores, direction), _best(rivals, scores, direction)
    figures = f"best {_score(ours, scores)} against {_score(theirs, scores)}"
    ahead = scores[theirs] - scores[ours] if direction == "minimize" else scores[ours] - scores[theirs]
    if abs(ahead) <= margin:
        return "undecided", f"{figures}, within the seed noise"
    return ("agrees" if ahead > 0 else "disagrees"), figures


def _compare_alike(
    rule: Rule, scores: Mapping[str, float], direction: Direction, margin: float
) -> tuple[Stance, str]:
    """The spread of those that should do equally well.

    Without the noise it cannot be judged, nor with so much of it that nobody else stands out either.
    """
    named = sorted((name for name in rule.favours if name in scores), key=lambda name: scores[name])
    if len(named) < 2:
        missing = [name for name in rule.favours if name not in scores]
        return "not tested", f"{_titles(missing, ' and ')} were not tried"
    if direction == "maximize":
        named.reverse()
    figures = "best " + ", ".join(_score(name, scores) for name in named)
    if margin == 0.0:
        return "undecided", f"{figures}; the seed noise is not known"
    if abs(scores[named[0]] - scores[named[-1]]) > margin:
        return "disagrees", figures
    if max(scores.values()) - min(scores.values()) <= margin:
        return "undecided", f"{figures}, all optimizers within the seed noise"
    return "agrees", figures


def _best(names: Iterable[str], scores: Mapping[str, float], direction: Direction) -> str:
    return (min if direction == "minimize" else max)(names, key=lambda name: scores[name])


def _score(name: str, scores: Mapping[str, float]) -> str:
    return f"{_titles([name], '')} {scores[name]:.3g}"


def _titles(names: Iterable[str], joint: str) -> str:
    return joint.join(OPTIMIZERS[name].title if name in OPTIMIZERS else name for name in names)
