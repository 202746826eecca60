"""One process of a campaign: it tunes the study. Its clock jumps, and it writes logs of its own (``logs.py``).

Forked from a process that has imported everything, so that it works a moment after its start; its helpers, where the
study is isolated, are programs of their own.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import traceback
import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import autoopt
from autoopt.errors import AutooptError
from autoopt.training import cost
from studies.chaos.hostile import ALL, FATAL
from studies.chaos.logs import FOLDER, STUDY, keep_logs

DONE, REFUSED, CRASHED, STOPPED = 0, 4, 5, 6
TASK = Path(__file__).parent / "task.py"
MEMORY_GB = 1.0  # that a helper may hold: with torch it begins at some 0.3
RUN_SECONDS = 15.0  # in which its run must come an epoch further, halted for two of them


def make_clock() -> mmap.mmap:
    """Return shared memory with what is added to the wall clock of all processes, in seconds."""
    return mmap.mmap(-1, 8)


def set_clock(clock: mmap.mmap, offset: float) -> None:
    """Let the wall clock of all processes jump."""
    clock[:] = struct.pack("d", offset)


@dataclass(frozen=True)
class Studied:
    """A study of a campaign.

    Attributes:
        hostile: some of its optimizers misbehave.
        isolated: some end or hang the process that trains them, which therefore is a helper of its own.
    """

    name: str
    seed: int
    budget: float
    hostile: bool = True
    isolated: bool = False

    @property
    def misbehaving(self) -> list[str]:
        """Optimizers that misbehave, as the command line takes them."""
        classes = (*(ALL if self.hostile else ()), *(FATAL if self.isolated else ()))
        return [f"{Path(__file__).parent / 'hostile.py'}:{each.__name__}" for each in classes]


def start(folder: Path, storage: str, study: Studied, clock: mmap.mmap) -> int:
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
        os.environ |= {FOLDER: str(folder), STUDY: study.name}
        keep_logs()
        jump_with(clock)
        cost.measure_costs = lambda _task, recipes, *_: dict.fromkeys(recipes, 1.0)  # two clocks, two studies
        status = tune(storage, study)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def tune(storage: str, study: Studied) -> int:
    """Tune the study to its end; return how that went."""
    apart: dict[str, Any] = {"isolate": True, "memory_limit": MEMORY_GB, "run_timeout": RUN_SECONDS}
    try:
        autoopt.tune(TASK, study.budget, storage=storage, study=study.name, seed=study.seed,
                     optimizers=["sgd", "adam", "adamw", "rmsprop", *study.misbehaving],
                     **(apart if study.isolated else {}))  # fmt: skip
    except AutooptError as error:
        print(f"REFUSED {type(error).__name__}: {error}", flush=True)
        return REFUSED
    except KeyboardInterrupt:
        return STOPPED
    return DONE


def jump_with(clock: mmap.mmap) -> None:
    """Let autoopt's own modules see a wall clock that jumps."""

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=struct.unpack("d", clock[:])[0])

    for name, module in list(sys.modules.items()):
        if name.startswith("autoopt.") and getattr(module, "datetime", None) is datetime:
            module.datetime = Jumping  # type: ignore[attr-defined]
