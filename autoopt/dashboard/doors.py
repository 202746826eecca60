"""Doors: who may talk to the dashboard's server, what its pages may load, and what a browser fetches ahead."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from autoopt.dashboard import bundle

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
STATIC = Path(__file__).with_name("static")
# Parts of Streamlit's page that it asks for only when something of the kind has arrived: by view, "" is Studies.
_ALWAYS = ("Html", "Selectbox")
_FIGURES, _TABLES = (*_ALWAYS, "BidiComponent"), (*_ALWAYS, "DataFrame", "arrowFormatUtils")
_AHEAD = {"": _TABLES, "studies": _TABLES, "trials": _TABLES, "guidance": _ALWAYS}
_SCRIPT = re.compile(r"/static/js/([\w.-]+\.js)")
_IMPORT = re.compile(r'(?:from|import)\s*"\./([\w.-]+\.js)"')
_KEPT = (b"cache-control", b"public, max-age=31536000, immutable")


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
        self._ahead = {view: _links(names) for view, names in _AHEAD.items()}
        script = f"<{bundle.place()}>; rel=preload; as=script"
        self._draws = ", ".join(filter(None, (script, _links(_FIGURES))))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not is_at_home(headers.get("host", ""), headers.get("origin"), self._hosts):
            await _refuse(scope, receive, send)
            return
        if scope["type"] == "http" and (part := _part(scope["path"])) is not None:
            await _send(send, 200, b"text/javascript", part, _KEPT)
            return
        if scope["type"] == "http" and scope["path"] == "/studies":  # the first page has no name in Streamlit
            place = b"/?" + scope.get("query_string", b"")
            await _send(send, 307, b"text/plain", b"", (b"location", place))
            return
        links = self._ahead.get(scope["path"].strip("/"), self._draws)

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


@lru_cache(maxsize=256)
def _part(path: str) -> bytes | None:
    """Return a script that pages consist of, ``None`` where a path is none.

    There are a hundred of them; handing each through the layers of a web server takes longer than all the rest.
    """
    if path == bundle.place():
        return bundle.served()
    found = _SCRIPT.fullmatch(path)
    file = _streamlits() / found[1] if found else None
    return file.read_bytes() if file is not None and file.is_file() else None


@cache
def _streamlits() -> Path:
    """Return the folder with Streamlit's scripts, whose names change with what is in them."""
    spec = find_spec("streamlit")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "static" / "static" / "js"


def _links(names: Iterable[str]) -> str:
    """Return the header that makes a browser fetch these parts at once, with whatever they import.

    Parts that Streamlit lacks are left out, and so is what its page names itself.
    """
    index = (_streamlits().parents[1] / "index.html").read_text(encoding="utf-8")
    found: dict[str, None] = {}

    def add(name: str) -> None:
        if name not in found and name not in index:
            found[name] = None
            for imported in _IMPORT.findall((_streamlits() / name).read_text(encoding="utf-8")):
                add(imported)

    for name in names:
        for path in sorted(_streamlits().glob(f"{name}.*.js")):
            add(path.name)
    return ", ".join(f"</static/js/{name}>; rel=modulepreload; crossorigin" for name in found)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    text = b"This server answers only to pages of its own, under the address that it printed."
    await _send(send, 403, b"text/plain", text)


async def _send(send: Send, status: int, kind: bytes, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    safe = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
    given = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *safe, *headers]
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": body})
