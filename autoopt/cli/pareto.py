"""What a better score costs: ``autoopt show STUDY --pareto``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoopt.cli import display

if TYPE_CHECKING:
    from autoopt.records.store import Store
    from autoopt.records.study import StudyRecord
    from autoopt.verdict.pareto import Point


def say_pareto(store: Store, study: StudyRecord, *, json: bool) -> None:
    """Print the recipes of a study that nothing beats in score, seconds and memory together."""
    from autoopt.verdict.audit import profile_from_dict
    from autoopt.verdict.pareto import find_pareto
    from autoopt.verdict.studied import StudiedRuns

    kept = ((store.verdict(study.name) or {}).get("audit") or {}).get("profile")
    runs = StudiedRuns(store.runs(study.name), store.reports(study.name), study.objective, study.direction,
                       study.epochs)  # fmt: skip
    found = find_pareto(runs, None if kept is None else profile_from_dict(kept))
    if json:
        display.say_json(found.to_dict())
        return
    if not found.confirmed and not found.searched:
        display.say(f"{study.name}: nothing has a score yet")
        return
    _say("Confirmed on fresh seeds", f"mean {study.objective} with its interval", found.confirmed)
    epochs = f"after {found.epochs} of {study.epochs} epochs"
    _say("Seen in the search", f"{study.objective} {epochs}, one seed", found.searched)
    display.say(
        "Nothing else is as good in score, seconds a training and memory (weights, gradients, state) at once."
    )
    if any(point.ties for point in (*found.confirmed, *found.searched)):
        display.say("≈ scores no better, beyond the noise of the seeds, than one that costs no more.")


def _say(heading: str, about: str, points: Sequence[Point]) -> None:
    from autoopt.verdict.pareto import COLUMNS, rows_of

    if points:
        display.say_heading(heading, about)
        display.say_rows(COLUMNS, rows_of(points), right=COLUMNS[1:5])
        display.say("")
