"""The product as one readable story: load the task, open the study, hold a sitting, return the verdict.

Nothing here prints or parses; the command line and other programs call ``tune``. What happens in a sitting
(search, confirm, recommend, remember) stands in ``sitting.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.misfit import misfit
from autoopt.errors import StudyMismatch, UsageError, unknown_name
from autoopt.given import complete_baseline, given_task
from autoopt.loops.own_loop import OwnLoop
from autoopt.loops.script import read_source
from autoopt.loops.terms import Terms
from autoopt.loops.trial import Loop
from autoopt.opening import open_study
from autoopt.options import Options, kept_options, study_space
from autoopt.progress import Watcher, join_watchers
from autoopt.recipe import Recipe, Setting
from autoopt.records.location import MEMORY, storage_url
from autoopt.records.store import Store
from autoopt.run import Direction
from autoopt.search.budget import Budget
from autoopt.sharing.crew import Order
from autoopt.sharing.data import hand_out, load_as_helper
from autoopt.sitting import open_checkpoints
from autoopt.space.build import spell_out
from autoopt.space.written import parse_recipe
from autoopt.subject import Subject, aimed, task_subject
from autoopt.tasks.task import Task
from autoopt.together import Team, Work, check_source, fit_memory, hold, make_team
from autoopt.training.device import choose_device, device_for
from autoopt.training.own_entry import OptimizerSource, read_optimizers, reopen_entry
from autoopt.training.precision import check_precision
from autoopt.training.scratch import sweep
from autoopt.verdict.recommendation import Recommendation


def tune(
    task: str | Path | Task | Loop | None = None,
    budget: float = 30,
    *,
    model: Any = None,
    train: Any = None,
    valid: Any = None,
    test: Any = None,
    loss: Any = None,
    timeout: float | None = None,
    trials: int | None = None,
    seeds: int | None = None,
    seed: int = 0,
    metric: str | None = None,
    direction: Direction | None = None,
    objective: str = "score",
    target: float | None = None,
    optimizers: str | Sequence[OptimizerSource] | None = None,
    optimizers_from: Sequence[OptimizerSource] = (),
    schedules: Sequence[str] | None = None,
    fixed: Mapping[str, Setting] | None = None,
    tune_batch_size: bool = False,
    tune_clip: bool = False,
    decay_all: bool = False,
    epochs: int | None = None,
    batch_size: int | None = None,
    precision: str | None = None,
    accumulate: int | None = None,
    baseline: str | Recipe | None = None,
    device: str = "auto",
    storage: str | None = None,
    study: str | None = None,
    new: bool = False,
    stacked: str = "never",
    checkpoints: str | None = None,
    checkpoint_limit: float | None = None,
    workers: int | str | Team = 1,
    isolate: bool = False,
    memory_limit: float | None = None,
    run_timeout: float | None = None,
    watch: Watcher | None = None,
    callbacks: Sequence[Watcher] = (),
) -> Recommendation:
    """Find out how to train a model, and confirm it on fresh seeds.

    Calling it again with the same storage and study carries on: what was trained is not trained twice, and a
    larger budget extends the search. Silent; equal seeds give equal verdicts on one machine.

    Args:
        task: path of a Python file, ``package.module``, or a Task; or a training loop of your own, a function of
            a ``Trial``.
        model, train, valid, test, loss: in place of a task: what gives a fresh model, and data and loss as
            ``make_task`` takes them; without ``valid``, a fifth of the training data is held out.
        budget: compute in units of one complete training, search and confirmation together.
        timeout: wall-clock seconds; whichever limit comes first ends the search.
        trials: recipes that the search may try.
        seeds: fresh seeds for each finalist and the baseline, at least 3; ``None`` lets the budget decide.
        seed: of everything random in the study.
        metric: what is searched instead of the validation loss; the file's own metric or a known name, or that
            of a metric which a loop of your own reports.
        direction: whether less or more of what a loop reports is better: ``minimize`` or ``maximize``.
        objective: ``score``, or ``time-to-target`` for the seconds of training until the validation score (the loss,
            or the metric) first reaches ``target``. Seconds are those of this machine, noisy where it is busy.
        optimizers, schedules: names that may be tried; ``all`` for everything that is installed, ``None`` for
            the default search. Among ``optimizers`` may be some of your own: classes, what ``optimizer_entry``
            returns, or ``package.module:Class`` and ``path/to/file.py:Class``.
        optimizers_from: optimizers of your own, tried beside those.
        fixed: settings by name that are not searched, such as ``{"weight_decay": 0.0}``.
        tune_batch_size: also try a quarter, half, double and four times the task's batch size.
        tune_clip: also try clipping the gradient, by its norm and by value.
        decay_all: let weight decay act on biases and normalisation parameters too.
        epochs, batch_size: instead of the task's own; of a loop, 20 and 64 by default.
        precision: in which models compute: ``bf16`` or ``fp16`` by autocast, else float32.
        accumulate: batches whose gradients are added up for one step; losses are then means over their rows.
        baseline: what the winner must beat, a Recipe or ``"sgd lr=0.1 momentum=0.9"``; AdamW at 1e-3 by default.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or ``auto``: cuda, else mps, else cpu.
        storage: path or URL of the database; ``None`` keeps everything in memory.
        study: name of the study; the task's by default.
        new: start a new study even if there is one of that name; it gets a number behind its name.
        stacked: train several runs of the search in one pass: ``auto`` where they compute the same and a try shows
            that they are faster, ``always`` where they compute the same. Runs that confirm are trained by themselves.
        checkpoints: folder in which it is written down where runs stand, so that a study that is killed trains on from
            there; beside a SQLite file by default, ``none`` for no such folder.
        checkpoint_limit: gigabytes that they may take, 2 by default; the least promising go first.
        workers: processes that train side by side, each with one thread: a number, or ``auto`` for one a core, fewer
            where memory is short. With the device ``auto`` each gets a card, in turn. It needs a storage and a task
            that other processes can load. (A ``Team`` is for these processes themselves.)
        isolate: train in processes of their own only, so that code that crashes, hangs or leaks costs its run alone.
        memory_limit, run_timeout: gigabytes that such a process may hold, and seconds that an epoch of a run may take.
        watch, callbacks: called with a ``Progress`` at every step; ``autoopt.ProgressBar()`` draws it.

    Raises:
        UsageError: something that the caller can mend.
        StudyFailed: every run failed.
        KeyboardInterrupt: interrupted before anything could be recommended.

    >>> import torch
    >>> X, y = torch.randn(64, 4), torch.randint(2, (64,))
    >>> recommendation = tune(model=lambda: torch.nn.Linear(4, 2), train=(X, y), epochs=1, budget=2)
    >>> recommendation.recipe.optimizer in ("sgd", "adam", "adamw", "nadam", "radam", "rmsprop", "adagrad", "adadelta")
    True
    """
    told = {"checkpoints": checkpoints, "checkpoint_limit": checkpoint_limit}
    team = make_team(workers, isolate=isolate, memory_limit=memory_limit, run_timeout=run_timeout,
                     storage=storage, device=device, more=told)  # fmt: skip
    device = team.devices[0]
    names, own = read_optimizers(optimizers, optimizers_from)
    options = Options(seed, metric, names, spell_out(schedules, SCHEDULES),
                      dict(fixed or {}), tune_batch_size, tune_clip, decay_all, epochs, batch_size, own,
                      precision, accumulate, stacked, objective, target)  # fmt: skip
    wanted = Wanted(options, Budget(budget, timeout, trials, seeds),
                    parse_recipe(baseline, own) if isinstance(baseline, str) else baseline,
                    storage, study, new, join_watchers(watch, callbacks), checkpoints, checkpoint_limit,
                    team)  # fmt: skip
    task = given_task(
        task, {"model": model, "train": train, "valid": valid, "test": test, "loss": loss}, options
    )
    where = choose_device(device)
    check_precision(precision, where)
    if callable(task) and not isinstance(task, Task):
        if precision is not None or accumulate is not None:
            raise UsageError("precision and accumulate are for tasks: a loop of your own does both itself")
        with OwnLoop(task, Terms(epochs, batch_size, metric, direction, where)) as loop:
            return loop.lead(lambda: _hold(loop.subject(), wanted))
    if direction is not None:
        raise UsageError(
            f"direction={direction!r} is for a loop of your own; a task says it with metric_direction"
        )
    return _hold_task(task, wanted, device)


@dataclass(frozen=True)
class Wanted:
    """What the caller wants of a study, beside what it trains; see ``tune``."""

    options: Options
    allowance: Budget
    baseline: Recipe | None
    storage: str | None
    study: str | None
    new: bool
    watch: Watcher | None
    checkpoints: str | None = None
    checkpoint_limit: float | None = None
    team: Team = field(default_factory=Team)


def _hold_task(task: str | Path | Task, wanted: Wanted, device: str) -> Recommendation:
    """Load a task and hold a sitting, with data that helpers need not load."""
    team, told = wanted.team, wanted.options
    if not isinstance(task, Task):
        task = load_as_helper(team.serves, task, metric=told.metric, seed=told.seed, epochs=told.epochs,
                              batch_size=told.batch_size)  # fmt: skip
    task = replace(
        task, precision=told.precision or task.precision, accumulate=told.accumulate or task.accumulate
    )
    with hand_out(task, wanted=team.helpers > 0) as handed:
        task, where = handed.task, device_for(handed.task, device)
        subject = task_subject(task, where, trained=handed.held)
        team = replace(team, data=handed.descriptor)
        if team.is_auto:
            team = fit_memory(team, handed.held or task, complete_baseline(wanted.baseline, subject), where)
        return _hold(subject, replace(wanted, team=team))


def _hold(subject: Subject, wanted: Wanted) -> Recommendation:
    """Open the study and hold a sitting."""
    sweep()
    subject = aimed(subject, wanted.options.target)
    limits = subject.limits
    names = spell_out(wanted.options.optimizers, OPTIMIZERS, lambda entry: misfit(entry, **limits) is None)
    options = replace(wanted.options, optimizers=names)
    rival = complete_baseline(wanted.baseline, subject)
    check_source(wanted.team, subject)
    study_space(subject, options)  # what is wrong with the options shows before anything is written
    with Store.open(storage_url(wanted.storage) if wanted.storage is not None else MEMORY) as store:
        name, planned = open_study(store, wanted.study or subject.name, subject, options, rival,
                                   given=wanted.baseline, new=wanted.new)  # fmt: skip
        checkpoints = open_checkpoints(wanted.checkpoints, wanted.checkpoint_limit, store, name, subject)
        if subject.start_by is not None:
            subject = replace(subject, start=subject.start_by(planned.plan, checkpoints))
        rows = 1 if planned.plan is None else planned.plan.rows
        work = Work(store, name, subject, options, rival, wanted.allowance, wanted.watch, checkpoints, rows,
                    planned.costs, wanted.team)  # fmt: skip
        return hold(work)


def resume(study: str, budget: float = 30, *, storage: str, **changes: Any) -> Recommendation:
    """Carry on a study by its name, with the task and the options that it was started with.

    Args:
        budget: as for ``tune``; more than before extends the search.
        changes: arguments of ``tune`` that don't make it another study: timeout, trials, seeds, device, watch …

    Raises:
        StorageError: there is no such study.
        StudyMismatch: its task has changed since.

    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> code = "import torch; model = lambda: torch.nn.Linear(2, 1); train_data = torch.rand(40, 2), torch.rand(40, 1)"
    >>> _ = (folder / "small.py").write_text(code)
    >>> _ = tune(folder / "small.py", epochs=1, budget=2, storage=f"{folder}/studies.db")
    >>> resume("small", budget=3, storage=f"{folder}/studies.db").study
    'small'
    """
    with Store.open(storage, readonly=True) as store:
        record = store.study(study)
        if record is None:
            names = [summary.study.name for summary in store.studies()]
            raise StudyMismatch(
                unknown_name("study", study, names) if names else f"there is no study {study!r} yet"
            )
    if not record.source:
        raise UsageError(f"study {study!r} was started from Python objects: call tune() with its task again")
    options = kept_options(record.options)
    if (baseline := record.options.get("baseline")) is not None:
        options["baseline"] = Recipe.from_dict(baseline)
    options["optimizers_from"] = [reopen_entry(data) for data in options.get("optimizers_from", ())]
    return tune(
        read_source(record.source) or record.source,
        budget,
        storage=storage,
        study=study,
        **{**options, **changes},
    )


def help_study(order: Order) -> None:
    """Train for a study that another process leads, until that ends.

    Raises:
        Stop: it has ended.
    """
    resume(order.study, storage=order.storage, workers=Team(serves=order), **order.more)
