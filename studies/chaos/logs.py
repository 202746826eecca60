"""What a process of a campaign, or a helper of one, was told is saved, and what it has trained: lines of two files.

Named by the process and the study. A line that was cut off by a kill does not count.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from autoopt.records.store import Store
from autoopt.run import EpochReport
from autoopt.training.serial import SerialCohort

FOLDER, STUDY = "CHAOS_FOLDER", "CHAOS_STUDY"  # variables of the environment, so that helpers know them too
SAVED, TRAINED = "saved", "trained"


def keep_logs() -> None:
    """Write logs from now on, where the environment says so."""
    if (folder := os.environ.get(FOLDER)) is not None:
        _begin(f"{folder}/{os.getpid()}.{os.environ[STUDY]}")


@cache
def _begin(path: str) -> None:
    _note_what_is_saved(f"{path}.{SAVED}")
    _note_what_is_trained(f"{path}.{TRAINED}")


def acknowledged(folder: Path, study: str) -> set[tuple[int, int]]:
    """Return run and epoch of all reports of a study that some process was told are saved."""
    return set(_read(folder, study, SAVED))


def repeated_epochs(folder: Path, study: str) -> int:
    """Return how many epochs of a study were begun more than once, each counted as often as it was begun again."""
    return sum(times - 1 for times in Counter(_read(folder, study, TRAINED)).values())


def _read(folder: Path, study: str, kind: str) -> Iterator[tuple[int, int]]:
    for log in folder.glob(f"*.{study}.{kind}"):
        for line in log.read_text().splitlines(keepends=True):
            if line.endswith("\n") and line.count(" ") == 1:
                run, epoch = line.split()
                yield int(run), int(epoch)


def _note_what_is_saved(path: str) -> None:
    """Append run and epoch of each report to a file, once the transaction that has it is acknowledged."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    here = threading.local()  # other threads of the process write as well

    def collect(_connection: Any, _cursor: Any, statement: str, _p: Any, context: Any, _many: Any) -> None:
        if statement.startswith("INSERT INTO autoopt_epochs"):
            here.pending += [f"{row['run_id']} {row['epoch']}\n" for row in context.compiled_parameters]

    plain = Store.writing

    @contextmanager
    def writing(store: Store) -> Iterator[Connection]:
        here.pending = []
        with plain(store) as connection:
            yield connection
        if here.pending:
            os.write(log, "".join(here.pending).encode())

    event.listen(Engine, "after_cursor_execute", collect)
    Store.writing = writing  # type: ignore[method-assign]


def _note_what_is_trained(path: str) -> None:
    """Append run and epoch to a file whenever one of a cohort's runs begins an epoch, whatever becomes of it."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    plain = SerialCohort._advance_run

    def advance_run(cohort: SerialCohort, run: Any) -> EpochReport:
        os.write(log, f"{run.id} {cohort._epochs_done[run.id] + 1}\n".encode())
        return plain(cohort, run)

    SerialCohort._advance_run = advance_run  # type: ignore[method-assign]
