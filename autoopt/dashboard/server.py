"""Start the dashboard's server: where it listens, how it behaves, what it looks like."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from autoopt.dashboard.doors import Doors
from autoopt.dashboard.theme import OPTIONS
from autoopt.errors import UsageError

FIRST_PORT = 8501
LOOPBACK = "127.0.0.1"
STORAGE = "AUTOOPT_STORAGE"
SWITCH_SECONDS = 0.0005  # after which a thread of the server makes room for another one
_NEEDED = ("streamlit", "plotly", "pandas")


def check_installed() -> None:
    """Make sure that the dashboard's libraries are there.

    Raises:
        UsageError: one is not; says how to install it.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the dashboard needs {' and '.join(missing)}, not installed here: pip install 'autoopt[dashboard]'"
        )


def find_port(host: str, port: int | None) -> int:
    """Return the port that was asked for, or else the first free one from 8501.

    Raises:
        UsageError: it is taken, there is none, or this machine does not have the address.
    """
    if port is not None:
        if problem := _problem(host, port):
            raise UsageError(
                f"cannot listen on {host}, port {port} ({problem}): leave out --port to take a free one"
            )
        return port
    try:
        socket.getaddrinfo(host, FIRST_PORT, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"there is no address {host!r} to listen on ({error.strerror}): leave out --host, or write "
                         "0.0.0.0 for all that this machine has") from error  # fmt: skip
    problem = None
    for free in range(FIRST_PORT, FIRST_PORT + 200):
        problem = _problem(host, free)
        if problem is None:
            return free
    raise UsageError(
        f"no port from {FIRST_PORT} to {FIRST_PORT + 199} of {host} can be listened on: {problem}"
    )


def _problem(host: str, port: int) -> str | None:
    """Say why nobody can listen there, or return ``None``."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None


def _end_at_once_when_told() -> None:
    """Let Ctrl-C and SIGTERM end the process at once; the server would wait for every open page to be closed.

    It only reads, so there is nothing to bring to an end.
    """
    if not hasattr(signal, "pthread_sigmask"):
        return
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # inherited by all threads that are started from now on

    def wait() -> None:
        signal.sigwait(signals)
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def send_at_once(port: int) -> None:
    """Have whatever this process listens with at a port send what it is given, without waiting for more.

    An answer is written in two parts, and by default the second waits until the browser has confirmed the first: 40 ms,
    for each of the hundred files of a page. Connections inherit the setting; Streamlit makes the socket and hands it to
    nobody, so it is looked for.
    """
    for each in gc.get_objects():
        if type(each) is not socket.socket or each.fileno() < 0:
            continue
        if each.family in (socket.AF_INET, socket.AF_INET6) and each.getsockname()[1] == port:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@asynccontextmanager
async def _ready(port: int) -> AsyncIterator[None]:
    """Get ready for the first reader while the server already answers."""

    def read() -> None:
        from autoopt.dashboard.ahead import read_ahead

        read_ahead()

    send_at_once(port)
    threading.Thread(target=read, daemon=True).start()
    yield


def serve(url: str, host: str, port: int) -> None:
    """Serve the studies of a database until Ctrl-C.

    Args:
        url: as ``storage_url`` gives it; it stays in this process, no page can name another one.
    """
    from starlette.middleware import Middleware
    from streamlit import App

    os.environ[STORAGE] = url
    options: dict[str, object] = {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "logger.hideWelcomeMessage": True,
        "logger.level": "error",
        **OPTIONS,
    }
    # a page asks for a hundred files while its first figures are worked out: let those who hand them out come to turn
    sys.setswitchinterval(SWITCH_SECONDS)
    _end_at_once_when_told()
    script, doors = Path(__file__).with_name("app.py"), Middleware(Doors, host)
    App(script, middleware=[doors], lifespan=lambda _: _ready(port)).run(config=options)
