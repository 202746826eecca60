"""Who is let in, and what pages are told."""

import asyncio
import re

import pytest

from autoopt.dashboard import bundle
from autoopt.dashboard.doors import Doors, is_at_home

HERE = {"127.0.0.1", "localhost", "::1"}


async def inside(scope, receive, send):
    """What is behind the doors: a page."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": b"page"})


def asked(path="/", kind="http", host="127.0.0.1", at="127.0.0.1", **headers):
    """Return what the doors answer to a request."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "websocket.connect"}

    given = {"host": host, **headers}
    scope = {"type": kind, "path": path, "headers": [(n.encode(), v.encode()) for n, v in given.items()]}
    asyncio.run(Doors(inside, at)(scope, receive, send))
    return sent


def headers_of(messages):
    return {name.decode(): value.decode() for name, value in messages[0]["headers"]}


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost:8501", "[::1]:8501", "LOCALHOST"])
def test_whoever_asks_for_this_machine_is_let_in(host):
    assert is_at_home(host, None, HERE)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8501", "", "127.0.0.1.evil.example"])
def test_a_name_that_was_pointed_to_this_machine_is_refused(host):
    messages = asked(host=host)
    assert messages[0]["status"] == 403
    assert b"page" not in messages[1]["body"].split(b" ")


def test_a_page_of_another_site_is_refused():
    assert asked(origin="http://evil.example")[0]["status"] == 403


def test_a_connection_from_a_page_of_another_site_is_closed():
    assert asked(kind="websocket", origin="http://evil.example")[0]["type"] == "websocket.close"


def test_a_connection_from_a_page_of_its_own_is_accepted():
    messages = asked(kind="websocket", host="127.0.0.1:8501", origin="http://127.0.0.1:8501")
    assert messages[0]["type"] == "websocket.accept"


def test_a_server_on_every_address_goes_by_any_name_but_only_for_its_own_pages():
    assert asked(host="box.lan:8501", at="0.0.0.0", origin="http://box.lan:8501")[0]["status"] == 200
    assert asked(host="box.lan:8501", at="0.0.0.0", origin="http://evil.example")[0]["status"] == 403


def test_a_page_may_load_nothing_from_elsewhere():
    policy = headers_of(asked())["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    ("path", "part"), [("/rate", "BidiComponent"), ("/trials", "DataFrame"), ("/", "DataFrame")]
)
def test_a_page_names_the_large_part_that_it_will_need(path, part):
    assert f"/static/js/{part}." in headers_of(asked(path))["link"]


def test_a_page_names_what_its_large_part_imports_but_nothing_twice():
    named = re.findall(r"/static/js/([^>]+)", headers_of(asked("/rate"))["link"])
    assert any(name.startswith("recordbatch.") for name in named)
    assert not any(name.startswith("react-dom.") for name in named)  # Streamlit's own page names it
    assert len(set(named)) == len(named)


def test_a_page_without_figures_asks_for_none_of_their_parts():
    link = headers_of(asked("/guidance"))["link"]
    assert "BidiComponent" not in link
    assert "plotly" not in link


def test_the_script_that_draws_is_plotly_s_own_under_a_name_that_changes_with_it():
    status, body = asked(bundle.place())
    assert status["status"] == 200
    assert body["body"] == bundle.served()
    assert f"<{bundle.place()}>; rel=preload" in headers_of(asked("/rate"))["link"]


def test_a_script_of_streamlit_is_handed_out_at_once():
    name = re.search(r"/static/js/BidiComponent[^>]*", headers_of(asked("/rate"))["link"])[0]
    messages = asked(name)
    assert messages[1]["body"] != b"page"
    assert headers_of(messages)["x-content-type-options"] == "nosniff"
    assert int(headers_of(messages)["content-length"]) == len(messages[1]["body"])


def test_the_first_page_is_found_by_its_name_too():
    assert headers_of(asked("/studies"))["location"] == "/?"


@pytest.mark.parametrize(
    "path", ["/static/js/../index.html", "/static/js/..%2f", "/static/js/none.js", "/ao/x.js"]
)
def test_nothing_else_is_handed_out(path):
    assert asked(path)[1]["body"] == b"page"
