"""Together: lead a study, or work for whoever does, until there is a verdict."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial

from autoopt.errors import AutooptWarning, LeaseLost
from autoopt.options import Options
from autoopt.progress import Watcher
from autoopt.recipe import Recipe
from autoopt.records.location import MEMORY
from autoopt.records.margin import Margin
from autoopt.records.store import Store
from autoopt.search.budget import Budget, Ledger
from autoopt.search.journal import Journal
from autoopt.sharing.cohort import SharedCohort
from autoopt.sharing.member import Member
from autoopt.sharing.picture import picture_of
from autoopt.sharing.worker import Worker
from autoopt.sitting import Sitting
from autoopt.subject import Subject
from autoopt.training.checkpoints import Checkpoints
from autoopt.verdict.recommendation import Recommendation

LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Work:
    """What this process has to do.

    Attributes:
        store, study: where.
        rival: the baseline.
        allowance: what may be spent.
        checkpoints: of its runs.
        most: runs that are trained at a time.
        costs: how many of the baseline's trainings one with these optimizers costs, by name.
    """

    store: Store
    study: str
    subject: Subject
    options: Options
    rival: Recipe
    allowance: Budget
    watch: Watcher | None
    checkpoints: Checkpoints | None
    most: int = 1
    costs: Mapping[str, float] = field(default_factory=dict)


def hold(work: Work) -> Recommendation:
    """Return the verdict on a study. Where another process leads it, this one trains for it, and leads if that ends.

    Raises:
        StudyFailed: every run failed.
        KeyboardInterrupt: interrupted before anything could be recommended.
    """
    if work.store.url == MEMORY:
        journal = _journal(work, work.store)
        return Sitting(work.subject, work.options, work.rival, journal, work.checkpoints).hold()
    with Member(work.store, work.study) as member:
        while True:
            try:
                found = _lead(work, member) if member.take_lead() else _join(work, member)
            except (
                LeaseLost
            ):  # others took this process to be over: it begins again, and works for whoever leads now
                member.join_again()
            else:
                if found is not None:
                    return found


def _lead(work: Work, member: Member) -> Recommendation:
    journal = _journal(work, work.store.on_condition(member.must_lead))
    door = partial(SharedCohort, member)
    return Sitting(work.subject, work.options, work.rival, journal, work.checkpoints, door).hold()


def _join(work: Work, member: Member) -> Recommendation | None:
    """Train for the process that leads until it does no more; return its verdict, if it is this one's too."""
    if (leader := member.leader()) is None:
        return None
    told = f"{leader} leads study {work.study!r}, and this process trains for it"
    warnings.warn(told, AutooptWarning, stacklevel=2)
    subject = work.subject
    Worker(member, subject.start, judged=subject.judged, most=work.most, look=_teller(work, told)).work()
    return _verdict(work)


def _teller(work: Work, told: str) -> Callable[[], None]:
    """Return what tells the watcher every second where the study stands."""
    last = -LOOK_SECONDS

    def tell() -> None:
        nonlocal last
        if work.watch is not None and time.monotonic() - last >= LOOK_SECONDS:
            last = time.monotonic()
            if (progress := picture_of(work.store, work.study, told)) is not None:
                work.watch(progress)

    return tell


def _verdict(work: Work) -> Recommendation | None:
    """Return what the process that led has found, if it was to spend what this one may."""
    record, sitting = work.store.study(work.study), Margin(work.store).sitting(work.study)
    if (
        record is None
        or record.state != "done"
        or sitting is None
        or sitting.budget != asdict(work.allowance)
    ):
        return None
    document = work.store.verdict(work.study)
    if document is None:
        return None
    if work.watch is not None and (progress := picture_of(work.store, work.study)) is not None:
        work.watch(replace(progress, phase="done"))
    return Recommendation.from_dict(document)


def _journal(work: Work, store: Store) -> Journal:
    subject = work.subject
    ledger = Ledger(work.allowance, subject.epochs, costs=work.costs)
    return Journal(store, work.study, subject.objective, subject.direction, ledger, work.watch)
