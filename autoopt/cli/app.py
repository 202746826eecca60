"""The commands by name. Each group of them has its own module, which is short to import."""

from __future__ import annotations

from typing import Annotated

import typer

from autoopt import __version__
from autoopt.cli import audit, browse, dashboard, doctor, explain, listing, prepare, tune, work
from autoopt.cli.display import say_exactly

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # errors are told in exits.py
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        say_exactly(__version__)
        raise typer.Exit


@app.callback()
def autoopt(
    version: Annotated[  # acts through its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[  # taken out by exits.run, wherever it stands; here for --help
        bool, typer.Option("--debug", help="Show where an error comes from; goes anywhere on the line.")
    ] = False,
) -> None:
    """Pick the training optimizer for your own PyTorch model: searched, confirmed on fresh seeds, explained.

    \b
    Begin with
      autoopt init task.py     write a task to fill in
      autoopt tune task.py     find out how to train it
    """


WORK, LOOK, KNOW = "Find out", "Look at what was found", "What is known"

for name, command, panel in (
    ("init", prepare.write_template, WORK),
    ("check", prepare.check_task, WORK),
    ("tune", tune.tune_task, WORK),
    ("resume", tune.resume_study, WORK),
    ("studies", browse.list_studies, LOOK),
    ("show", browse.show_study, LOOK),
    ("audit", audit.audit_of_study, LOOK),
    ("export", browse.export_study, LOOK),
    ("dashboard", dashboard.open_dashboard, LOOK),
    ("report", dashboard.write_report, LOOK),
    ("suggest", prepare.suggest_recipes, KNOW),
    ("optimizers", listing.list_optimizers, KNOW),
    ("schedules", listing.list_schedules, KNOW),
    ("explain", explain.explain_entry, KNOW),
    ("doctor", doctor.examine, KNOW),
):
    app.command(name, rich_help_panel=panel)(command)
app.command("work", hidden=True)(work.work_for_another)
