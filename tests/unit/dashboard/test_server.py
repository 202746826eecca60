"""Where the server listens, and what it asks for before it starts."""

import socket

import pytest

from autoopt.dashboard import server
from autoopt.errors import UsageError


@pytest.fixture
def taken():
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_refused_with_what_to_do(taken):
    with pytest.raises(UsageError, match="leave out --port"):
        server.find_port("127.0.0.1", taken)


def test_the_first_free_port_is_taken(taken, monkeypatch):
    monkeypatch.setattr(server, "FIRST_PORT", taken)
    assert server.find_port("127.0.0.1", None) > taken


def test_an_address_that_is_not_this_machine_s_is_refused():
    with pytest.raises(UsageError, match=r"192\.0\.2\.1"):
        server.find_port("192.0.2.1", 8501)


def test_a_missing_library_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setattr(server, "find_spec", lambda name: None if name == "streamlit" else object())
    with pytest.raises(UsageError, match=r"streamlit.*autoopt\[dashboard\]"):
        server.check_installed()


def test_what_listens_at_the_port_sends_at_once_and_nothing_else_is_touched(taken):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        server.send_at_once(taken)
        assert not other.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_connections_to_what_listens_at_the_port_send_at_once():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server.send_at_once(listener.getsockname()[1])
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
