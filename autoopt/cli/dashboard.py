"""The commands ``dashboard`` and ``report``: studies in a browser, and as a file for one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoopt.cli import display
from autoopt.cli.options import DEFAULT_STORAGE, Storage, StudyName
from autoopt.errors import UsageError


def open_dashboard(
    storage: Storage = DEFAULT_STORAGE,
    port: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=65535, help="By default the first free one from 8501."),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; other machines see it with 0.0.0.0.")
    ] = "127.0.0.1",
) -> None:
    """Show studies in a browser: the recommendation, how sure it is, and every run behind it.

    Prints the address and serves until Ctrl-C. Whoever can reach the address sees all studies of the database.

    \b
    Examples
      autoopt dashboard
      autoopt dashboard --storage results.db --port 9000
    """
    from autoopt.dashboard.server import LOOPBACK, check_installed, find_port, serve
    from autoopt.records.location import shown_url, storage_url
    from autoopt.records.store import Store

    check_installed()
    url = storage_url(storage)
    with Store.open(url, readonly=True) as store:
        count = len(store.studies())
    port = find_port(host, port)
    shown = f"[{host}]" if ":" in host else host
    studies = "1 study" if count == 1 else f"{count} studies"
    display.say_exactly(f"{studies} of {shown_url(url)}: http://{shown}:{port}  (Ctrl-C ends it)")
    if host != LOOPBACK:
        display.say("Note: other machines can reach it, without a password.", stderr=True)
    serve(url, host, port)


def write_report(
    study: StudyName,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")] = Path(
        "report.html"
    ),
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Write the answer of a study as one HTML file, which opens without a network and prints.

    \b
    Examples
      autoopt report digits_mlp
      autoopt report digits_mlp -o digits.html
    """
    from autoopt.dashboard.server import check_installed

    check_installed()
    from autoopt.dashboard import report
    from autoopt.records.overview import Overview
    from autoopt.records.store import Store

    with Store.open(storage, readonly=True) as store:
        text = report.write_report(Overview(store), study)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {str(output)!r}: {error.strerror}") from error
    display.say(f"wrote {output} ({len(text.encode()) / 2**20:.1f} MiB)")
