"""One process of a campaign: it tunes the study, and notes in a log of its own what the database has acknowledged.

Forked from a process that has imported everything, so that it works a moment after its start.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

import autoopt
from autoopt.errors import AutooptError
from autoopt.records.store import Store
from autoopt.run import EpochReport
from autoopt.training import cost
from autoopt.training.trainee import Trainee
from studies.chaos.hostile import ALL

DONE, REFUSED, CRASHED, STOPPED = 0, 4, 5, 6
TASK = Path(__file__).parent / "task.py"


def make_clock() -> mmap.mmap:
    """Return shared memory with what is added to the wall clock of all processes, in seconds."""
    return mmap.mmap(-1, 8)


def set_clock(clock: mmap.mmap, offset: float) -> None:
    """Let the wall clock of all processes jump."""
    clock[:] = struct.pack("d", offset)


def start(
    folder: Path, storage: str, study: str, seed: int, budget: float, clock: mmap.mmap, *, hostile: bool
) -> int:
    """Fork a process that tunes the study; return its number."""
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if child:
        return child
    status = CRASHED
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        output = os.open(folder / f"{os.getpid()}.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        note_what_is_saved(folder / f"{os.getpid()}.{study}.saved")
        count_epochs(folder / f"{os.getpid()}.{study}.trained")
        jump_with(clock)
        cost.measure_costs = lambda _task, recipes, *_: dict.fromkeys(recipes, 1.0)  # two clocks, two studies
        status = tune(storage, study, seed, budget, hostile=hostile)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def tune(storage: str, study: str, seed: int, budget: float, *, hostile: bool) -> int:
    """Tune the study to its end; return how that went."""
    misbehaving = (
        [f"{Path(__file__).parent / 'hostile.py'}:{each.__name__}" for each in ALL] if hostile else []
    )
    try:
        autoopt.tune(TASK, budget, storage=storage, study=study, seed=seed,
                     optimizers=["sgd", "adam", "adamw", "rmsprop", *misbehaving])  # fmt: skip
    except AutooptError as error:
        print(f"REFUSED {type(error).__name__}: {error}", flush=True)
        return REFUSED
    except KeyboardInterrupt:
        return STOPPED
    return DONE


def note_what_is_saved(path: Path) -> None:
    """Append run and epoch of each report to a file, once the transaction that has it is acknowledged."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    pending: list[str] = []

    def collect(_connection: Any, _cursor: Any, statement: str, _p: Any, context: Any, _many: Any) -> None:
        if statement.startswith("INSERT INTO autoopt_epochs"):
            pending.extend(f"{row['run_id']} {row['epoch']}\n" for row in context.compiled_parameters)

    plain = Store.writing

    @contextmanager
    def writing(store: Store) -> Iterator[Connection]:
        pending.clear()
        with plain(store) as connection:
            yield connection
        if pending:
            os.write(log, "".join(pending).encode())
            pending.clear()

    event.listen(Engine, "after_cursor_execute", collect)
    Store.writing = writing  # type: ignore[method-assign]


def count_epochs(path: Path) -> None:
    """Append a dot to a file for every epoch that is trained, whatever becomes of it."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    plain = Trainee.train_epoch

    def train_epoch(trainee: Trainee) -> EpochReport:
        os.write(log, b".")
        return plain(trainee)

    Trainee.train_epoch = train_epoch  # type: ignore[method-assign]


def jump_with(clock: mmap.mmap) -> None:
    """Let autoopt's own modules see a wall clock that jumps."""

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=struct.unpack("d", clock[:])[0])

    for name, module in list(sys.modules.items()):
        if name.startswith("autoopt.") and getattr(module, "datetime", None) is datetime:
            module.datetime = Jumping  # type: ignore[attr-defined]
