"""A picture of a study that another process leads, from what is written down of it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from autoopt.progress import Progress
from autoopt.records.margin import Margin
from autoopt.records.store import Store
from autoopt.run import Purpose, RunState


def picture_of(store: Store, study: str, note: str = "") -> Progress | None:
    """Return where a study stands; ``None`` if there is no such study.

    Args:
        note: what happens now, in a line.
    """
    record, sitting = store.study(study), Margin(store).sitting(study)
    if record is None or sitting is None:
        return None
    runs = store.runs(study)
    states = Counter(each.state for each in runs)
    confirming = any(each.run.purpose is Purpose.CONFIRM for each in runs)
    costs = record.options.get("costs") or {}
    charged = sum(each.epochs_done * costs.get(each.run.recipe.optimizer, 1) for each in runs)
    better = min if record.direction == "minimize" else max
    best: dict[str, float] = {}
    for each in runs:
        if (
            each.run.purpose is Purpose.SEARCH
            and each.score is not None
            and each.state is not RunState.DIVERGED
        ):
            name = each.run.recipe.optimizer
            best[name] = better(best.get(name, each.score), each.score)
    return Progress(
        study=study, phase="confirm" if confirming else "search", objective=record.objective,
        direction=record.direction, spent_runs=charged / record.epochs,
        budget_runs=float(sitting.budget.get("runs") or 0.0),
        seconds=sitting.seconds_before + (datetime.now(UTC) - sitting.started).total_seconds(), best=best,
        finished=states[RunState.FINISHED], stopped=states[RunState.STOPPED],
        diverged=states[RunState.DIVERGED], failed=states[RunState.FAILED],
        running=states[RunState.RUNNING], note=note,
    )  # fmt: skip
