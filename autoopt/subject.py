"""Subject: what a study trains, whoever takes the steps: all that search, confirmation and verdict know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from autoopt.recipe import Recipe
from autoopt.run import Direction
from autoopt.space.extra import Extra
from autoopt.training.cohort import Cohort, StartCohort
from autoopt.training.target import Target, TargetCohort

if TYPE_CHECKING:
    from autoopt.tasks.profile import TaskProfile
    from autoopt.tasks.task import Task
    from autoopt.training.checkpoints import Checkpoints
    from autoopt.training.plan import Plan


@dataclass(frozen=True)
class Subject:
    """What a study trains: a task, or a training loop of the user's own.

    Attributes:
        name, source, fingerprint, objective, direction: as of a task.
        epochs: of one complete training.
        start: starts the cohort that trains it.
        profile: says what kind of problem it is; may take seconds.
        batch_size: rows a batch that the search may change; ``None`` where it may not.
        own_batches: why not, and what to do about it, in words.
        rows: of the training data; ``None`` if nobody knows.
        has_batch_norm, sparse_gradients, dense_gradients, n_trainable: of the model, as of a task.
        total_steps: of a complete training at that batch size.
        own_loop: the steps are taken by a loop of the user's.
        extras: hyperparameters that this loop asks for.
        notes: how all runs are trained, where that is unusual, in sentences.
        choose_plan: says how its runs are trained, given whether a stack must prove to be faster; ``None`` where there
            is no choice.
        start_by: starts its cohorts by such a plan, if there is one, and writes down where their runs stand; ``None``
            where nothing can be written down.
        measure_costs: times recipes, by name of their optimizer, beside the baseline, and says how many of its epochs
            one of theirs costs; ``None`` where that cannot be told.
        target: a score to be reached as soon as possible; objective and direction are then those of the time.
    """

    name: str
    source: str
    fingerprint: str
    objective: str
    direction: Direction
    epochs: int
    start: StartCohort
    profile: Callable[[], TaskProfile]
    batch_size: int | None = None
    own_batches: str = ""
    rows: int | None = None
    has_batch_norm: bool = False
    sparse_gradients: bool = False
    dense_gradients: bool = True
    n_trainable: int | None = None
    total_steps: int | None = None
    own_loop: bool = False
    extras: tuple[Extra, ...] = ()
    notes: tuple[str, ...] = ()
    choose_plan: Callable[[bool], Plan] | None = None
    start_by: Callable[[Plan | None, Checkpoints | None], StartCohort] | None = None
    measure_costs: Callable[[Mapping[str, Recipe], Recipe], dict[str, float]] | None = None
    target: Target | None = None

    def judged(self, cohort: Cohort) -> Cohort:
        """Return a cohort of its runs judged by what is improved: as they are, or by the time to the target."""
        return cohort if self.target is None else TargetCohort(cohort, self.target)

    @property
    def limits(self) -> dict[str, Any]:
        """What may keep an optimizer from training it, as ``misfit`` takes it."""
        return {"n_trainable": self.n_trainable, "batch_norm": self.has_batch_norm, "own_loop": self.own_loop,
                "own_batches": self.batch_size is None and not self.own_loop}  # fmt: skip


def aimed(subject: Subject, value: float | None) -> Subject:
    """Return a subject whose objective is the time until its score reaches a value; itself where there is none."""
    if value is None:
        return subject
    target = Target(float(value), subject.objective, subject.direction)
    return replace(subject, objective=target.objective, direction="minimize", target=target)


def task_subject(task: Task, device: str = "cpu", *, trained: Task | None = None) -> Subject:
    """Return a task as what a study trains, on a device as ``choose_device`` gives it.

    Args:
        trained: the same task with data that are the same, in the memory from which it is to be trained.
    """
    from autoopt.tasks.profile import profile_task
    from autoopt.training.holding import hold_data
    from autoopt.training.serial import serial_cohort

    held = cache(
        lambda: hold_data(trained or task, device)
    )  # when it is first trained: a data set is read for it

    def choose(timed: bool) -> Plan:
        from autoopt.training.plan import choose_plan

        return choose_plan(held(), device, timed=timed)

    def start_by(plan: Plan | None, checkpoints: Checkpoints | None) -> StartCohort:
        if plan is not None:
            return lambda runs: plan.starter(held(), device, checkpoints)(runs)
        return lambda runs: serial_cohort(held(), runs, device, checkpoints=checkpoints)

    def measure(recipes: Mapping[str, Recipe], baseline: Recipe) -> dict[str, float]:
        from autoopt.training.cost import measure_costs

        return measure_costs(held(), recipes, baseline, device)

    own_batches = task.train.fixed_batch_size is not None
    return Subject(
        task.name, task.source, task.fingerprint, task.objective, task.direction, task.epochs,
        start=start_by(None, None),
        profile=partial(profile_task, task),
        batch_size=None if own_batches else task.batch_size,
        own_batches="the training data come in batches of their own; give a Dataset or arrays" if own_batches else "",
        rows=task.train.rows, has_batch_norm=task.has_batch_norm, sparse_gradients=task.sparse_gradients,
        dense_gradients=task.dense_gradients, n_trainable=task.n_trainable, total_steps=total_steps(task),
        notes=tuple(_unusual(task)),
        choose_plan=choose, start_by=start_by, measure_costs=measure,
    )  # fmt: skip


def _unusual(task: Task) -> Iterator[str]:
    if task.precision != "float32":
        yield (
            f"All runs, those that confirm among them, were trained and evaluated in {task.precision} (autocast): "
            "train in the same precision."
        )
    if task.accumulate > 1:
        yield f"All runs added up the gradients of {task.accumulate} batches for each step: do so too."


def total_steps(task: Task) -> int:
    """Return the steps of a complete training at the task's own batch size."""
    return task.epochs * task.steps_per_epoch(task.batch_size)
