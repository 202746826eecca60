"""How a command ends: every error becomes one message and one exit status, here and nowhere else.

====== ==================================================================
status meaning
====== ==================================================================
0      done
1      it failed: every run failed, the output could not be written (a
       reader such as ``head`` may have gone away), or something unexpected
2      it was called wrongly: the message says what to write instead
3      its time was up before the confirmation was done: the answer is there, and
       less sure than was planned
130    interrupted with Ctrl-C; what was found until then is kept
143    the same by SIGTERM
====== ==================================================================
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from autoopt.errors import AutooptError, UsageError

DONE, FAILED, MISUSED, STOPPED_EARLY, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143
DEBUG = "--debug"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_NEEDED = ("torch", "numpy", "optuna", "sqlalchemy", "sklearn", "scipy", "torchmetrics", "yaml", "tqdm")


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; only ``--debug`` lets an exception out as traceback.

    ``--debug`` is taken wherever it stands, so that it can be put after a command that has just failed.
    """
    from typer.main import get_command

    from autoopt.cli import display
    from autoopt.cli.app import app
    from autoopt.cli.plain import hide, passwords_in, prepare_streams

    prepare_streams()
    try:
        _check_folder()
        with display.own_warnings():
            get_command(app)(args=[a for a in arguments if a != DEBUG], prog_name="autoopt")
    except SystemExit as end:
        return _status_of_exit(end)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:  # the user's code may raise what is no Exception
        secrets = passwords_in([*arguments, os.environ.get("AUTOOPT_STORAGE", "")])
        if DEBUG in arguments:
            display.show_traceback(secrets)
        else:
            display.complain(hide(_message(error), secrets))
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            _drop_output()
        return status_of(error)
    return DONE


def _drop_output() -> None:
    """Let go of what could not be written; Python would try again at its end, and end with a status of its own."""
    out = sys.__stdout__
    if out is not None and sys.stdout is out:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def _check_folder() -> None:
    """Refuse to work in a folder that was deleted, where some of torch's libraries end the process."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise UsageError("the current folder was deleted: change to one that exists") from error


def status_of(error: BaseException) -> int:
    """Return the exit status that an error stands for."""
    return MISUSED if isinstance(error, UsageError) else FAILED


def _message(error: BaseException) -> str:
    """Say what went wrong in the words of the error, or for an unexpected one how to see more."""
    if isinstance(error, AutooptError):
        return str(error)
    if isinstance(error, OSError) and error.filename is None and error.errno in _NO_ROOM:
        return f"cannot write the output ({error.strerror}): free some space, or send it elsewhere"
    if isinstance(error, ModuleNotFoundError) and error.name in _NEEDED:
        return f"{error.name} is missing, without which autoopt cannot work: pip install --upgrade autoopt"
    first_line = (str(error).strip().splitlines() or [""])[0]
    kind = type(error).__name__
    what = f"{kind}: {first_line}" if first_line else kind
    return f"unexpected {what}\nThis should not happen. Add {DEBUG} to the command to see where it came from."


def _status_of_exit(end: SystemExit) -> int:
    if end.code is None:
        return DONE
    return end.code if isinstance(end.code, int) else FAILED
