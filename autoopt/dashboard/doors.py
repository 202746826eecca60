"""Doors: who may talk to the dashboard's server, what its pages may load, and what a browser fetches ahead."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACKS = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::")
# Nothing comes from elsewhere and nothing goes there; Plotly and Streamlit compile code of their own at run time.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
# Large parts of Streamlit's page, which it asks for only when a figure or table has arrived: by view, "" is Studies.
_FIGURES, _TABLES = ("PlotlyChart",), ("DataFrame", "arrowFormatUtils")
_AHEAD = {"": _TABLES, "studies": _TABLES, "trials": _TABLES, "guidance": ()}


class Doors:
    """Lets in only who asks this server for itself, and tells the browser what it may do.

    A page of another site cannot read a study through somebody's browser: its requests carry a foreign ``Origin``, or,
    where it got its own name to point to this machine, a foreign ``Host``.

    Args:
        app: what serves those who are let in.
        host: where the server listens; on every address any ``Host`` will do.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._hosts = None if host in EVERYWHERE else {host.lower(), *LOOPBACKS}
        self._ahead = {view: _links(names) for view, names in {**_AHEAD, "*": _FIGURES}.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not is_at_home(headers.get("host", ""), headers.get("origin"), self._hosts):
            await _refuse(scope, receive, send)
            return
        view = scope["path"].strip("/")
        links = self._ahead.get(view, self._ahead["*"])

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower(): value for name, value in message["headers"]}
                page = given.get(b"content-type", b"").startswith(b"text/html")
                extra = {**_HEADERS, "Link": links} if links and page else _HEADERS
                added = [(name.lower().encode(), value.encode()) for name, value in extra.items()]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, answer)


def is_at_home(host: str, origin: str | None, hosts: set[str] | None) -> bool:
    """Say whether a request comes from a page of this server, or from no page at all.

    Args:
        host: the header ``Host``.
        origin: the header ``Origin``, ``None`` where it is missing.
        hosts: names that this server goes by, ``None`` for any.

    >>> is_at_home("127.0.0.1:8501", "http://127.0.0.1:8501", {"127.0.0.1"})
    True
    >>> is_at_home("evil.example", None, {"127.0.0.1"}), is_at_home("127.0.0.1:8501", "http://evil.example", None)
    (False, False)
    """
    if hosts is not None and (urlsplit(f"//{host}").hostname or "") not in hosts:
        return False
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()


def _links(names: Iterable[str]) -> str:
    """Return the header that makes a browser fetch these parts at once; parts that Streamlit lacks are left out."""
    import streamlit

    folder = Path(streamlit.__file__).parent / "static" / "static" / "js"
    found = [path.name for name in names for path in sorted(folder.glob(f"{name}.*.js"))]
    return ", ".join(f"</static/js/{name}>; rel=modulepreload; crossorigin" for name in found)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    text = b"This server answers only to pages of its own, under the address that it printed."
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text})
