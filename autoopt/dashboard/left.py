"""Left: how far a running study is, and about how long it will take."""

from __future__ import annotations

from autoopt.records.margin import SittingRecord
from autoopt.records.study import StudySummary


def share_spent(summary: StudySummary, sitting: SittingRecord | None) -> float | None:
    """Return the share of the budget that is spent, 0 to 1; ``None`` where the budget is not known."""
    runs = sitting.budget.get("runs") if sitting is not None else None
    return min(1.0, summary.spent_runs / runs) if runs else None


def seconds_left(summary: StudySummary, sitting: SittingRecord | None) -> float | None:
    """Return about how long a study will go on at the pace of this sitting, by its budget and its time-out.

    Returns:
        ``None`` before this sitting has trained an epoch, or where its budget is not known.
    """
    if sitting is None or not sitting.budget.get("runs"):
        return None
    trained = summary.spent_epochs - sitting.epochs_before
    elapsed = (summary.study.updated - sitting.started).total_seconds()
    if trained <= 0 or elapsed <= 0:
        return None
    charge = summary.spent_runs * summary.study.epochs / summary.spent_epochs
    left = (sitting.budget["runs"] - summary.spent_runs) * summary.study.epochs * elapsed / trained / charge
    if (limit := sitting.budget.get("seconds")) is not None:
        left = min(left, limit - sitting.seconds_before - elapsed)
    return float(max(0.0, left))
