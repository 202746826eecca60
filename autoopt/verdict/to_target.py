"""Which confirming runs came to a target, how far they came at the end, and what to say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import get_args

from autoopt.run import Direction, EpochReport, RunRecord, RunState
from autoopt.training.target import Target
from autoopt.verdict.confirm import Confirmation
from autoopt.verdict.fields import Fields


def tell_target(
    confirmation: Confirmation, target: Target, records: Iterable[RunRecord],
    reports: Mapping[int, Sequence[EpochReport]],
) -> Confirmation:  # fmt: skip
    """Return a confirmation with what the score itself came to by seed, and the seeds that missed the target.

    Args:
        records: of confirming runs; those of other recipes and those that are not done are left out.
        reports: their epochs, by run id.
    """
    came_to, missed = {}, []
    for record in records:
        epochs = reports.get(record.run.id, ())
        if record.run.recipe != confirmation.recipe or record.state is not RunState.FINISHED or not epochs:
            continue
        came_to[record.run.seed] = target.score_of(epochs[-1])
        if not target.is_reached(epochs):
            missed.append(record.run.seed)
    return replace(confirmation, came_to=came_to, missed=tuple(missed))


def read_target(fields: Fields) -> Target:
    """Read a target of the JSON document; UsageError names a field that is wrong."""
    return Target(
        fields.number("value"), fields.text("metric"), fields.one_of("direction", get_args(Direction))
    )


def target_notes(
    target: Target, chosen: Confirmation, baseline: Confirmation, others: Sequence[Confirmation], epochs: int
) -> Iterator[str]:
    """Yield whether the target was reached, by whom not, and what the score came to."""
    everyone = [chosen, *([] if baseline.recipe == chosen.recipe else [baseline]), *others]
    trained = [each for each in everyone if each.came_to]
    if trained and all(len(each.missed) == len(each.came_to) for each in trained):
        pick = min if target.direction == "minimize" else max
        nearest = pick(trained, key=lambda each: fmean(each.came_to.values()))
        yield (
            f"Nothing reached {target} in {epochs} epochs: {nearest.recipe} came nearest, to {_came_to(nearest)}. "
            "Seconds are those of whole trainings, times one plus the gap that was left: take a target within reach."
        )
    else:
        for each in everyone:
            if each.missed:
                who = "The baseline" if each is baseline else str(each.recipe)
                yield f"{who} did not reach {target} on {len(each.missed)} of {len(each.came_to)} seeds."
    if chosen.came_to:
        beside = f", the baseline {_came_to(baseline)}" if baseline.came_to and baseline is not chosen else ""
        yield (
            f"After all {epochs} epochs the recommended recipe had {target.metric} {_came_to(chosen)}{beside}. "
            "Times are of this machine as it was, and noisy where others were at work on it."
        )


def _came_to(confirmation: Confirmation) -> str:
    return f"{fmean(confirmation.came_to.values()):.4g}"
