"""The documents' comparison tables, cell by cell, beside what a study measured: ✓, ✗ or undecided."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

from autoopt.guidance.audit import Stance
from autoopt.guidance.claims import Claim, Place, Quantity
from autoopt.run import Direction
from autoopt.verdict.comparison import NOISES, title_of
from autoopt.verdict.fields import Fields
from autoopt.verdict.figures import Comparison, OptimizerFigures
from autoopt.verdict.statistics import Interval


@dataclass(frozen=True)
class ClaimFinding:
    """What a study says of one cell of a document's table.

    Attributes:
        method, quantity, says, source: whose cell, of what, the document's word, the document's id.
        stance: ``agrees`` if the order holds against somebody the table ranks apart and is broken against
            nobody; ``disagrees`` if it is broken against anybody.
        figures: how it measured against each of them.
    """

    method: str
    quantity: Quantity
    says: str
    source: str
    stance: Stance
    figures: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return vars(self).copy()

    @classmethod
    def from_fields(cls, data: Fields) -> ClaimFinding:
        """Read what ``to_dict`` wrote; UsageError names a field that is wrong."""
        return cls(
            data.text("method"), data.one_of("quantity", get_args(Quantity)), data.text("says"),
            data.text("source"), data.one_of("stance", get_args(Stance)), data.text("figures"),
        )  # fmt: skip


def judge_claims(
    claims: Iterable[Claim], comparison: Comparison, direction: Direction
) -> tuple[ClaimFinding, ...]:
    """Return what a comparison says of each cell of the documents' tables.

    Args:
        direction: of the scores; speed, stability and memory have their own.
    """
    figures = {each.method: each for each in comparison.optimizers}
    return tuple(
        _judge(claim, place, figures, comparison, direction) for claim in claims for place in claim.places
    )


def _judge(
    claim: Claim, place: Place, figures: dict[str, OptimizerFigures], comparison: Comparison,
    direction: Direction,
) -> ClaimFinding:  # fmt: skip
    def found(stance: Stance, text: str) -> ClaimFinding:
        return ClaimFinding(place.method, claim.quantity, place.says, claim.source, stance, text)

    ours = figures.get(place.method)
    if ours is None:
        return found("not tested", f"{title_of(place.method)} was not tried")
    rivals = [other for other in claim.places if other.rank != place.rank and other.method in figures]
    outcomes = []
    for other in rivals:
        theirs = figures[other.method]
        more = _compare(claim.quantity, ours, theirs, comparison, direction)
        if more is not None:
            outcomes.append((more * (1 if place.rank > other.rank else -1), theirs))
    if not outcomes:
        return found("not tested", f"{_shown(claim.quantity, ours, comparison)}; nobody to compare with")
    text = f"{_shown(claim.quantity, ours, comparison)}; " + ", ".join(
        f"{('broken', 'open', 'holds')[sign + 1]} against {theirs.title}" for sign, theirs in outcomes
    )
    signs = {sign for sign, _ in outcomes}
    return found("disagrees" if -1 in signs else "agrees" if 1 in signs else "undecided", text)


def _compare(
    quantity: Quantity, ours: OptimizerFigures, theirs: OptimizerFigures, comparison: Comparison,
    direction: Direction,
) -> int | None:  # fmt: skip
    """1 if ours has more of the quantity, −1 if theirs has, 0 if that is open, ``None`` without figures."""
    if quantity == "memory":
        if ours.state_floats is None or theirs.state_floats is None:
            return None
        return (ours.state_floats > theirs.state_floats) - (ours.state_floats < theirs.state_floats)
    if quantity == "speed":
        if not (ours.trials and theirs.trials) or comparison.target is None:
            return None
        return _lower(_arrival(ours), _arrival(theirs)) or _further(ours, theirs, comparison, direction)
    if quantity == "stability":
        if ours.diverged_share is None or theirs.diverged_share is None:
            return None
        sign = _lower(ours.diverged_share, theirs.diverged_share)
        if sign or ours.basin is None or theirs.basin is None:
            return sign
        return _lower(theirs.basin, ours.basin)
    if ours.confirmed is None or theirs.confirmed is None or not (ours.tuned and theirs.tuned):
        return 0  # what counts is the end of tuned recipes, and single runs of the search seldom get there
    return (1 if direction == "minimize" else -1) * _lower(ours.confirmed, theirs.confirmed)


def _further(
    ours: OptimizerFigures, theirs: OptimizerFigures, comparison: Comparison, direction: Direction
) -> int:
    """1 if ours is ahead after as many epochs, −1 if behind, 0 within the seed noise."""
    if ours.score is None or theirs.score is None or comparison.noise is None:
        return 0
    margin = NOISES * comparison.noise
    here, there = (Interval(s - margin, s, s + margin) for s in (ours.score, theirs.score))
    return (1 if direction == "minimize" else -1) * _lower(here, there)


def _lower(ours: Interval, theirs: Interval) -> int:
    """1 if ours lies below, −1 if above, 0 where the intervals meet."""
    return (ours.high < theirs.low) - (ours.low > theirs.high)


def _arrival(figures: OptimizerFigures) -> Interval:
    """Epochs to the target; who is not there yet comes at the earliest after its last epoch."""
    return figures.epochs_to_target or Interval(float(figures.epochs), math.inf, math.inf)


def _shown(quantity: Quantity, figures: OptimizerFigures, comparison: Comparison) -> str:
    if quantity == "memory":
        return (
            f"{figures.state_floats:.3g} floats a parameter"
            if figures.state_floats is not None
            else "unknown"
        )
    if quantity == "speed":
        if comparison.target is None:
            return "no score yet"
        time = figures.epochs_to_target
        there = f"not within {figures.epochs}" if time is None else f"{time.middle:.1f}"
        return f"{there} epochs to {comparison.target:.3g}, {_early(figures, comparison)}"
    if quantity == "stability":
        width = "unknown" if figures.basin is None else f"{figures.basin.middle:.1f} decades"
        return f"{figures.diverged} of {figures.trials} diverged, good rates over {width}"
    if figures.confirmed is not None:
        return (
            f"confirmed {figures.confirmed.middle:.3g}{'' if figures.tuned else ' as the untuned baseline'}"
        )
    return f"not confirmed, {_early(figures, comparison)}"


def _early(figures: OptimizerFigures, comparison: Comparison) -> str:
    if figures.score is None:
        return "no score"
    return f"{figures.score:.3g} after {comparison.level} epoch{'s' if comparison.level != 1 else ''}"
