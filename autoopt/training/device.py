"""Where to train: the processor, an NVIDIA or AMD card (cuda), or an Apple chip (mps)."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from autoopt.errors import UsageError, unknown_name
from autoopt.tasks.model import floating_type
from autoopt.tasks.randomness import OwnRandomness
from autoopt.tasks.task import Task
from autoopt.training.parking import free_bytes, total_bytes


@dataclass(frozen=True)
class DeviceFacts:
    """A device one can train on.

    Attributes:
        name: what ``choose_device`` takes: ``cpu``, ``cuda:0``, ``mps``.
        title: what the maker calls it.
        memory_bytes, free_bytes: its memory and what is free of it now.
        threads: threads that torch uses on the processor; ``None`` elsewhere.
    """

    name: str
    title: str
    memory_bytes: int
    free_bytes: int
    threads: int | None = None


def usable_cores() -> int:
    """Return the cores that this process may use: of the machine, its affinity, and the quota of a container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(
        OSError, ValueError
    ):  # cgroup v2: "max 100000" or microseconds of processor time per period
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, max(1, int(int(quota) / int(period))))
    return cores


@contextmanager
def one_thread(*, when: bool = True) -> Iterator[None]:
    """Let torch compute with one thread meanwhile: beside other processes more of them only wait for each other."""
    before = torch.get_num_threads()
    try:
        if when:
            torch.set_num_threads(1)
        yield
    finally:
        if when:
            torch.set_num_threads(before)


def choose_device(name: str = "auto") -> str:
    """Return the device to train on.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto``: cuda where there is one, else mps, else cpu.

    Raises:
        UsageError: there is no such device here, or none of that name at all.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cpu":
        return name
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise UsageError("device 'mps' needs an Apple chip and a torch built for it; write cpu or auto")
        return name
    if not re.fullmatch(r"cuda(:\d+)?", name):
        raise UsageError(unknown_name("device", name, ["auto", "cpu", "cuda", "cuda:0", "mps"]))
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(name.partition(":")[2] or 0) >= count:
        found = f"torch finds cuda:0 to cuda:{count - 1}" if count else "torch finds no cuda device here"
        raise UsageError(f"device {name!r} is not there: {found}; write cpu or auto")
    return name


def spread_devices(name: str, count: int) -> list[str]:
    """Return the device of each of so many processes: with ``auto`` a card each, in turn, where there are several."""
    cards = torch.cuda.device_count() if name == "auto" and torch.cuda.is_available() else 0
    return [f"cuda:{number % cards}" if min(cards, count) > 1 else name for number in range(count)]


def device_for(task: Task, name: str = "auto") -> str:
    """Return the device to train a task on: ``auto`` leaves a model in float64, which mps has not, to the processor.

    Raises:
        UsageError: as ``choose_device``.
    """
    found = choose_device(name)
    if name != "auto" or found != "mps":
        return found
    with OwnRandomness(0):
        return "cpu" if floating_type(task.make_model()) == torch.float64 else found


def describe_devices() -> list[DeviceFacts]:
    """Return every device that torch can train on here, the processor first."""
    threads = torch.get_num_threads()
    found = [DeviceFacts("cpu", _processor_title(), total_bytes(), free_bytes("cpu"), threads)]
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        facts, name = torch.cuda.get_device_properties(index), f"cuda:{index}"
        found.append(DeviceFacts(name, facts.name, facts.total_memory, free_bytes(name)))
    if torch.backends.mps.is_available():
        found.append(DeviceFacts("mps", platform.processor() or "Apple", total_bytes(), free_bytes("mps")))
    return found


def _processor_title() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} threads"
    except OSError:
        pass
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} threads"
