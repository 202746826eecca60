"""The audit of a study: every rule that applies to the task, and the documents' tables, beside its measurements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from autoopt.catalogue import OPTIMIZERS
from autoopt.errors import UsageError
from autoopt.guidance.audit import STANCES, Basis, Finding, Measured, Stance, judge
from autoopt.guidance.claims import load_claims
from autoopt.guidance.load import load_rules
from autoopt.guidance.rule import Rule
from autoopt.tasks.profile import TaskProfile
from autoopt.verdict.claims import ClaimFinding, judge_claims
from autoopt.verdict.comparison import compare_optimizers, title_of
from autoopt.verdict.confirm import interval_from_fields, interval_to_dict
from autoopt.verdict.fields import Fields
from autoopt.verdict.figures import Comparison
from autoopt.verdict.questions import QUESTIONS
from autoopt.verdict.statistics import Interval
from autoopt.verdict.studied import StudiedRuns, compare_all, compare_sides


@dataclass(frozen=True)
class Audit:
    """What a study says of what the documents say.

    Attributes:
        profile: of the task, by the names of ``TaskProfile``; what applies follows from it.
        findings: one a rule that applies, those about the chosen optimizer first, then by stance.
        claims: one a cell of the documents' comparison tables.
        comparison: the measurements beside the tables.
    """

    profile: Mapping[str, Any]
    findings: tuple[Finding, ...]
    claims: tuple[ClaimFinding, ...]
    comparison: Comparison

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; numbers that are infinite or unknown are null."""
        return {
            "profile": dict(self.profile),
            "findings": [_finding_to_dict(finding) for finding in self.findings],
            "claims": [claim.to_dict() for claim in self.claims],
            "comparison": self.comparison.to_dict(),
        }

    @classmethod
    def from_fields(cls, data: Fields) -> Audit:
        """Read what ``to_dict`` wrote; UsageError names a field that is wrong."""
        return cls(
            dict(data.inner("profile").data),
            data.each("findings", _finding),
            data.each("claims", ClaimFinding.from_fields),
            Comparison.from_fields(data.inner("comparison")),
        )


def audit_study(runs: StudiedRuns, profile: TaskProfile, chosen: str) -> Audit:
    """Hold what a study measured against the documents' rules and tables.

    Args:
        runs: of the study, all that were trained.
        profile: of the task.
        chosen: name of the recommended optimizer; rules about it come first.
    """
    findings = [judge(rule, measure(rule, runs)) for rule in load_rules() if rule.applies(profile)]
    findings.sort(key=lambda f: (chosen not in f.favours, STANCES.index(f.stance)))
    comparison = compare_optimizers(runs.records, runs.reports, runs.direction, profile)
    claims = judge_claims(load_claims(), comparison, runs.direction)
    return Audit(asdict(profile), tuple(findings), claims, comparison)


def measure(rule: Rule, runs: StudiedRuns) -> Measured | str:
    """Return what a study measured on the question that a rule answers, or why it did not."""
    if rule.kind == "alike":
        return (
            compare_all(runs, rule.favours) or f"fewer than two of {_titles(rule.favours, ', ')} were tried"
        )
    if rule.favours:
        return _compare_optimizers(rule, runs)
    if rule.tested_by:
        return QUESTIONS[rule.tested_by](runs)
    if rule.kind == "symptom":
        return "a study varies nothing that tests it"
    return "a study cannot tell: every run trains the same model"


def profile_from_dict(data: Mapping[str, Any]) -> TaskProfile:
    """Read the profile that was kept with a study; fields of another version are left out.

    Raises:
        UsageError: it lacks what every profile has.
    """
    known = {field.name for field in fields(TaskProfile)}
    try:
        return TaskProfile(**{name: value for name, value in data.items() if name in known})
    except TypeError as error:
        raise UsageError(f"the profile kept with this study cannot be read: {error}") from error


def _compare_optimizers(rule: Rule, runs: StudiedRuns) -> Measured | str:
    found = compare_sides(
        runs,
        lambda recipe: recipe.optimizer in rule.favours,
        lambda recipe: (
            recipe.optimizer not in rule.favours and (not rule.over or recipe.optimizer in rule.over)
        ),
        lambda recipe: _titles([recipe.optimizer], ""),
        in_full=rule.kind == "symptom",  # what sets in late does not show at a rung
    )
    if found is not None:
        return found
    if not any(record.run.recipe.optimizer in rule.favours for record in runs.trials):
        return f"{_titles(rule.favours, ' or ')} was not tried"
    return f"{_titles(rule.over, ' or ') or 'no other optimizer'} was not tried"


def _titles(names: Iterable[str], joint: str) -> str:
    return joint.join(OPTIMIZERS[name].title if name in OPTIMIZERS else title_of(name) for name in names)


def _finding_to_dict(finding: Finding) -> dict[str, Any]:
    measured = finding.measured
    numbers = None if measured is None else {
        **interval_to_dict(Interval(measured.low, measured.middle, measured.high)),
        "unit": measured.unit, "basis": measured.basis, "telling": measured.telling,
    }  # fmt: skip
    return {**vars(finding), "favours": list(finding.favours), "measured": numbers}


def _finding(data: Fields) -> Finding:
    figures = data.text("figures")
    measured = None if data.data.get("measured") is None else _measured(data.inner("measured"), figures)
    return Finding(
        data.text("rule_id"), data.text("says"), data.text("source"),
        data.one_of("stance", get_args(Stance)), figures, measured, data.text("published", "no data"),
        data.texts("favours"),
    )  # fmt: skip


def _measured(data: Fields, figures: str) -> Measured:
    interval = interval_from_fields(data) or Interval(-math.inf, math.nan, math.inf)
    return Measured(
        interval.low, interval.middle, interval.high, data.text("unit"), figures,
        data.one_of("basis", get_args(Basis)), data.data.get("telling") is not False,
    )  # fmt: skip
