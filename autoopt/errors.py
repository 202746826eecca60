"""Every exception and warning of autoopt, one tree.

::

    AutooptError
    ├── UsageError          something the caller can mend; the command line exits with status 2
    │   ├── TaskError       the task file, its model, data, loss or metric
    │   ├── LoopError       a training loop of the user's own: what it asks, when it reports, whether it stops
    │   ├── SpaceError      an optimizer, schedule, setting or recipe that does not exist or does not fit
    │   ├── BudgetError     a budget that cannot be spent
    │   ├── EstimatorError  arguments or data of an estimator; a ValueError too, as scikit-learn expects
    │   ├── GuidanceError   a rule, start recipe or citation that does not fit what exists
    │   └── StorageError    a database that cannot be opened, read or written, or is not ours
    │       ├── StudyMismatch   a study of that name belongs to another task or other options
    │       ├── StorageFault    the database cannot be used now: a full disk, a file that is gone
    │       └── LeaseLost       another process took over what this one was at
    └── StudyFailed         every run failed; carries the first cause; exit status 1
    Stop                    not an error: tells a training loop of the user's own that its run is over
    AutooptWarning          something worth knowing that stops nothing
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_LISTED = 40  # names in a message


class AutooptError(Exception):
    """Base of all errors that autoopt raises on purpose.

    >>> from autoopt.space.written import parse_recipe
    >>> try:
    ...     parse_recipe("adamv lr=0.1")
    ... except AutooptError as error:
    ...     print(str(error).partition('?')[0])
    unknown optimizer 'adamv': did you mean 'adam'
    """


class UsageError(AutooptError):
    """Something the caller can mend. The message says what was wrong, with which value, and what to write."""


class TaskError(UsageError):
    """The task file, or the model, data, loss or metric in it, cannot be used."""


class LoopError(UsageError):
    """A training loop of the user's own does what a study cannot work with; no other run would do better."""


class SpaceError(UsageError):
    """An optimizer, schedule, setting or recipe does not exist or does not fit."""


class BudgetError(UsageError):
    """The budget cannot be spent: not a number, negative, or too small for a confirmation."""


class EstimatorError(UsageError, ValueError):
    """Arguments or data of an estimator cannot be used; a ValueError as well, as scikit-learn's callers expect."""


class GuidanceError(UsageError):
    """A rule, start recipe or citation cannot be read, or names something that does not exist."""


class StorageError(UsageError):
    """The database cannot be opened, read or written, or was not made by autoopt."""


class StudyMismatch(StorageError):
    """A study of this name exists already, for another task or with other options."""


class StorageFault(StorageError):
    """The database cannot be used now, whatever is asked of it: a full disk, a file that is gone or write-protected."""


class LeaseLost(StorageError):
    """This process was silent for so long that another one took over what it was at: nothing of it is written."""


class StudyFailed(AutooptError):
    """Every run of the study failed; the message holds the first cause."""


class Stop(AutooptError):
    """The run is not worth going on: let it through, or tidy up and return.

    >>> def train(trial):
    ...     try:
    ...         trial.report(0.5)
    ...     except Stop:
    ...         print("tidying up")
    ...         raise
    """


class AutooptWarning(UserWarning):
    """Something worth knowing that stops nothing."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, and offer the nearest one.

    >>> unknown_name("optimizer", "adamv", ["adamw", "sgd"])
    "unknown optimizer 'adamv': did you mean 'adamw'? Known: adamw, sgd"
    """
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f": did you mean {near[0]!r}?" if near else "."
    if len(names) <= MOST_LISTED:
        return f"unknown {kind} {name!r}{hint} Known: {', '.join(names)}"
    nearest = sorted(difflib.get_close_matches(name.lower(), names, n=MOST_LISTED // 2, cutoff=0.0))
    return f"unknown {kind} {name!r}{hint} The nearest of {len(names)}: {', '.join(nearest)}"
