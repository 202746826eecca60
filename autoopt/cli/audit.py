"""The command ``audit``: the documents' rules and tables beside what a study measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoopt.cli import display
from autoopt.cli.options import DEFAULT_STORAGE, AsJson, Storage, StudyName
from autoopt.cli.result import count_stances
from autoopt.errors import StorageError, UsageError, unknown_name

if TYPE_CHECKING:
    from autoopt.records.study import StudyRecord
    from autoopt.verdict.audit import Audit
    from autoopt.verdict.figures import Comparison, OptimizerFigures
    from autoopt.verdict.statistics import Interval

_MARKS = {"agrees": "✓", "disagrees": "✗", "undecided": "·", "not tested": "–"}
_BASES = {"confirmed": "on fresh seeds", "search": "single runs"}


def audit_of_study(study: StudyName, storage: Storage = DEFAULT_STORAGE, json: AsJson = False) -> None:
    """Hold the textbook rules against a study: which agreed, which did not, with figures; optimizers compared.

    \b
    Examples
      autoopt audit digits_mlp
      autoopt audit digits_mlp --json
    """
    from autoopt.records.store import Store
    from autoopt.verdict.comparison import compare_optimizers
    from autoopt.verdict.recommendation import Recommendation

    with Store.open(storage, readonly=True) as store:
        record = store.study(study)
        if record is None:
            names = [summary.study.name for summary in store.studies()]
            raise StorageError(
                unknown_name("study", study, names) if names else f"there is no study {study!r} yet"
            )
        document = store.verdict(study)
        audit = None if document is None else Recommendation.from_dict(document).audit
        comparison = audit.comparison if audit else compare_optimizers(
            store.runs(study), store.reports(study), record.direction
        )  # fmt: skip
    if not comparison.optimizers:
        raise UsageError(f"study {study!r} has no runs to audit yet")
    if json:
        facts = audit.to_dict() if audit else {"comparison": comparison.to_dict()}
        display.say_json({"study": study, "objective": record.objective, **facts})
        return
    _say_optimizers(record, comparison)
    if audit is None:
        why = (
            "there is no recommendation yet"
            if document is None
            else "an older autoopt kept no profile of the task"
        )
        display.say(f"\nThe rules cannot be checked: {why}. The command that started the study, given again, "
                    "trains nothing twice and checks them.")  # fmt: skip
        return
    _say_rules(audit)
    _say_claims(audit)
    display.say("")
    display.say_sources([*(f.source for f in audit.findings), *(c.source for c in audit.claims)])


def _say_optimizers(record: StudyRecord, comparison: Comparison) -> None:
    display.say_heading(
        "Speed and score", f"{record.objective} by single runs of the search, unless confirmed"
    )
    target = "on the way" if comparison.target is None else f"epochs to {comparison.target:.3g}"
    columns = (
        "optimizer",
        "trials",
        f"after epoch {comparison.level}",
        "confirmed",
        target,
        "seconds a step",
    )
    display.say_rows(columns, [_speed(figures) for figures in comparison.optimizers], right=("trials",))
    display.say_heading("\nStability and memory")
    display.say_rows(
        ("optimizer", "diverged", "good rates", "decades", "state"),
        [_stability(figures) for figures in comparison.optimizers],
    )
    if comparison.bar is not None:
        display.say(
            f"A rate is good if it got to {comparison.bar:.3g} by epoch {comparison.bar_epochs}, as the middle one of "
            "the first recipes did; decades from the lowest to the highest, and at most to the next that did not."
        )


def _speed(figures: OptimizerFigures) -> tuple[str, ...]:
    time = figures.epochs_to_target
    arrival = f"not in {figures.epochs}" if time is None and figures.trials else _shown(time)
    confirmed = "" if figures.confirmed is None else f"{_shown(figures.confirmed)}, {figures.seeds} seeds"
    confirmed += "" if figures.tuned or not confirmed else ", untuned"
    score = "" if figures.score is None else f"{figures.score:.3g}"
    return figures.title, str(figures.trials), score, confirmed, arrival, _shown(figures.seconds_step)


def _stability(figures: OptimizerFigures) -> tuple[str, ...]:
    share = figures.diverged_share
    diverged = (
        "" if share is None else f"{figures.diverged} of {figures.trials} [{share.low:.0%}, {share.high:.0%}]"
    )
    rates = "–".join(dict.fromkeys(f"{rate:.1g}" for rate in figures.good_rates or ()))
    return figures.title, diverged, rates, _shown(figures.basin), _size(figures.state_bytes)


def _shown(interval: Interval | None) -> str:
    if interval is None:
        return ""
    low, high = (f"{x:.2g}" if x - x == 0 else "?" for x in (interval.low, interval.high))
    middle = f"{interval.middle:.3g}"
    return middle if low == high == "?" else f"{middle} [{low}, {high}]"


def _size(count: int | None) -> str:
    if count is None:
        return ""
    for unit, size in (("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"


def _say_rules(audit: Audit) -> None:
    from autoopt.guidance.audit import say_once

    display.say_heading("\nRules", count_stances(finding.stance for finding in audit.findings))
    for finding in say_once(audit.findings):
        basis = "" if finding.measured is None else f", {_BASES[finding.measured.basis]}"
        display.say_marked(_MARKS[finding.stance], f"{finding.says} ({finding.source})",
                           f"{finding.stance}{basis}: {finding.figures}; published: {finding.published}")  # fmt: skip


def _say_claims(audit: Audit) -> None:
    from autoopt.verdict.comparison import title_of

    display.say_heading("\nThe documents' tables", count_stances(claim.stance for claim in audit.claims))
    columns = ("optimizer", "what", "claim", "", "measured")
    rows = [
        (
            title_of(claim.method),
            claim.quantity,
            f"{claim.says} ({claim.source})",
            _MARKS[claim.stance],
            claim.figures,
        )
        for claim in audit.claims
    ]
    display.say_rows(columns, rows)
