"""Turns: a function in a thread of its own, which works only while whoever started it waits, and the other way round.

What greenlets and generators do within one thread; but torch keeps much by thread (autocast, no_grad, the device),
and ``with`` blocks of the user's around a report must not leak from one run into another.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any

import torch

_LOOK_SECONDS = 0.5


class Turns:
    """A function that takes turns with its owner.

    Args:
        work: called with this object in a thread of its own at the first turn; hands over with ``hand_over``.
        name: of the thread.
    """

    def __init__(self, work: Callable[[Turns], None], name: str) -> None:
        self._orders: SimpleQueue[BaseException | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.over = False  # the function has returned or raised
        self._context = copy_context()
        self._place = _Place()
        self._thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)

    def take(self, order: BaseException | None = None) -> Any:
        """Let the function work until it hands something over, and return that; ``None`` if it ended instead.

        Args:
            order: raised in the function where it waits.

        Raises:
            BaseException: whatever the function raised. An interruption of the waiting ends the function as well.
        """
        try:
            if self._thread.ident is None:
                self._thread.start()
            else:
                self._orders.put(order)
            kind, answer = self._wait()
        except KeyboardInterrupt:
            self._interrupt()
            raise
        if kind == "raised":
            raise answer
        return answer

    def hand_over(self, answer: Any) -> None:
        """Give the turn back, from within the function, and wait for the next one."""
        self._answers.put(("handed", answer))
        order = self._orders.get()
        if order is not None:
            raise order

    def _wait(self) -> tuple[str, Any]:
        # not one long wait, which only a signal of the system would interrupt, and not everywhere
        while True:
            try:
                return self._answers.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue

    def _run(self, work: Callable[[Turns], None]) -> None:
        with suppress(KeyboardInterrupt):  # one that comes too late, when nobody waits any more
            try:
                with self._place:
                    self._context.run(work, self)
            except BaseException as error:
                ended: tuple[str, Any] = ("raised", error)
            else:
                ended = ("ended", None)
            self.over = True
            self._answers.put(ended)

    def _interrupt(self) -> None:
        """Raise KeyboardInterrupt in the function, which may be in the middle of an epoch, and wait for its end.

        One that catches it and goes on gets another at its next report.
        """
        if not self.over:
            _raise_in(self._thread, KeyboardInterrupt)
            self._orders.put(KeyboardInterrupt())
            self._thread.join()


class _Place:
    """Takes what torch keeps by thread, the device to work on, over from the thread that made it."""

    def __init__(self) -> None:
        self._cuda = torch.cuda.current_device() if torch.cuda.is_initialized() else None
        device = torch.get_default_device()
        self._default = None if device.type == "cpu" else device

    def __enter__(self) -> None:
        if self._cuda is not None:
            torch.cuda.set_device(self._cuda)
        if self._default is not None:
            torch.set_default_device(self._default)

    def __exit__(self, *_: object) -> None:
        """Leave the thread as it is, for it ends."""


def _raise_in(thread: threading.Thread, error: type[BaseException]) -> None:
    """Raise an exception in a thread as soon as it runs Python again; CPython alone can do so."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(error))
