"""Why: what the documents' rules came to on this task, and what to be careful about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from autoopt.catalogue.entry import OptimizerEntry
from autoopt.catalogue.hyperparameters import RELATIVE_RATES
from autoopt.catalogue.rate import learning_rate
from autoopt.guidance.audit import Finding, say_once
from autoopt.guidance.diagnosis import diagnose
from autoopt.recipe import Recipe, Setting
from autoopt.run import Direction, EpochReport, RunRecord, RunState
from autoopt.verdict.recommendation import Reason, Stance

EDGE = 1.5  # a rate within this factor of the end of its range counts as at the edge
_STANCES: dict[str, Stance] = {"agrees": "agrees", "disagrees": "disagrees", "undecided": "measured"}


def rule_reasons(findings: Iterable[Finding]) -> list[Reason]:
    """Return what a study says of the rules that favour optimizers, each comparison once.

    Rules that it could not test are left out, and those of practice, which the audit shows.
    """
    tested = [finding for finding in findings if finding.favours and finding.stance in _STANCES]
    return [
        Reason(f"{finding.says.rstrip('.')} ({finding.figures})", finding.source, _STANCES[finding.stance])
        for finding in say_once(tested)
    ]


def find_cautions(chosen: Recipe, entry: OptimizerEntry, records: Sequence[RunRecord]) -> list[Reason]:
    """Return what to be careful about with the chosen recipe, as the records of the search show it.

    Args:
        entry: of its optimizer, with the range of rates that was searched.
    """
    found = []
    same = [r for r in records if r.run.recipe.optimizer == chosen.optimizer]
    if "lr" in chosen.settings and entry.hyperparameters and (end := _edge(entry, chosen.settings)):
        rate, tried = float(chosen.settings["lr"]), [float(r.run.recipe.settings["lr"]) for r in same]
        if not any(other <= rate / EDGE if end == "lower" else other >= rate * EDGE for other in tried):
            found.append(
                f"the learning rate lies at the {end} edge of its range; beyond it may be better still"
            )
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
