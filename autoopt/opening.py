"""Opening a study: it is created, with what is measured but once, or found to be the one that is meant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoopt.catalogue.own import tell_difference
from autoopt.errors import StudyMismatch, UsageError
from autoopt.options import Options, study_costs
from autoopt.recipe import Recipe
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.subject import Subject
from autoopt.training.plan import Plan

# Of options that studies made before them do not have.
_DEFAULTS: dict[str, Any] = {"optimizers_from": [], "stacked": "never", "objective": "score", "target": None}


@dataclass(frozen=True)
class Planned:
    """What was measured when a study was created, and holds for all its sittings.

    Another time it might turn out otherwise: a plan lets runs differ in their last digits from those that they carry
    on, and costs decide how far a budget goes.

    Attributes:
        plan: how runs are trained; ``None`` where nobody asked.
        costs: how many trainings of the baseline one with these optimizers costs; of all others it is one.
    """

    plan: Plan | None = None
    costs: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that goes with a study's options; nothing where there is nothing out of the ordinary."""
        plan = {} if self.plan is None else {"plan": self.plan.to_dict()}
        return {**plan, **({"costs": dict(self.costs)} if self.costs else {})}

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> Planned:
        """Read it from a study's options; StudyMismatch for costs that none can have."""
        plan, costs = options.get("plan"), options.get("costs") or {}
        known = isinstance(costs, dict) and all(isinstance(cost, int | float) for cost in costs.values())
        if not known or not all(1 <= cost < math.inf for cost in costs.values()):
            raise StudyMismatch(
                f"the study has costs={costs!r}, which no study was made with: restore its database from a copy"
            )
        return cls(None if plan is None else Plan.from_dict(plan), costs)


def open_study(
    store: Store, name: str, subject: Subject, options: Options, baseline: Recipe, *,
    given: Recipe | None = None, new: bool = False,
) -> tuple[str, Planned]:  # fmt: skip
    """Create the study, or check that the one of that name is this one; return its name and what is planned for it.

    Args:
        baseline: beside which optimizers are timed; ``given`` if that is the caller's, to be kept for ``resume``.
        new: start a new study even if there is one of that name; it gets a number behind its name.

    Raises:
        StudyMismatch: the study of that name has another task, or other options.
        UsageError: a plan is asked for where there is none.
    """
    if new:
        taken = {summary.study.name for summary in store.studies()}
        name = next(n for n in (name, *(f"{name}-{k}" for k in range(2, len(taken) + 3))) if n not in taken)
    found = store.study(name)
    if found is None:
        # the baseline is none of the options, since runs compare whatever it is; it is kept for resume()
        told = options.to_dict() | {"baseline": None if given is None else given.to_dict()}
        planned = Planned(_plan(subject, options), study_costs(subject, options, baseline))
        told |= planned.to_dict()
        record = StudyRecord(name, subject.name, subject.source, subject.fingerprint, subject.objective,
                             subject.direction, subject.epochs, told, options.seed)  # fmt: skip
        if store.add_study(record):
            return name, planned
        found = store.study(name) or record  # another process was quicker
    way_out = (
        f"take --new for a fresh study beside it, or --study NAME for one of another name (study {name!r}"
    )
    if found.fingerprint != subject.fingerprint:
        raise StudyMismatch(f"{_tell_change(found, subject)}, so its runs would not compare: {way_out})")
    now, before = options.to_dict(), {**_DEFAULTS, **found.options}
    if difference := tell_difference(before.pop("optimizers_from"), now.pop("optimizers_from")):
        raise StudyMismatch(f"{difference}, so its runs would not compare: {way_out})")
    if differing := [key for key in now if now[key] != before.get(key)]:
        key = differing[0]
        raise StudyMismatch(
            f"this study was made with {key}={before.get(key)!r}, now it is {now[key]!r}: {way_out})"
        )
    return name, Planned.from_dict(found.options)


def _tell_change(found: StudyRecord, subject: Subject) -> str:
    """Say what makes a task another one: an option of the command, which is easily left out, or its code."""
    pairs = {"epochs": (found.epochs, subject.epochs), "metric": (found.objective, subject.objective)}
    differing = [(name, before, now) for name, (before, now) in pairs.items() if before != now]
    if not differing:
        return "the task has changed since this study was made"
    before = ", ".join(f"{name}={value}" for name, value, _ in differing)
    return f"this study was made with {before}, now it is {', '.join(str(now) for *_, now in differing)}"


def _plan(subject: Subject, options: Options) -> Plan | None:
    """Return how the runs of a new study are trained; ``None`` where nobody asked."""
    if options.stacked == "never":
        return None
    if subject.choose_plan is None:
        raise UsageError(
            f"stacked is {options.stacked!r}, but a loop of your own is trained run by run: leave it out"
        )
    return subject.choose_plan(options.stacked == "auto")
