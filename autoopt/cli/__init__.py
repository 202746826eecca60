"""The command line: parses what was typed, calls the rooms below, prints what they return, decides nothing.

Only ``display`` prints. ``autoopt --help`` must answer at once, so torch, optuna and SQLAlchemy are imported
inside the commands that need them. May import every room; nobody imports this one.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that was typed and end the process with its exit status.

    Args:
        arguments: without the program's name; those of the process if left out.
    """
    # Idle OpenMP threads spin by default. When another process wants the core that they spin on, every small
    # training step waits for them, slower by orders of magnitude. Torch reads this when it is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    try:
        from autoopt.cli.exits import run

        status = run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # so early that nothing was begun
        status = 130
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: the status stays what it is
    sys.exit(status)
