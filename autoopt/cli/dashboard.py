"""The command ``dashboard``: the studies in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from autoopt.cli import display
from autoopt.cli.options import DEFAULT_STORAGE, Storage


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
