"""Ctrl-C that is always heard, and SIGTERM, which is taken like it."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import Any, Self

from autoopt.cli.exits import INTERRUPTED, TERMINATED
from autoopt.progress import Progress, Watcher

BOUNCE_SECONDS = 0.5  # a signal that comes again so soon is the same one
SHOW_CURSOR = "\x1b[?25h"


class CtrlC:
    """Raises KeyboardInterrupt on Ctrl-C, as Python does, and once more should it get lost.

    Python raises it wherever the program happens to be. In a callback of the garbage collector, such as
    SQLAlchemy has, an exception is printed and dropped, and the study would go on. So it is remembered here, not
    printed, and raised again at the next progress, unless the study is done by then: that is how it answers an
    interruption.
    Where Ctrl-C is ignored or handled by someone else, it is left alone. A second one ends the program at once: all
    that was saved is kept, as after a kill.

    Attributes:
        status: with which the command ends: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self) -> None:
        self.status = INTERRUPTED
        self._pressed = False
        self._heard = 0.0  # when the last signal came
        self._installed = False
        self._on_sigterm: Any = None
        self._tell_unraisable = sys.unraisablehook

    def __enter__(self) -> Self:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._installed = True
            self._tell_unraisable, sys.unraisablehook = sys.unraisablehook, self._drop
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                self._on_sigterm = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.unraisablehook = self._tell_unraisable
            if self._on_sigterm is not None:
                signal.signal(signal.SIGTERM, self._on_sigterm)

    def checked(self, watch: Watcher) -> Watcher:
        """Return a watcher that raises a lost interruption again before it goes on watching."""

        def check(progress: Progress) -> None:
            if self._pressed and progress.phase != "done":
                raise KeyboardInterrupt
            watch(progress)

        return check

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.status = TERMINATED if number == signal.SIGTERM else INTERRUPTED
        if self._pressed and time.monotonic() - self._heard > BOUNCE_SECONDS:
            if sys.stderr.isatty():
                sys.stderr.write(SHOW_CURSOR)
                sys.stderr.flush()
            os._exit(self.status)
        self._pressed, self._heard = True, time.monotonic()
        raise KeyboardInterrupt

    def _drop(self, lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            self._tell_unraisable(lost)
