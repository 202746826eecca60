"""What a campaign has left in its database, and whether that is as it should be."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autoopt.records.integrity import find_faults
from autoopt.records.store import Store
from autoopt.run import Purpose, RunState
from studies.chaos.logs import acknowledged


@dataclass
class Findings:
    """What was found; all but ``runs``, ``trials`` and ``forgiven`` should be nothing.

    Attributes:
        runs, trials: in the database.
        lost: reports that were acknowledged and are not there.
        forgiven: such reports that went with an older copy that was put in the place of the database.
        duplicated: trials that two runs have, or runs that several outcomes were written of.
        stuck: runs that still run in a study that is done.
        integrity: what is damaged or does not fit together.
        differing: studies whose recommendation is another one than that of an undisturbed run.
    """

    runs: int = 0
    trials: int = 0
    lost: list[str] = field(default_factory=list)
    forgiven: int = 0
    duplicated: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    integrity: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.duplicated or self.stuck or self.integrity or self.differing)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def audit(
    storage: str, folder: Path, gone: dict[str, set[tuple[int, int]]], undisturbed: dict[str, Any]
) -> Findings:
    """Look through the database after a campaign.

    Args:
        folder: with the logs of what was acknowledged.
        gone: by study, reports that an older copy, put in the place of the database, did not have.
        undisturbed: by study, the verdict of a run of the same seed that nothing happened to.
    """
    found = Findings()
    with Store.open(storage, readonly=True) as store:
        with store.reading() as connection:
            found.integrity = find_faults(connection, store.url)
        for summary in store.studies():
            _audit_study(store, summary.study.name, summary.study.state, folder, gone, undisturbed, found)
    return found


def _audit_study(
    store: Store, study: str, state: str, folder: Path, gone: dict[str, set[tuple[int, int]]],
    undisturbed: dict[str, Any], found: Findings,
) -> None:  # fmt: skip
    records, reports = store.runs(study), store.reports(study)
    there = {(report.run_id, report.epoch) for each in reports.values() for report in each}
    missing = acknowledged(folder, study) - there
    found.forgiven += len(missing & gone.get(study, set()))
    found.lost += [
        f"{study}: run {run}, epoch {epoch}" for run, epoch in sorted(missing - gone.get(study, set()))
    ]
    trials = Counter(r.run.trial for r in records if r.run.purpose is Purpose.SEARCH)
    found.runs, found.trials = found.runs + len(records), found.trials + len(trials)
    found.duplicated += [f"{study}: trial {trial} has {n} runs" for trial, n in trials.items() if n > 1]
    fresh = Counter((r.run.recipe, r.run.seed) for r in records if r.run.purpose is not Purpose.SEARCH)
    found.duplicated += [
        f"{study}: {recipe} with seed {seed} has {n} runs" for (recipe, seed), n in fresh.items() if n > 1
    ]
    if state == "done":
        found.stuck += [f"{study}: run {r.run.id}" for r in records if r.state is RunState.RUNNING]
    else:
        found.stuck.append(f"{study} is {state}")
    verdict = store.verdict(study)
    if study in undisturbed and (verdict is None or not same(verdict, undisturbed[study])):
        found.differing.append(study)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two verdicts recommend the same recipe, found with the same scores."""
    keys = ("recipe", "verdict", "gain", "relative_gain")
    return all(one.get(key) == other.get(key) for key in keys)
