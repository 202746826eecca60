"""Why: what the documents' rules came to on this task, and what to be careful about."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from autoopt.catalogue.entry import OptimizerEntry
from autoopt.catalogue.hyperparameters import RELATIVE_RATES
from autoopt.catalogue.rate import learning_rate
from autoopt.guidance.audit import audit
from autoopt.guidance.diagnosis import diagnose
from autoopt.guidance.library import load_rules
from autoopt.recipe import Recipe, Setting
from autoopt.run import Direction, EpochReport, RunRecord, RunState
from autoopt.tasks.profile import TaskProfile
from autoopt.verdict.recommendation import Reason, Stance

EDGE = 1.5  # a rate within this factor of the end of its range counts as at the edge
_STANCES: dict[str, Stance] = {"agrees": "agrees", "disagrees": "disagrees", "undecided": "measured"}

Levels = Sequence[tuple[int, Mapping[str, float]]]


def check_rules(
    profile: TaskProfile, levels: Levels, epochs: int, direction: Direction, noise: float | None, chosen: str
) -> list[Reason]:
    """Return what this study says of each rule that applies to the task; rules it cannot test are left out.

    Args:
        levels: best score of each optimizer at an epoch, from ``best_by_optimizer``. A rule is judged at the
            latest epoch that runs of both its sides reached; one of likeness, where all that it names still ran.
        epochs: length of a complete training.
        noise: standard deviation of a score over seeds; ``None`` if not known.
        chosen: name of the recommended optimizer; rules about it come first.
    """
    latest_first = sorted(levels, reverse=True, key=lambda level: level[0])
    tried = {name for _, scores in levels for name in scores}
    reasons = []
    for rule in sorted(load_rules(), key=lambda rule: chosen not in rule.favours):
        for epoch, scores in latest_first:
            if rule.kind == "alike" and not tried.intersection(rule.favours) <= scores.keys():
                continue  # who was given up before this epoch was not alike by then
            findings = audit([rule], profile, scores, direction, noise, chosen)
            if findings and findings[0].stance in _STANCES:
                finding = findings[0]
                when = "" if epoch == epochs else f", after {epoch} of {epochs} epochs"
                says = f"{finding.says.rstrip('.')} ({finding.figures}{when})"
                stance = _STANCES[finding.stance]
                if rule.kind == "alike" and stance == "agrees" and epoch < epochs:
                    stance = "measured"  # alike so far, which all are before they have learned anything
                reasons.append(Reason(says, finding.source, stance))
                break
    return reasons


def best_by_optimizer(
    records: Iterable[RunRecord],
    reports: Mapping[int, Sequence[EpochReport]],
    epochs: Iterable[int],
    direction: Direction,
) -> Levels:
    """Return the best score of each optimizer at each of these epochs, among the runs that reached it."""
    choose = min if direction == "minimize" else max
    levels: dict[int, dict[str, float]] = {epoch: {} for epoch in epochs}
    for record in records:
        for report in reports.get(record.run.id, ()):
            values = [s for s in (report.score, report.averaged_score) if s is not None and math.isfinite(s)]
            if report.epoch in levels and values and not report.over:
                name, best = record.run.recipe.optimizer, levels[report.epoch]
                best[name] = choose(values if name not in best else [*values, best[name]])
    return list(levels.items())


def find_cautions(chosen: Recipe, entry: OptimizerEntry, records: Sequence[RunRecord]) -> list[Reason]:
    """Return what to be careful about with the chosen recipe, as the records of the search show it.

    Args:
        entry: of its optimizer, with the range of rates that was searched.
    """
    found = []
    if "lr" in chosen.settings and entry.hyperparameters and (end := _edge(entry, chosen.settings)):
        found.append(f"the learning rate lies at the {end} edge of its range; beyond it may be better still")
    same = [r for r in records if r.run.recipe.optimizer == chosen.optimizer]
    if diverged := sum(r.state is RunState.DIVERGED for r in same):
        found.append(f"{diverged} of {len(same)} trials with {entry.title} diverged: do not raise its rate")
    if failed := [r.note for r in records if r.state is RunState.FAILED]:
        found.append(f"{len(failed)} of {len(records)} trials failed, the first with: {failed[0]}")
    return [Reason(says, "this study", "caution") for says in found]


def _edge(entry: OptimizerEntry, settings: Mapping[str, Setting]) -> str:
    """Return the end of the searched rates at which the recipe's lies; empty for none."""
    lowest, highest = (learning_rate(entry, relative, settings) for relative in RELATIVE_RATES)
    rate = float(settings["lr"])
    if rate <= lowest * EDGE:
        return "lower"
    return "upper" if rate >= highest / EDGE else ""


def find_symptoms(
    chosen: Recipe,
    records: Iterable[RunRecord],
    reports: Mapping[int, Sequence[EpochReport]],
    direction: Direction,
) -> list[Reason]:
    """Return the symptoms that most runs of the chosen recipe showed in the confirmation, with what helps.

    Args:
        records: of the confirming runs; those of other recipes are left out.
        reports: their epochs, by run id.
    """
    runs = [record.run for record in records if record.run.recipe == chosen]
    found = [diagnose(reports.get(run.id, ()), chosen, run.epochs, direction) for run in runs]
    first = {d.rule_id: d for each in reversed(found) for d in each}
    reasons = []
    for rule_id, diagnosis in first.items():
        count = sum(rule_id in [d.rule_id for d in each] for each in found)
        if 2 * count > len(runs):
            says = (
                f"{count} of {len(runs)} confirming runs show {diagnosis.symptom}: {diagnosis.evidence}. "
                f"What helps: {', or '.join(diagnosis.remedies)}"
            )
            reasons.append(Reason(says, diagnosis.source, "caution"))
    return reasons
