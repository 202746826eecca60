"""Ctrl-C that is always heard."""

from __future__ import annotations

import signal
import sys
from types import FrameType, TracebackType
from typing import Self

from autoopt.progress import Progress, Watcher


class CtrlC:
    """Raises KeyboardInterrupt on Ctrl-C, as Python does, and once more should it get lost.

    Python raises it wherever the program happens to be. In a callback of the garbage collector, such as
    SQLAlchemy has, an exception is printed and dropped, and the study would go on. So it is remembered here, not
    printed, and raised again at the next progress, unless the study is done by then: that is how it answers an
    interruption.
    Where Ctrl-C is ignored or handled by someone else, it is left alone.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._installed = False
        self._tell_unraisable = sys.unraisablehook

    def __enter__(self) -> Self:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._installed = True
            self._tell_unraisable, sys.unraisablehook = sys.unraisablehook, self._drop
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.unraisablehook = self._tell_unraisable

    def checked(self, watch: Watcher) -> Watcher:
        """Return a watcher that raises a lost interruption again before it goes on watching."""

        def check(progress: Progress) -> None:
            if self._pressed and progress.phase != "done":
                raise KeyboardInterrupt
            watch(progress)

        return check

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._pressed = True
        signal.default_int_handler(number, frame)

    def _drop(self, lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            self._tell_unraisable(lost)
