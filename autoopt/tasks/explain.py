"""Errors of the user's code, told in one line with the place in the user's file."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from autoopt.errors import AutooptError, TaskError

_OWN = Path(__file__).resolve().parent.parent
_STANDARD = Path(sysconfig.get_paths()["stdlib"]).resolve()
_LONGEST = 300

MEMORY_ADVICE = (
    "the memory is too small for a batch: take half the batch size and --accumulate 2, which makes the same steps, or "
    "--precision bf16"
)
MODEL_ADVICE = "the memory is too small for the model: make it smaller, or take a --device with more"


def describe_error(error: BaseException) -> str:
    """Return ``Type: message (file.py, line N)``, N being the deepest line of the user's own code.

    >>> describe_error(ValueError("no rows"))
    'ValueError: no rows'
    """
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{type(error).__name__}: {error.msg} ({Path(error.filename or '').name}, line {error.lineno})"
    try:
        text = " ".join(str(error).split())
    except Exception:  # the user's own exceptions may fail to say what they are
        text = ""
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    place = user_line(error)
    named = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"{named} ({place})" if place else named


def user_line(error: BaseException) -> str:
    """Return ``file.py, line N`` of the deepest frame outside of libraries, or an empty string."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not is_library(frame.filename):
            return f"{Path(frame.filename).name}, line {frame.lineno}"
    return ""


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what the user's code raises into a TaskError that says what was being done, and where it failed.

    KeyboardInterrupt passes; so do autoopt's own errors. SystemExit counts as a failure. Where memory ran out it says
    what needs less.
    """
    try:
        yield
    except AutooptError:
        raise
    except (Exception, SystemExit) as error:
        advice = MODEL_ADVICE if doing == "model()" else MEMORY_ADVICE
        told = f"; {advice}" if is_out_of_memory(error) else ""
        raise TaskError(f"{doing}: {describe_error(error)}{told}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the machine or the device had no memory left."""
    return any(
        isinstance(each, MemoryError | torch.OutOfMemoryError)
        # on the processor torch has no error of its own for it
        or (isinstance(each, RuntimeError) and "can't allocate memory" in str(each))
        for each in (error, error.__cause__)
    )


def is_library(filename: str) -> bool:
    """Return whether a file is part of Python, of an installed library or of autoopt, and not the user's."""
    if filename.startswith("<"):
        return True
    path = Path(filename)
    if {"site-packages", "dist-packages"} & set(path.parts):
        return True
    return path.is_relative_to(_OWN) or path.is_relative_to(_STANDARD)
