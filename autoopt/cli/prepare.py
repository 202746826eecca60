"""The commands before a study: ``init``, ``check`` and ``suggest``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoopt.cli import display
from autoopt.cli.options import (
    DEFAULT_STORAGE,
    STUDY_PANEL,
    TASK_PANEL,
    Accumulate,
    AsJson,
    Metric,
    OptimizersFrom,
    Precision,
    Storage,
    TaskSource,
    split_names,
)
from autoopt.cli.probing import check_study, keep_probes, probe_rates, say_probes, tell_gradients
from autoopt.cli.speed import check_speed
from autoopt.errors import UsageError

if TYPE_CHECKING:
    from autoopt.guidance.guide import Advice, Reason
    from autoopt.tasks.samples import Samples
    from autoopt.tasks.task import Task


def write_template(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")] = Path("task.py"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a commented task to fill in; it runs as it is, on data that it makes.

    \b
    Examples
      autoopt init
      autoopt init cifar.py
    """
    if file.exists() and not force:
        raise UsageError(f"{str(file)!r} exists: give another name, or --force to replace it")
    template = (files("autoopt.cli") / "task_template.py.txt").read_text(encoding="utf-8")
    try:
        file.write_text(template, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {str(file)!r}: {error.strerror}") from error
    display.say(f"wrote {file}: put your model and data in it, then")
    display.say_command(f"autoopt check {shlex.quote(str(file))}")
    display.say_command(f"autoopt tune {shlex.quote(str(file))}")


def check_task(
    tasks: Annotated[
        list[str],
        typer.Argument(metavar="TASK…", help="Python files with your model and data, or package.module."),
    ],
    metric: Metric = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=TASK_PANEL)
    ] = "auto",
    optimizer_from: OptimizersFrom = None,
    speed: Annotated[
        bool,
        typer.Option("--speed", help="Show instead how fast runs would be, and what memory one takes."),
    ] = False,
    optimizers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B", help="With --speed: time these too, and show what a budget is charged for them."
        ),
    ] = None,
    precision: Precision = None,
    accumulate: Accumulate = None,
    json: AsJson = False,
) -> None:
    """Load a task, train and evaluate one batch, and show what was found and inferred.

    An optimizer of your own trains one batch as well. --speed trains some dozen batches with AdamW, and with what
    --optimizers and --optimizer-from name.

    \b
    Examples
      autoopt check task.py
      autoopt check mypackage.tasks.cifar --device cuda
      autoopt check task.py --optimizer-from lions.py:MyLion
      autoopt check --speed task.py other.py
      autoopt check --speed task.py --precision bf16
      autoopt check --speed task.py --optimizers muon,soap
    """
    changes = _changes(precision, accumulate)
    if speed:
        check_speed(tasks, metric, device, changes, split_names(optimizers), optimizer_from, json=json)
        return
    if optimizers:
        raise UsageError("--optimizers says what --speed times: add --speed")
    found = [_check(task, metric, device, optimizer_from, changes, json=json) for task in tasks]
    if json:
        display.say_json(found[0] if len(found) == 1 else found)
        return
    display.say("\nall is well; next")
    for task in tasks:
        display.say_command(f"autoopt tune {shlex.quote(task)}")


def _changes(precision: str | None, accumulate: int | None) -> dict[str, Any]:
    given = {"precision": precision, "accumulate": accumulate}
    return {name: value for name, value in given.items() if value is not None}


def _check(
    task: str, metric: str | None, device: str, optimizer_from: list[str] | None, changes: dict[str, Any],
    *, json: bool,
) -> dict[str, Any]:  # fmt: skip
    """Check one task, print what was found unless it is wanted as JSON, and return it."""
    with display.stdout_kept_for_answer(json):
        from autoopt.cli.rehearsal import rehearse
        from autoopt.guidance.guide import own_recipe
        from autoopt.options import Options, study_space
        from autoopt.subject import task_subject
        from autoopt.tasks.load import load_task
        from autoopt.tasks.profile import profile_task
        from autoopt.training.device import choose_device, device_for
        from autoopt.training.own_entry import read_optimizers
        from autoopt.training.precision import check_precision

        _, own = read_optimizers(None, optimizer_from or ())
        check_precision(changes.get("precision"), choose_device(device))
        loaded = replace(load_task(task, metric=metric), **changes)
        where = device_for(loaded, device)
        study_space(
            task_subject(loaded), Options(optimizers_from=own)
        )  # what does not fit the task shows here
        report = rehearse(loaded, where)
        mine = {entry.name: own_recipe(entry, sparse=loaded.sparse_gradients) for entry in own}
        losses = {name: rehearse(loaded, where, recipe).valid_loss for name, recipe in mine.items()}
        facts = {
            **_facts(loaded), "model": str(profile_task(loaded)), "device": where,
            "first_batch": {name: getattr(report, name) for name in ("train_loss", "valid_loss", "score")},
        }  # fmt: skip
    if json:
        return {**facts, "optimizers_from": losses} if own else facts
    seen = {"training loss": report.train_loss, "validation loss": report.valid_loss}
    if loaded.objective != "loss":
        seen[loaded.objective] = report.score
    first = ", ".join(f"{name} {value:.4g}" for name, value in seen.items())
    rows = [
        (name.replace("_", " "), str(value))
        for name, value in facts.items()
        if name not in ("notes", "first_batch")
    ]
    rows += [("first batch", first)]
    rows += [(name, f"validation loss {losses[name]:.4g} after a batch with {mine[name]}") for name in mine]
    display.say_rows(("what", "found"), rows)
    for note in loaded.notes:
        display.say(f"· {note}")
    return facts


def suggest_recipes(
    task: TaskSource,
    optimizers: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Suggest only these; see 'autoopt optimizers'.")
    ] = None,
    optimizer_from: OptimizersFrom = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Test each recipe's learning rate in a few dozen steps: seconds.")
    ] = False,
    device: Annotated[
        str, typer.Option(help="Where to probe: auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=TASK_PANEL)
    ] = "auto",
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="STUDY",
            help="Keep what --probe measured with this study, for the dashboard.",
            rich_help_panel=STUDY_PANEL,
        ),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: AsJson = False,
) -> None:
    """Say which recipes to try on a task and why, without training.

    Puts a few batches through fresh models to see what kind of task it is; --probe trains each recipe for a few
    dozen steps at a rising learning rate, to see where it breaks.

    \b
    Examples
      autoopt suggest task.py
      autoopt suggest task.py --probe
      autoopt suggest task.py --probe --keep digits_mlp
      autoopt suggest task.py --optimizers sgd,adamw --json
    """
    if keep is not None and not probe:
        raise UsageError("--keep is for what --probe measures: add --probe")
    with display.stdout_kept_for_answer(json):
        from autoopt.guidance.guide import guide
        from autoopt.subject import total_steps
        from autoopt.tasks.gradient_noise import measure_gradients
        from autoopt.tasks.load import load_task
        from autoopt.tasks.profile import profile_task
        from autoopt.training.own_entry import read_optimizers

        _, own = read_optimizers(None, optimizer_from or ())
        loaded = load_task(task)
        gradients = measure_gradients(loaded)
        profile = profile_task(loaded, gradients)
        guidance = guide(profile, split_names(optimizers), own, total_steps(loaded))
        advice = guidance.advice
        recipes = [each.recipe for each in advice if probe and not each.baseline]
        if keep is not None:
            check_study(keep, storage)  # before the probe takes its seconds
        probed = probe_rates(loaded, recipes, device, careful=profile.pretrained)
        if keep is not None:
            keep_probes(probed, keep, storage)
    if json:
        display.say_json({
            "task": task, "model": str(profile), "profile": vars(profile),
            "gradients": None if gradients is None else vars(gradients),
            "advice": [each.to_dict() for each in advice],
            "effects": [asdict(effect) for effect in guidance.effects],
            "practices": [{"says": reason.says, "source": reason.source} for reason in guidance.practices],
            "probe": [each.to_dict() for each in probed],
        })  # fmt: skip
        return
    display.say(str(profile))
    if gradients is not None:
        display.say(tell_gradients(gradients, loaded))
    display.say("")
    said: set[str] = set()
    for number, each in enumerate(advice, 1):
        display.say_advice(str(each.recipe), _place(each, number), _reasons(each.why), each.cautions, said)
    if probed:
        say_probes(probed)
    display.say_heading("Tune in this order", "what published runs gained or lost")
    for number, effect in enumerate(guidance.effects, 1):
        figures = "; ".join(f"{figure.says} ({figure.source})" for figure in effect.figures)
        display.say(f"{number}. {effect.name}: {figures}")
    display.say("")
    if guidance.practices:
        display.say_heading("On tasks like this one")
        for line in _reasons(guidance.practices):
            display.say(f"· {line}")
        display.say("")
    display.say_heading("Sources")
    reasons = [reason for each in advice for reason in each.why]
    measured = [figure.source for effect in guidance.effects for figure in effect.figures]
    display.say_sources([reason.source for reason in (*reasons, *guidance.practices)] + measured)


def _facts(task: Task) -> dict[str, Any]:
    return {
        "task": task.name, "source": task.source,
        "training": _rows(task.train), "validation": _rows(task.valid),
        "test": "none" if task.test is None else _rows(task.test), "epochs": task.epochs,
        "batch_size": task.train.fixed_batch_size or task.batch_size,
        "steps_per_epoch": task.train.steps_per_epoch(task.batch_size, drop_single=task.has_batch_norm),
        "loss": task.loss_name, "objective": task.objective, "direction": task.direction,
        "notes": list(task.notes),
    }  # fmt: skip


def _rows(samples: Samples) -> str:
    return "a stream" if samples.rows is None else f"{samples.rows} rows"


def _place(advice: Advice, number: int) -> str:
    return "to compare with" if advice.baseline else f"{number}."


def _reasons(reasons: Iterable[Reason]) -> list[str]:
    return [f"{reason.says} ({reason.source})" for reason in reasons]
