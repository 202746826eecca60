"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT_STORAGE = "autoopt.db"

TASK_PANEL, SEARCH_PANEL, STUDY_PANEL, OUTPUT_PANEL = "The task", "The search", "The study", "The output"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

Storage = Annotated[
    str,
    typer.Option(
        envvar="AUTOOPT_STORAGE",
        metavar="PATH|URL",
        help="Database with all studies: a SQLite file, or a PostgreSQL URL.",
        rich_help_panel=STUDY_PANEL,
    ),
]

TaskSource = Annotated[
    str, typer.Argument(metavar="TASK", help="Python file with your model and data, or package.module.")
]

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

OptionalTask = Annotated[
    str | None,
    typer.Argument(metavar="[TASK]", help="Python file with your model and data, or package.module."),
]
ScriptArguments = Annotated[
    list[str] | None, typer.Argument(metavar="[-- ARGUMENTS]", help="With --script: what it is called with.")
]

StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="Name of a study; 'autoopt studies' lists them.")
]


OptimizersFrom = Annotated[
    list[str] | None,
    typer.Option(
        "--optimizer-from",
        metavar="CLASS",
        help="Try an optimizer of your own too, 'package.module:Class' or 'file.py:Class', with ranges if you "
        "like: 'lions.py:MyLion lr=1e-5..1e-2 weight_decay=1e-3..1'; repeatable.",
        rich_help_panel=SEARCH_PANEL,
    ),
]

Precision = Annotated[
    str | None,
    typer.Option(
        help="Compute in bf16 or fp16 where that is safe (autocast); float32 if left out.",
        rich_help_panel=TASK_PANEL,
    ),
]

Stacked = Annotated[
    str,
    typer.Option(
        metavar="never|auto|always",
        help="Train several runs of the search in one pass: always, or where a try shows that it is faster.",
        rich_help_panel=SEARCH_PANEL,
    ),
]
Accumulate = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Add up the gradients of N batches for each step, where memory is short.",
        rich_help_panel=TASK_PANEL,
    ),
]
Checkpoints = Annotated[
    str | None,
    typer.Option(
        envvar="AUTOOPT_CHECKPOINTS",
        metavar="FOLDER|none",
        help="Where to write down how far runs are, so that a killed study goes on from there; beside the database if "
        "left out.",
        rich_help_panel=STUDY_PANEL,
    ),
]
CheckpointLimit = Annotated[
    float | None,
    typer.Option(
        envvar="AUTOOPT_CHECKPOINT_LIMIT",
        metavar="GB",
        help="Space that these files may take, 2 if left out.",
        rich_help_panel=STUDY_PANEL,
    ),
]

Metric = Annotated[
    str | None,
    typer.Option(help="Search for this instead of the validation loss.", rich_help_panel=TASK_PANEL),
]
Objective = Annotated[
    str,
    typer.Option(
        metavar="score|time-to-target",
        help="What is improved: the validation score, or the seconds of training until it first reaches --target. "
        "Seconds are noisy on a busy machine, and several workers disturb each other's.",
        rich_help_panel=TASK_PANEL,
    ),
]
Target = Annotated[
    float | None,
    typer.Option(
        metavar="VALUE",
        help="With --objective time-to-target: the validation loss, or the value of --metric, to reach.",
        rich_help_panel=TASK_PANEL,
    ),
]


ScriptFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="A program of your own that trains by autoopt.current_trial(), in place of a task; after -- come "
        "its arguments.",
        rich_help_panel=TASK_PANEL,
    ),
]
ScriptOutput = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="Keep what the script prints, a file for each run.",
        rich_help_panel=TASK_PANEL,
    ),
]
Workers = Annotated[
    str,
    typer.Option(
        metavar="N|auto",
        help="Train in so many processes side by side, one thread each; auto: one a core, as far as memory goes.",
        rich_help_panel=STUDY_PANEL,
    ),
]
Isolate = Annotated[
    bool,
    typer.Option(
        "--isolate",
        help="Train in processes of their own: what crashes, hangs or leaks costs its run alone.",
        rich_help_panel=STUDY_PANEL,
    ),
]
MemoryLimit = Annotated[
    float | None,
    typer.Option(
        metavar="GB",
        help="With --isolate: end a process that holds more memory.",
        rich_help_panel=STUDY_PANEL,
    ),
]
RunTimeout = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="With --isolate: end an epoch that takes longer than 90s, 10m …",
        rich_help_panel=STUDY_PANEL,
    ),
]


def split_names(texts: list[str] | None) -> list[str] | None:
    """Read names given as ``a,b``, in one option or several; ``None`` if none were given."""
    if not texts:
        return None
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]
