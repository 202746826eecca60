"""Owner: a process as others can tell it from every other, and whether it still lives."""

from __future__ import annotations

import os
import platform
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """A process that works on a study.

    Attributes:
        token: random; no other process ever has it.
        host: name of the machine.
        boot: this start of the machine, and the space of process numbers that it sees; ``""`` where the system does
            not tell.
        pid: number of the process.
        started: when it began, as the system counts; a number is given again to a later process.
        crew: token of the process that started it as its helper; ``""`` of one that somebody started by hand.
    """

    token: str
    host: str
    boot: str
    pid: int
    started: str
    crew: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process(crew: str = "", token: str = "") -> Owner:
    """Return this process, with a new token unless one is given."""
    pid = os.getpid()
    started = _stat(pid)
    return Owner(
        token or uuid.uuid4().hex, platform.node(), _boot(), pid, started[1] if started else "", crew
    )


def is_gone(owner: Owner) -> bool:
    """Tell whether a process is surely over. What runs on another machine cannot be known from here: ``False``."""
    if owner.host != platform.node():
        return False
    if owner.boot != _boot():
        # another start of the machine, unless only the numbers of its processes are others, as in a container
        return bool(owner.boot) and owner.boot.split(" ")[0] != _boot().split(" ")[0]
    found = _stat(owner.pid)
    if found is not None:
        state, started = found
        return started != owner.started or state in "ZX"
    if owner.started:
        return True
    try:  # a system without /proc
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def is_at_work(owner: Owner) -> bool:
    """Tell whether a process of this machine surely lives and is not halted, as by SIGSTOP."""
    if owner.host != platform.node() or not owner.boot or owner.boot != _boot():
        return False
    found = _stat(owner.pid)
    return found is not None and found[1] == owner.started and found[0] not in "TtZX"


def _stat(pid: int) -> tuple[str, str] | None:
    """Return the state of a process and when it began, in ticks since the machine was started; Linux only."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # a program's name may hold blanks and brackets
    return fields[0], fields[19]


def _boot() -> str:
    """Return the id of this start of the machine, and that of the space of process numbers; Linux only."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""
