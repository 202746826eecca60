"""The command with which helpers are started; nobody types it."""

from __future__ import annotations

import signal

import typer

from autoopt.errors import Stop, UsageError


def work_for_another() -> None:
    """Train for a study that another process leads, until that ends; started by ``tune --workers``."""
    import os

    from autoopt.sharing.crew import ORDER, Order, follow_lifeline
    from autoopt.tuning import help_study

    if ORDER not in os.environ:
        raise UsageError("'autoopt work' is for autoopt itself: write autoopt tune TASK --workers N")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    order = Order.received()
    follow_lifeline()
    try:
        help_study(order)
    except (KeyboardInterrupt, Stop):
        raise typer.Exit(0) from None
