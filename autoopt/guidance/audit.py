"""The documents' rules against what a study measured: which held on this task, with figures and intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from autoopt.guidance.rule import Rule

Stance = Literal["agrees", "disagrees", "undecided", "not tested"]
Basis = Literal["confirmed", "search"]

STANCES: tuple[Stance, ...] = ("agrees", "disagrees", "undecided", "not tested")


@dataclass(frozen=True)
class Measured:
    """What a study measured on the question that a rule answers.

    Attributes:
        low, middle, high: how far it speaks for the rule, with its 95 % interval: above 0 for it, below 0 against
            it. Of a rule of likeness it is how far those named lie apart. Infinite where the noise is unknown.
        unit: of these three numbers.
        figures: the same in words, with the figures it comes from.
        basis: ``confirmed`` runs on fresh seeds, or single runs of the ``search``.
        telling: the study could have shown the opposite; where nobody stands out, likeness means nothing.
    """

    low: float
    middle: float
    high: float
    unit: str
    figures: str
    basis: Basis = "search"
    telling: bool = True


@dataclass(frozen=True)
class Finding:
    """What a study says of one rule, or of several that say the same.

    Attributes:
        rule_id, says, source: of the rule; the source is the documents' ids.
        stance: ``undecided`` where the interval holds 0, ``not tested`` where the study has no runs for it.
        figures: what was compared, in words; why, if it was not tested.
        measured: the numbers; ``None`` if not tested.
        published: what measurements published elsewhere say of the rule.
        favours: optimizers that the rule favours.
    """

    rule_id: str
    says: str
    source: str
    stance: Stance
    figures: str
    measured: Measured | None = None
    published: str = "no data"
    favours: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.stance} {self.source}: {self.says} ({self.figures})"


def judge(rule: Rule, measured: Measured | str) -> Finding:
    """Return what a measurement says of a rule; a text instead of one says why there is none."""
    stance: Stance
    if isinstance(measured, str):
        stance, figures, numbers = "not tested", measured, None
    else:
        stance = (_judge_alike if rule.kind == "alike" else _judge)(measured)
        figures, numbers = measured.figures, measured
    return Finding(
        rule.id, rule.says, rule.source, stance, figures, numbers, rule.evidence.verdict, rule.favours
    )


def _judge(measured: Measured) -> Stance:
    if measured.telling and measured.low > 0:
        return "agrees"
    return "disagrees" if measured.telling and measured.high < 0 else "undecided"


def _judge_alike(measured: Measured) -> Stance:
    if measured.low > 0:
        return "disagrees"
    return "agrees" if measured.telling and math.isfinite(measured.low) else "undecided"


def say_once(findings: Iterable[Finding]) -> list[Finding]:
    """Join the findings of rules that the same comparison tests, so that it is said once with all sources."""
    joined: dict[tuple[object, ...], Finding] = {}
    for number, finding in enumerate(findings):
        key = (number,) if finding.stance == "not tested" else (finding.stance, finding.figures)
        if (first := joined.get(key)) is None:
            joined[key] = finding
            continue
        sources = dict.fromkeys((*first.source.split(", "), *finding.source.split(", ")))
        says = f"{first.says.rstrip('.')}; {finding.says[0].lower()}{finding.says[1:]}"
        joined[key] = replace(
            first, rule_id=f"{first.rule_id}, {finding.rule_id}", says=says, source=", ".join(sorted(sources))
        )
    return list(joined.values())
