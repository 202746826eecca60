"""Crew: helpers of this process on this machine, started, looked after, and ended with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from autoopt.errors import StorageError, StudyFailed
from autoopt.records.leases import INSIDE
from autoopt.sharing.member import Member

ORDER = "AUTOOPT_WORK"
"""Variable of the environment in which a helper finds its order: a command line could be read by everybody."""

LOOK_SECONDS = 0.2
PATIENCE = 5.0  # seconds in which helpers may write down what they have before they are ended
MOST_FALSE_STARTS = 3
OWN_DOING = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}


@dataclass(frozen=True)
class Limits:
    """What a helper may take; ``None`` for no limit.

    Attributes:
        memory: bytes that it holds in memory.
        seconds: until the run that it trains has come an epoch further.
    """

    memory: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Order:
    """What a helper is told.

    Attributes:
        storage, study: where it is to work.
        more: arguments for ``resume``.
        token: by which its leases are known; ``crew`` that of the process that started it.
        data: descriptor of the file with the data of the task, which helpers inherit; ``None`` where they load them.
    """

    storage: str
    study: str
    more: Mapping[str, Any]
    token: str = ""
    crew: str = ""
    data: int | None = None

    @classmethod
    def received(cls) -> Order:
        """Return the order of this process, and take it out of the environment, where user code could see it."""
        return cls(**json.loads(os.environ.pop(ORDER)))


@dataclass
class _Helper:
    process: subprocess.Popen[bytes]
    token: str
    said: deque[bytes] = field(default_factory=lambda: deque(maxlen=20))
    at: tuple[int, int] | None = None  # the run that it trains, and as far as that is written down
    since: float = 0.0
    reason: str = ""  # why it was ended

    def listen(self) -> None:
        """Keep the last of what it prints, however much that is."""
        assert self.process.stdout is not None
        with suppress(ValueError), self.process.stdout as words:
            for line in iter(lambda: words.readline(500), b""):
                if line.strip():
                    self.said.append(line.strip())

    def how_it_ended(self) -> tuple[str, int]:
        """Say how, and return the strikes for the run that it trained."""
        code = self.process.returncode
        if self.reason:
            return self.reason, INSIDE
        if code < 0:
            name = signal.Signals(-code).name
            return f"was killed by {name}", INSIDE if -code in OWN_DOING else 1
        last = self.said[-1].decode(errors="replace") if self.said else ""
        return f"ended with status {code}{': ' * bool(last)}{last}", INSIDE


class Crew:
    """So many helpers that train for whoever leads the study; a context manager.

    Each is looked after: where one ends, the run that it trained goes on in another process, and a new one is started.

    Args:
        member: this process.
        orders: of each helper.
    """

    def __init__(self, member: Member, orders: Sequence[Order], limits: Limits | None = None) -> None:
        self._member, self._orders = member, orders
        self._limits = limits or Limits()
        self._helpers: list[_Helper] = []
        self._false_starts = 0
        self._trouble = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="autoopt crew", daemon=True)

    def __enter__(self) -> Self:
        self._helpers = [self._start(order) for order in self._orders]
        if self._helpers:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._helpers:
            self._thread.join()
        for helper in self._helpers:
            helper.process.stdin.close()  # type: ignore[union-attr]
        end = time.monotonic() + PATIENCE
        for helper in self._helpers:
            with suppress(subprocess.TimeoutExpired):
                helper.process.wait(max(0.0, end - time.monotonic()))
            self._end(helper)
            with suppress(StorageError):
                self._member.leases.leave(helper.token)

    def check(self) -> None:
        """Make sure that there are helpers.

        Raises:
            StudyFailed: none of them could be started.
        """
        if self._trouble:
            raise StudyFailed(
                f"the processes that were to train could not begin. The last one said: {self._trouble}"
            )

    def _start(self, order: Order) -> _Helper:
        token = uuid.uuid4().hex
        order = replace(order, token=token, crew=self._member.token)
        root = str(Path(__file__).parents[2])
        paths = [path for path in (os.environ.get("PYTHONPATH"), root) if path]
        environment = {
            "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", **os.environ,
            "PYTHONPATH": os.pathsep.join(paths), ORDER: json.dumps(asdict(order)),
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "autoopt", "work"], env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            pass_fds=() if order.data is None else (order.data,),
        )  # fmt: skip
        helper = _Helper(process, token)
        threading.Thread(target=helper.listen, name="autoopt helper's words", daemon=True).start()
        return helper

    def _look_after(self) -> None:
        looked = time.monotonic()
        while not self._over.wait(LOOK_SECONDS):
            for place, helper in enumerate(self._helpers):
                if helper.process.poll() is not None:
                    self._replace(place, helper)
                elif self._limits.memory is not None and held_bytes(helper.process.pid) > self._limits.memory:
                    limit = f"{self._limits.memory / 1e9:g} GB"
                    helper.reason = f"was ended when it held more than {limit} of memory (--memory-limit)"
                    helper.process.kill()
            if self._limits.seconds is not None and time.monotonic() - looked >= min(
                1.0, self._limits.seconds
            ):
                looked = time.monotonic()
                with suppress(StorageError):
                    self._end_the_stuck(self._limits.seconds, looked)

    def _end_the_stuck(self, most: float, now: float) -> None:
        at = {lease.owner: (lease.run_id, lease.reached) for lease in self._member.leases.state().values()}
        for helper in self._helpers:
            if helper.at != at.get(helper.token):
                helper.at, helper.since = at.get(helper.token), now
            elif helper.at is not None and now - helper.since > most and not helper.reason:
                helper.reason = f"was ended after {most:g} s without an epoch more (--run-timeout)"
                helper.process.kill()

    def _replace(self, place: int, helper: _Helper) -> None:
        """Free what a helper had leased that is over, and start another one."""
        if self._over.is_set() or self._trouble:
            return
        self._end(helper)
        trouble, strikes = helper.how_it_ended()
        with suppress(StorageError):  # else found again at the next look
            if self._member.leases.strike_off(helper.token, None, trouble, strikes):
                self._false_starts = 0
            else:
                self._false_starts += 1
            if self._false_starts >= MOST_FALSE_STARTS * len(self._orders):
                self._trouble = trouble
            else:
                self._helpers[place] = self._start(self._orders[place])

    @staticmethod
    def _end(helper: _Helper) -> None:
        """End a helper with all that it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(helper.process.pid, signal.SIGKILL)
        helper.process.wait()


def held_bytes(pid: int) -> int:
    """Return the memory in bytes that a process holds, mapped files left out, which it shares with others; 0 where the
    system does not tell.
    """  # fmt: skip
    with suppress(OSError):
        told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return sum(int(told[name].split()[0]) * 1024 for name in ("RssAnon", "RssShmem") if name in told)
    return 0


def follow_lifeline() -> None:
    """Let this process, a helper, end when the one that started it has ended, however that came about."""
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # what the user's code reads is not this

    def follow() -> None:
        while os.read(lifeline, 1):
            pass
        os.kill(os.getpid(), signal.SIGINT)  # writes down what it has
        time.sleep(PATIENCE)
        os._exit(0)

    threading.Thread(target=follow, name="autoopt lifeline", daemon=True).start()
