"""What ails a run: the documents' symptoms, told from its recorded epochs, each with what helps.

A wrong alarm costs trust, so each symptom needs a clear sign: better none than a doubtful one. The thresholds
were chosen on the development runs of ``studies/2026-11-21-diagnosis``, whose README has precision and recall on
other tasks. Epochs that were recorded before schema 2 lack most of the numbers; then only divergence, overfitting
and the like of losses can be told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from autoopt.catalogue.rate import warmup_steps
from autoopt.guidance.curve import Curve
from autoopt.guidance.load import load_rules
from autoopt.recipe import Recipe
from autoopt.run import Direction, EpochReport

BACK_ABOVE_START = 1.05  # times the untrained loss: whoever ends there has unlearned
FAR_ABOVE_START = 2.0  # the same however short the steps were
BACK_FROM_BEST = 0.25  # of what was learned at its best; so much lost again, and it cannot hold a minimum
LONG_WAY = 3.0  # lengths of the weights that long steps cover in a training; healthy ones cover 0.5 to 3
SHORT_WAY = 0.3  # lengths of the weights: a fresh net that will cover no more has no time to learn
FLAT = 0.01  # relative change of the loss that counts as none
UNMOVED = (
    0.1  # of the untrained loss: so much may go when the last bias alone learns how frequent each class is
)
FAR_ENOUGH = 0.5  # lengths of the weights: a net that learns has by then taken off most of the loss
USUAL_RATE, NOWHERE = (
    0.3,
    0.05,
)  # times the reference rate; and lengths of the weights, where 0.5 and more are usual
SWINGING = -0.6  # cosine of consecutive gradients: each step undoes the one before
OVERFITTED = 0.1  # rise of the validation loss over its best, relative
TRUE_RISE = 0.05  # and in units of what it had fallen: more than the noise about a loss near zero
EXPLODED = 100.0  # times the usual gradient of the first epoch
GOT_OVER = 0.9  # of the loss before a gradient exploded: whoever ends lower took no harm
ROUNDED_AWAY = 0.85  # share of updates lost; up to 0.65 was seen in runs of 16 bits that learn well
WORN_OUT = 3.0  # times shorter steps than in the first epoch, at the same rate
STILL_FALLING = 0.2  # share of all that was learned that came in the last quarter of the training
ARRIVED = 0.1  # of the untrained loss: below it, further gains are small whatever the course
LEARNED = 0.003  # of the untrained loss: less says nothing of a course


@dataclass(frozen=True)
class Diagnosis:
    """A symptom that a run shows.

    Attributes:
        rule_id, symptom, remedies, source: of the rule that names it; the source is the documents' ids.
        evidence: what was seen, with figures.
    """

    rule_id: str
    symptom: str
    evidence: str
    remedies: tuple[str, ...]
    source: str

    def __str__(self) -> str:
        return f"{self.symptom}: {self.evidence} → {', or '.join(self.remedies)} ({self.source})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**asdict(self), "remedies": list(self.remedies)}


def diagnose(
    reports: Sequence[EpochReport], recipe: Recipe, epochs: int, direction: Direction = "minimize"
) -> tuple[Diagnosis, ...]:
    """Return the symptoms of a run, the gravest first; none for a healthy run, or one too short to tell.

    Args:
        reports: of its epochs, in order; those so far.
        epochs: length of its complete training.
        direction: which way its scores are better.
    """
    if not reports or reports[-1].failure is not None:
        return ()
    curve = Curve(tuple(reports), recipe, epochs, direction)
    rules = {rule.id: rule for rule in load_rules()}
    found = []
    for rule_id, look in _LOOKS.items():
        if (evidence := look(curve)) is not None:
            rule = rules[rule_id]
            found.append(Diagnosis(rule_id, rule.symptom, evidence, rule.remedies, rule.source))
    return tuple(found)


def count_symptoms(diagnoses: Iterable[Sequence[Diagnosis]]) -> Mapping[str, int]:
    """Return how many runs show each symptom, the most frequent first."""
    return dict(Counter(d.symptom for found in diagnoses for d in found).most_common())


def _divergence(curve: Curve) -> str | None:
    if not curve.diverged:
        return None
    last = curve.reports[-1]
    if math.isfinite(last.valid_loss):
        return f"in epoch {last.epoch} the validation loss rose to {last.valid_loss:.3g}"
    return f"in epoch {last.epoch} the loss was no longer a finite number"


def _divergence_at_start(curve: Curve) -> str | None:
    schedule = curve.recipe.schedule_settings
    if not curve.diverged or len(curve.reports) > max(1, curve.epochs // 10) or warmup_steps(schedule, 1000):
        return None
    return f"it came in epoch {curve.reports[-1].epoch} of {curve.epochs}, without a warmup"


def _exploding(curve: Curve) -> str | None:
    """Gradients far beyond the usual; where they are clipped, the remedy is taken already."""
    if (
        curve.recipe.clip_norm is not None
        or curve.recipe.clip_value is not None
        or curve.first_gradient is None
    ):
        return None
    for n, report in enumerate(curve.reports):
        peak, before = report.gradient_peak, curve.train[n - 1] if n else curve.start
        got_over = not curve.diverged and before is not None and curve.train[-1] < GOT_OVER * before
        if peak is not None and peak >= EXPLODED * curve.first_gradient and not got_over:
            height = f"{peak:.3g}" if math.isfinite(peak) else "infinity"
            usual = f"from about {curve.first_gradient:.3g}"
            return f"the norm of a gradient rose {usual} to {height} in epoch {report.epoch}"
    return None


def _rate_too_high(curve: Curve) -> str | None:
    rate = curve.recipe.settings.get("lr")
    at = f"at a rate of {rate:.3g} " if isinstance(rate, float) else ""
    if curve.diverged:
        return f"{at}training left the minimum for good"
    if curve.start is None or len(curve.train) < 2 or curve.way is None:
        return None
    last, best, start = curve.train[-1], min(curve.train), curve.start
    far = curve.way >= LONG_WAY
    if last > FAR_ABOVE_START * max(start, 1e-9) or (far and last > BACK_ABOVE_START * start):
        return f"{at}the training loss ended at {last:.3g}, above the {start:.3g} before training"
    if far and last - best > BACK_FROM_BEST * (start - best) > 0:
        epoch = curve.train.index(best) + 1
        return f"{at}the training loss rose from {best:.3g} after epoch {epoch} to {last:.3g}"
    return None


def _rate_too_low(curve: Curve) -> str | None:
    if curve.diverged or len(curve.train) < 2 or curve.way is None or _stall(curve) is not None:
        return None
    short = curve.way < SHORT_WAY and curve.mostly_unlearned and curve.undiminished and curve.learns_evenly
    if not short:
        return None
    return (
        f"all steps of {curve.epochs} epochs together would come to {100 * curve.way:.2g} % of the weights' length, "
        f"with the gradient as large as at the start and the training loss at {curve.train[-1]:.3g}"
    )


def _stall(curve: Curve) -> str | None:
    """A loss that is flat, or about where it was although the weights went far, or hardly move at a usual rate."""
    losses = curve.train
    gradients = curve.seen("gradient_median")
    if curve.diverged or curve.start is None or len(losses) < max(4, curve.epochs // 3):
        return None
    if gradients and max(gradients) == 0:
        return "no gradient reaches the weights"
    later, untrained = losses[len(losses) // 2 :], min(curve.start, losses[0])
    if (
        curve.way is None
        or min(losses) < (1 - UNMOVED) * untrained
        or losses[-1] > BACK_ABOVE_START * curve.start
    ):
        return None
    so_far = (
        f"after {len(losses)} epochs the training loss is {losses[-1]:.3g}, at first it was {curve.start:.3g}"
    )
    if curve.way >= FAR_ENOUGH:
        return f"{so_far}, although the weights have moved"
    if curve.relative_rate is not None and curve.relative_rate >= USUAL_RATE and curve.way < NOWHERE:
        return f"{so_far}, and the weights hardly move at a usual rate"
    flat = max(later) - min(later) <= FLAT * abs(losses[-1])
    return so_far if flat and not curve.learns_evenly else None


def _precision(curve: Curve) -> str | None:
    """Steps that the weights cannot resolve; epochs whose rate has decayed away say nothing."""
    rates = curve.seen("learning_rate")
    working = [r for r in curve.whole if r.lost_updates is not None and r.learning_rate >= 0.1 * max(rates)]
    if len(working) < 2 or not curve.mostly_unlearned:
        return None
    lost = median(r.lost_updates or 0.0 for r in working)
    if lost < ROUNDED_AWAY:
        return None
    return f"{100 * lost:.0f} % of the weights that had a gradient were the same after a step: it was rounded away"


def _worn_out(curve: Curve) -> str | None:
    if curve.recipe.optimizer != "adagrad" or curve.diverged or len(curve.whole) < 4:
        return None
    pace = [
        r.update_ratio / r.learning_rate
        for r in curve.whole
        if r.update_ratio is not None and r.learning_rate
    ]
    if not pace or pace[-1] <= 0 or pace[0] < WORN_OUT * pace[-1]:
        return None
    if not (curve.mostly_unlearned and curve.undiminished):
        return None
    return (
        f"its steps became {pace[0] / pace[-1]:.2g} times shorter at the same rate, with the gradient as large as at "
        f"the start and the training loss at {curve.train[-1]:.3g}"
    )


def _overfitting(curve: Curve) -> str | None:
    losses = [report.valid_loss for report in curve.whole]
    if len(losses) < 4:
        return None
    best = min(range(len(losses)), key=lambda n: losses[n])
    late, sign = curve.whole[-1], 1 if curve.direction == "minimize" else -1
    first = max(losses[0], curve.start or losses[0])
    rise = median(losses[-3:]) - losses[best]
    if (
        best > len(losses) - 3
        or rise < OVERFITTED * abs(losses[best])
        or rise < TRUE_RISE * (first - losses[best])
    ):
        return None
    if (
        curve.train[-1] > (1 - OVERFITTED) * curve.train[best]
        or sign * (late.score - curve.whole[best].score) < 0
    ):
        return None  # training got no better, or what the user counts did
    return (
        f"the validation loss rose from {losses[best]:.3g} after epoch {best + 1} to {losses[-1]:.3g}, while the "
        f"training loss fell from {curve.train[best]:.3g} to {curve.train[-1]:.3g}"
    )


def _oscillation(curve: Curve) -> str | None:
    turns = curve.seen("gradient_turn")
    if curve.turn is None or len(turns) < 3 or curve.turn > SWINGING:
        return None
    return f"each step undoes the one before: consecutive gradients have a cosine of {curve.turn:.2f}"


def _slow(curve: Curve) -> str | None:
    """A run that was trained to its end at a lasting rate, and had not arrived."""
    losses = [report.valid_loss for report in curve.whole]
    rates = curve.seen("learning_rate")
    if curve.diverged or len(losses) < max(4, curve.epochs) or rates[-1] < 0.5 * max(rates):
        return None  # given up before its end, or its rate has decayed: either flatters or hides the course
    first = losses[0]
    learned, quarter = first - losses[-1], len(losses) // 4
    lately = losses[-1 - quarter] - losses[-1]
    if losses[-1] < ARRIVED * (curve.start or first) or _rate_too_high(curve) is not None:
        return None
    if learned < LEARNED * abs(first) or lately < STILL_FALLING * learned or min(losses) < losses[-1]:
        return None
    return (
        f"{100 * lately / learned:.0f} % of what it learned came in the last {quarter} of {len(losses)} epochs: "
        f"the validation loss was still falling, from {losses[-1 - quarter]:.3g} to {losses[-1]:.3g}; more "
        "epochs would help too"
    )


_LOOKS: Mapping[str, Callable[[Curve], str | None]] = {
    "divergence": _divergence,
    "divergence-at-the-start": _divergence_at_start,
    "exploding-gradients": _exploding,
    "rate-too-high": _rate_too_high,
    "stall": _stall,
    "loss-of-precision": _precision,
    "adagrad-rate-dies": _worn_out,
    "rate-too-low": _rate_too_low,
    "oscillation": _oscillation,
    "overfitting": _overfitting,
    "slow-convergence": _slow,
}
