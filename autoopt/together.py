"""Together: lead a study, or work for whoever does, until there is a verdict."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from autoopt.errors import AutooptWarning, LeaseLost, Stop, UsageError
from autoopt.loops.ranks import started_by_torchrun
from autoopt.options import Options
from autoopt.progress import Watcher
from autoopt.recipe import Recipe
from autoopt.records.location import MEMORY, storage_url
from autoopt.records.margin import Margin
from autoopt.records.owner import this_process
from autoopt.records.store import Store
from autoopt.run import Run
from autoopt.search.budget import Budget, Ledger
from autoopt.search.journal import Journal
from autoopt.sharing.cohort import LONGEST_PAUSE, Part, SharedCohort
from autoopt.sharing.crew import Crew, Limits, Order
from autoopt.sharing.member import Member
from autoopt.sharing.picture import picture_of
from autoopt.sharing.worker import Worker
from autoopt.sitting import Sitting
from autoopt.subject import Subject
from autoopt.tasks.task import Task
from autoopt.training.checkpoints import Checkpoints
from autoopt.training.device import one_thread, spread_devices, usable_cores
from autoopt.training.needs import workers_that_fit
from autoopt.verdict.recommendation import Recommendation

LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Team:
    """The processes with which a process works on a study.

    Attributes:
        size: of those that train on this machine.
        isolates: only helpers train, and this process does not.
        limits: of each helper.
        more: what helpers are told beside the study.
        serves: the order by which this process is a helper itself.
        data: descriptor of the file with the data of the task, for helpers.
        device: where to train, as the caller said it; of several cards each process gets one.
        is_auto: the caller left it open how many.
    """

    size: int = 1
    isolates: bool = False
    limits: Limits = field(default_factory=Limits)
    more: Mapping[str, Any] = field(default_factory=dict)
    serves: Order | None = None
    data: int | None = None
    device: str = "auto"
    is_auto: bool = False

    @property
    def devices(self) -> list[str]:
        """Where this process trains, and then its helpers."""
        found = spread_devices(self.device, self.size)
        return [found[0], *found] if self.isolates else found

    def orders(self, storage: str, study: str) -> list[Order]:
        """Return what its helpers are told."""
        return [
            Order(storage, study, {**self.more, "device": device}, data=self.data)
            for device in self.devices[1:]
        ]

    @property
    def helpers(self) -> int:
        """Processes to be started."""
        return self.size if self.isolates else self.size - 1


def make_team(
    workers: int | str | Team, *, isolate: bool, memory_limit: float | None, run_timeout: float | None,
    storage: str | None, device: str, more: Mapping[str, Any],
) -> Team:  # fmt: skip
    """Return the processes that a caller of ``tune`` asks for.

    Raises:
        UsageError: there can be no such processes.
    """
    if isinstance(workers, Team):
        return replace(workers, device=device)
    if is_auto := workers == "auto":
        workers = usable_cores()
    if isinstance(workers, str) and workers.isdecimal():
        workers = int(workers)
    if not isinstance(workers, int) or workers < 1:
        raise UsageError(f"workers is {workers!r}: it must be a whole number from 1 on, or auto")
    for name, limit in (("memory_limit", memory_limit), ("run_timeout", run_timeout)):
        if limit is not None and not isolate:
            raise UsageError(f"{name}={limit:g} needs isolate: only processes of their own can be ended")
        if limit is not None and not 0 < limit < float("inf"):
            raise UsageError(f"{name} is {limit:g}: it must be above 0")
    if (workers > 1 or isolate) and (storage is None or storage_url(storage) == MEMORY):
        asked = "isolate" if isolate else f"workers={workers}"
        raise UsageError(
            f"{asked} needs a database that several processes can open: give a storage, such as autoopt.db"
        )
    limits = Limits(None if memory_limit is None else int(memory_limit * 1e9), run_timeout)
    team = Team(workers, isolate, limits, more, device=device, is_auto=is_auto)
    if team.helpers and started_by_torchrun():
        raise UsageError(
            f"{'isolate' if isolate else f'workers={workers}'} starts processes, and torchrun has started some "
            "already, which train every run together: leave one of the two out"
        )
    return team


def fit_memory(team: Team, task: Task, baseline: Recipe, device: str) -> Team:
    """Return a team that the free memory has room for, where the caller left it open how many processes."""
    if not team.is_auto or team.size == 1:
        return team
    found = workers_that_fit(
        task, baseline, device, team.size, devices=len(set(team.devices)), apart=team.data is None
    )
    if found < team.size:
        told = f"workers=auto: {found} of {team.size} processes, as the free memory has room for no more"
        warnings.warn(told, AutooptWarning, stacklevel=2)
    return replace(team, size=found)


def check_source(team: Team, subject: Subject) -> None:
    """Make sure that helpers can load what is trained.

    Raises:
        UsageError: it was made of Python objects.
    """
    if team.helpers and team.serves is None and not subject.source:
        asked = "isolate" if team.isolates else f"workers={team.size}"
        raise UsageError(
            f"{asked} needs a task that other processes can load, and {subject.name!r} was made of Python objects: "
            "give the path of a task file, package.module, or a script; or start this program several times, each "
            "with the same storage and study, and they will share the work"
        )


@dataclass(frozen=True)
class Work:
    """What this process has to do.

    Attributes:
        team: the processes with which it works.
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
    team: Team = field(default_factory=lambda: Team())


def hold(work: Work) -> Recommendation:
    """Return the verdict on a study. Where another process leads it, this one trains for it, and leads if that ends.

    Raises:
        StudyFailed: every run failed.
        KeyboardInterrupt: interrupted before anything could be recommended.
    """
    if work.store.url == MEMORY:
        journal = _journal(work, work.store)
        return Sitting(work.subject, work.options, work.rival, journal, work.checkpoints).hold()
    if (order := work.team.serves) is not None:
        with Member(work.store, work.study, this_process(order.crew, order.token)) as member:
            Worker(member, work.subject.start, judged=work.subject.judged, most=work.most).work(alone=True)
        raise Stop
    team = work.team
    member = Member(work.store, work.study)
    orders = team.orders(work.store.url, work.study)
    with one_thread(when=team.size > 1), member, Crew(member, orders, team.limits) as crew:
        while True:
            try:
                found = _lead(work, member, crew) if member.take_lead() else _join(work, member, crew)
            except (
                LeaseLost
            ):  # others took this process to be over: it begins again, and works for whoever leads now
                member.join_again()
            else:
                if found is not None:
                    return found


def _lead(work: Work, member: Member, crew: Crew) -> Recommendation:
    journal = _journal(work, work.store.on_condition(member.must_lead))
    team, ahead = work.team, list[Run]()
    part = Part(not team.isolates, struck=not team.helpers, most=work.most, check=crew.check, ahead=ahead)
    door = partial(SharedCohort, member, part=part)
    tell = ahead.extend if team.helpers else None
    return Sitting(work.subject, work.options, work.rival, journal, work.checkpoints, door, tell).hold()


def _join(work: Work, member: Member, crew: Crew) -> Recommendation | None:
    """Train for the process that leads until it does no more; return its verdict, if it is this one's too.

    A process that isolates leaves that to its helpers: what ends the process that trains must not end this one.
    """
    if (leader := member.leader()) is None:
        return None
    told = f"{leader} leads study {work.study!r}, and this process trains for it"
    warnings.warn(told, AutooptWarning, stacklevel=2)
    subject, team, look = work.subject, work.team, _teller(work, told)
    if team.isolates:
        while member.leader() is not None:
            crew.check()
            look()
            time.sleep(LONGEST_PAUSE)
    else:
        Worker(
            member, subject.start, judged=subject.judged, most=work.most, struck=not team.helpers, look=look
        ).work()
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
