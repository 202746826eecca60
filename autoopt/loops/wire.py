"""Wire: lines of JSON between a study and a script that it runs as a program of its own.

The script finds the address in the environment, and says first the word that stands there with it, so that no other
program of the machine is listened to. Nothing that comes over the wire is executed.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
from collections.abc import Callable
from typing import Any

ADDRESS = "AUTOOPT_TRIAL"
_LOOK_SECONDS = 0.2
_LONGEST_LINE = 2**24


class Wire:
    """One end of a connection. Numbers may be NaN or infinite, as Python's JSON has them."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._unread = b""

    def send(self, message: dict[str, Any]) -> None:
        """Send a message.

        Raises:
            OSError: nobody listens any more.
        """
        self._connection.settimeout(None)
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, is_over: Callable[[], bool] = lambda: False) -> dict[str, Any] | None:
        """Return the next message; ``None`` if there will be none.

        Args:
            is_over: asked now and then; once it is true, whatever was not sent by then never will be.
        """
        self._connection.settimeout(_LOOK_SECONDS)
        while b"\n" not in self._unread:
            late = is_over()
            try:
                received = self._connection.recv(65536)
            except TimeoutError:
                if late:
                    return None
                continue
            except OSError:
                return None
            if not received or len(self._unread) > _LONGEST_LINE:
                return None
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            return None
        return message if isinstance(message, dict) else None

    def close(self) -> None:
        """Let go."""
        with contextlib.suppress(OSError):
            self._connection.close()


class Meeting:
    """Where a script is waited for; ``address`` goes into its environment."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._word = secrets.token_hex(16)
        self.address = f"{self._listener.getsockname()[1]}:{self._word}"

    def wait(self, is_over: Callable[[], bool]) -> tuple[Wire, dict[str, Any]] | None:
        """Return the wire to the script and its first message; ``None`` if it ends without having called."""
        self._listener.settimeout(_LOOK_SECONDS)
        while True:
            late = is_over()
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                if late:
                    return None
                continue
            wire = Wire(connection)
            first = wire.receive(is_over)
            if first is not None and secrets.compare_digest(str(first.get("word")), self._word):
                return wire, first
            wire.close()

    def close(self) -> None:
        """Wait no longer."""
        self._listener.close()


def call(address: str, message: dict[str, Any]) -> Wire:
    """Return the wire to the study that an address of ``Meeting`` belongs to.

    Raises:
        OSError: nobody is there.
        ValueError: it is no address.
    """
    port, _, word = address.partition(":")
    wire = Wire(socket.create_connection(("127.0.0.1", int(port))))
    wire.send({"word": word, **message})
    return wire
