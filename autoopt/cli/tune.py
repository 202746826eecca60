"""The commands that train: ``tune`` and ``resume``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoopt.cli import display, steps
from autoopt.cli.durations import parse_seconds
from autoopt.cli.exits import INTERRUPTED
from autoopt.cli.interrupts import CtrlC
from autoopt.cli.options import (
    DEFAULT_STORAGE,
    OUTPUT_PANEL,
    SEARCH_PANEL,
    STUDY_PANEL,
    TASK_PANEL,
    Accumulate,
    OptimizersFrom,
    Precision,
    Stacked,
    Storage,
    TaskSource,
    split_names,
)
from autoopt.errors import UsageError

if TYPE_CHECKING:
    from autoopt.progress import Watcher
    from autoopt.verdict.recommendation import Recommendation

Budget = Annotated[
    float,
    typer.Option(
        metavar="RUNS",
        help="Compute to spend, search and confirmation together, in complete trainings of your task.",
        rich_help_panel=SEARCH_PANEL,
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Stop after 90s, 10m, 1h30m …", rich_help_panel=SEARCH_PANEL),
]
Trials = Annotated[
    int | None, typer.Option(metavar="N", help="Try at most N recipes.", rich_help_panel=SEARCH_PANEL)
]
Seeds = Annotated[
    int | None,
    typer.Option(metavar="N", help="Confirm on N fresh seeds, at least 3.", rich_help_panel=SEARCH_PANEL),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=TASK_PANEL)]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print the result only, in one line.", rich_help_panel=OUTPUT_PANEL),
]
JsonFile = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write the result as JSON too; '-' prints nothing but that.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]


def tune_task(
    task: TaskSource,
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
    metric: Annotated[
        str | None,
        typer.Option(help="Search for this instead of the validation loss.", rich_help_panel=TASK_PANEL),
    ] = None,
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
      autoopt tune task.py --optimizer-from 'lions.py:Lion lr=1e-5..1e-2'
      autoopt tune task.py --optimizers adam --fix batch_size=whole
      autoopt tune task.py --metric accuracy --baseline 'sgd lr=0.1 momentum=0.9'
      autoopt tune task.py --precision bf16 --batch-size 16 --accumulate 4
      autoopt tune task.py --quiet --json - | jq .recommendation
    """

    def work(watch: Watcher) -> Recommendation:
        from autoopt.space.written import parse_fixed
        from autoopt.tuning import tune

        return tune(
            task, budget, timeout=_seconds(timeout), trials=trials, seeds=seeds, seed=seed, metric=metric,
            optimizers=split_names(optimizers), optimizers_from=optimizer_from or (),
            schedules=split_names(schedules),
            fixed=parse_fixed(fix or ()), tune_batch_size=tune_batch_size, tune_clip=tune_clip,
            decay_all=decay_all, epochs=epochs, batch_size=batch_size, baseline=baseline,
            precision=precision, accumulate=accumulate,
            device=device, storage=storage, study=study, new=new, stacked=stacked,
            watch=watch,
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
        changes: dict[str, Any] = {"timeout": _seconds(timeout), "trials": trials, "seeds": seeds}
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
    """Show a study while it runs, then its result; end with status 130 when it was interrupted."""
    to_stdout = json_file == "-"
    if json_file is not None and not to_stdout:
        _check_writable(Path(json_file))
    watching = display.Watching(quiet=quiet)
    try:
        with display.stdout_kept_for_answer(to_stdout), watching, CtrlC() as ctrl_c:
            recommendation = work(ctrl_c.checked(watching))
    except KeyboardInterrupt:
        display.say(steps.carry_on(watching.study, storage, budget), stderr=True)
        raise typer.Exit(INTERRUPTED) from None
    if to_stdout:
        display.say_json(recommendation.to_dict())
    elif json_file is not None:
        recommendation.save(json_file)
    if not (quiet and to_stdout):
        display.say_result(recommendation, storage, budget=budget, brief=quiet, stderr=to_stdout)
    if recommendation.interrupted:
        raise typer.Exit(INTERRUPTED)


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_seconds(text)


def _check_writable(path: Path) -> None:
    """Refuse a result file that cannot be written before hours are spent on its content."""
    if path.is_dir():
        raise UsageError(f"--json {path} is a folder: name a file in it, such as {path / 'out.json'}")
    try:
        if path.exists() and not path.is_file():  # a pipe or a device
            path.open("a").close()
        else:
            with TemporaryFile(dir=path.resolve().parent):
                pass
    except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself
        raise UsageError(
            f"--json {path} cannot be written ({error}): name a file in a folder that exists and is writable"
        ) from error


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
    raise UsageError(f"there is no study of {file} in {storage} yet: begin with 'autoopt tune {file}'")
