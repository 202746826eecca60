"""The commands that train: ``tune`` and ``resume``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoopt.cli import display, steps
from autoopt.cli.durations import parse_seconds
from autoopt.cli.exits import STOPPED_EARLY
from autoopt.cli.files import check_writable
from autoopt.cli.interrupts import CtrlC
from autoopt.cli.options import (
    DEFAULT_STORAGE,
    SEARCH_PANEL,
    STUDY_PANEL,
    TASK_PANEL,
    Accumulate,
    Budget,
    CheckpointLimit,
    Checkpoints,
    Device,
    Isolate,
    JsonFile,
    MemoryLimit,
    Metric,
    Objective,
    OptimizersFrom,
    OptionalTask,
    Precision,
    Quiet,
    RunTimeout,
    ScriptArguments,
    ScriptFile,
    ScriptOutput,
    Seeds,
    Stacked,
    Storage,
    Target,
    Timeout,
    Trials,
    Workers,
    split_names,
)
from autoopt.cli.plain import without_password
from autoopt.errors import UsageError

if TYPE_CHECKING:
    from autoopt.loops.script import Script
    from autoopt.progress import Watcher
    from autoopt.verdict.recommendation import Recommendation


def tune_task(
    task: OptionalTask = None,
    arguments: ScriptArguments = None,
    script: ScriptFile = None,
    script_output: ScriptOutput = None,
    budget: Budget = 30,
    timeout: Timeout = None,
    trials: Trials = None,
    optimizers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="Try only these, or all; see 'autoopt optimizers'.",
            rich_help_panel=SEARCH_PANEL,
        ),
    ] = None,
    optimizer_from: OptimizersFrom = None,
    schedules: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="Try only these, or all; see 'autoopt schedules'.",
            rich_help_panel=SEARCH_PANEL,
        ),
    ] = None,
    fix: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="Don't search this setting; repeatable.", rich_help_panel=SEARCH_PANEL
        ),
    ] = None,
    tune_batch_size: Annotated[
        bool,
        typer.Option("--tune-batch-size", help="Search the batch size too.", rich_help_panel=SEARCH_PANEL),
    ] = False,
    tune_clip: Annotated[
        bool,
        typer.Option(
            "--tune-clip",
            help="Search gradient clipping too, by norm and by value.",
            rich_help_panel=SEARCH_PANEL,
        ),
    ] = False,
    decay_all: Annotated[
        bool,
        typer.Option(
            "--decay-all", help="Let weight decay act on biases and norms too.", rich_help_panel=SEARCH_PANEL
        ),
    ] = False,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="RECIPE",
            help="What the result must beat, such as 'sgd lr=0.1 momentum=0.9'; AdamW at 1e-3 if left out.",
            rich_help_panel=SEARCH_PANEL,
        ),
    ] = None,
    seeds: Seeds = None,
    seed: Annotated[
        int,
        typer.Option(
            help="Of everything random: the same seed, the same result.", rich_help_panel=SEARCH_PANEL
        ),
    ] = 0,
    metric: Metric = None,
    objective: Objective = "score",
    target: Target = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Instead of the task's own.", rich_help_panel=TASK_PANEL)
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", help="Instead of the task's own.", rich_help_panel=TASK_PANEL)
    ] = None,
    precision: Precision = None,
    accumulate: Accumulate = None,
    device: Device = "auto",
    stacked: Stacked = "never",
    storage: Storage = DEFAULT_STORAGE,
    workers: Workers = "1",
    isolate: Isolate = False,
    memory_limit: MemoryLimit = None,
    run_timeout: RunTimeout = None,
    checkpoints: Checkpoints = None,
    checkpoint_limit: CheckpointLimit = None,
    study: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Name of the study; the task's if left out.", rich_help_panel=STUDY_PANEL
        ),
    ] = None,
    new: Annotated[
        bool,
        typer.Option("--new", help="Start afresh, beside a study of that name.", rich_help_panel=STUDY_PANEL),
    ] = False,
    quiet: Quiet = False,
    json: JsonFile = None,
) -> None:
    """Search, confirm on fresh seeds, and recommend how to train your model.

    A study that exists is carried on. Ctrl-C stops, keeps everything and recommends from what there is.

    \b
    Examples
      autoopt tune task.py
      autoopt tune task.py --budget 60 --timeout 2h
      autoopt tune task.py --optimizers sgd,adamw --fix weight_decay=0
      autoopt tune task.py --optimizer-from 'lions.py:MyLion lr=1e-5..1e-2'
      autoopt tune task.py --optimizers adam --fix batch_size=whole
      autoopt tune task.py --metric accuracy --baseline 'sgd lr=0.1 momentum=0.9'
      autoopt tune task.py --objective time-to-target --target 0.3
      autoopt tune task.py --precision bf16 --batch-size 16 --accumulate 4
      autoopt tune task.py --workers auto --isolate --memory-limit 4
      autoopt tune task.py --quiet --json - | jq .recommendation
      autoopt tune --script train.py -- --data mnist
    """

    def work(watch: Watcher) -> Recommendation:
        from autoopt.space.written import parse_fixed
        from autoopt.tuning import tune

        trained = _trained(task, arguments, script, script_output)
        return tune(
            trained, budget, timeout=_seconds(timeout), trials=trials, seeds=seeds, seed=seed, metric=metric,
            objective=objective, target=target,
            optimizers=split_names(optimizers), optimizers_from=optimizer_from or (),
            schedules=split_names(schedules),
            fixed=parse_fixed(fix or ()), tune_batch_size=tune_batch_size, tune_clip=tune_clip,
            decay_all=decay_all, epochs=epochs, batch_size=batch_size, baseline=baseline,
            precision=precision, accumulate=accumulate,
            device=device, storage=storage, study=study, new=new, stacked=stacked,
            checkpoints=checkpoints, checkpoint_limit=checkpoint_limit, watch=watch,
            workers=workers, isolate=isolate, memory_limit=memory_limit, run_timeout=_seconds(run_timeout),
        )  # fmt: skip

    _show_work(work, storage=storage, budget=budget, quiet=quiet, json_file=json)


def resume_study(
    study: Annotated[
        str, typer.Argument(metavar="STUDY|FILE", help="Name of a study, or the file of its task.")
    ],
    budget: Budget = 30,
    timeout: Timeout = None,
    trials: Trials = None,
    seeds: Seeds = None,
    device: Device = "auto",
    storage: Storage = DEFAULT_STORAGE,
    workers: Workers = "1",
    isolate: Isolate = False,
    memory_limit: MemoryLimit = None,
    run_timeout: RunTimeout = None,
    checkpoints: Checkpoints = None,
    checkpoint_limit: CheckpointLimit = None,
    quiet: Quiet = False,
    json: JsonFile = None,
) -> None:
    """Carry on a study, with the task and options it was started with.

    What was trained is not trained again. A larger budget extends the search, more seeds the confirmation.

    \b
    Examples
      autoopt resume digits_mlp
      autoopt resume digits_mlp --budget 60 --seeds 5
      autoopt resume studies/digits_mlp.py
    """

    def work(watch: Watcher) -> Recommendation:
        from autoopt.tuning import resume

        name = _study_of_file(study, storage) if Path(study).is_file() else study
        changes: dict[str, Any] = {"timeout": _seconds(timeout), "trials": trials, "seeds": seeds,
                                   "checkpoints": checkpoints, "checkpoint_limit": checkpoint_limit, "workers": workers,
                                   "isolate": isolate, "memory_limit": memory_limit,
                                   "run_timeout": _seconds(run_timeout)}  # fmt: skip
        return resume(name, budget, storage=storage, device=device, watch=watch, **changes)

    _show_work(work, storage=storage, budget=budget, quiet=quiet, json_file=json)


def _show_work(
    work: Callable[[Watcher], Recommendation],
    *,
    storage: str,
    budget: float,
    quiet: bool,
    json_file: str | None,
) -> None:
    """Show a study while it runs, then its result; end with status 130 if it was interrupted, 3 if its time was up."""
    to_stdout = json_file == "-"
    if json_file is not None and not to_stdout:
        check_writable(Path(json_file))
    watching, ctrl_c = display.Watching(quiet=quiet), CtrlC()
    try:
        with display.stdout_kept_for_answer(to_stdout), watching, ctrl_c:
            recommendation = work(ctrl_c.checked(watching))
    except KeyboardInterrupt:
        display.say(steps.carry_on(watching.study, storage, budget), stderr=True)
        raise typer.Exit(ctrl_c.status) from None
    if to_stdout:
        display.say_json(recommendation.to_dict())
    elif json_file is not None:
        recommendation.save(json_file)
    if not (quiet and to_stdout):
        display.say_result(recommendation, storage, budget=budget, brief=quiet, stderr=to_stdout)
    if recommendation.interrupted or recommendation.cut_short:
        raise typer.Exit(ctrl_c.status if recommendation.interrupted else STOPPED_EARLY)


def _trained(
    task: str | None, arguments: list[str] | None, script: str | None, output: str | None
) -> str | Script:
    """Return what to train; with a script, the task is its first argument."""
    if script is not None:
        from autoopt.loops.script import Script

        return Script(script, (*([] if task is None else [task]), *(arguments or [])), output)
    if task is None:
        raise UsageError("name a task, such as task.py, which 'autoopt init' writes, or --script FILE")
    if arguments:
        raise UsageError(f"one task at a time: {task!r}, and not {arguments[0]!r} as well")
    return task


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_seconds(text)


def _study_of_file(file: str, storage: str) -> str:
    """Return the name of the study of this task file that was saved to last.

    Raises:
        UsageError: the storage holds no study of this file.
    """
    from autoopt.records.store import Store

    path = Path(file).resolve()
    with Store.open(storage, readonly=True) as store:
        for summary in store.studies():
            if Path(summary.study.source).resolve() == path:
                return summary.study.name
    raise UsageError(
        f"there is no study of {file} in {without_password(storage)} yet: begin with 'autoopt tune {file}'"
    )
