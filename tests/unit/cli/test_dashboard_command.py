import pytest

from autoopt.dashboard import server
from autoopt.records.store import Store


@pytest.fixture
def served(monkeypatch):
    """What the server was started with; it is not."""
    calls = []
    monkeypatch.setattr(server, "serve", lambda url, host, port: calls.append((url, host, port)))
    return calls


def test_the_address_is_printed_and_the_loopback_served(command, served, tmp_path):
    Store.open(tmp_path / "autoopt.db").close()
    outcome = command("dashboard")
    ((url, host, port),) = served
    assert outcome.status == 0
    assert f"http://127.0.0.1:{port}" in outcome.out
    assert host == "127.0.0.1"
    assert url.endswith("autoopt.db")


def test_listening_for_other_machines_is_warned_of(command, served, tmp_path):
    Store.open(tmp_path / "autoopt.db").close()
    assert "other machines" in command("dashboard", "--host", "0.0.0.0").err


def test_a_missing_database_ends_with_status_2(command, served):
    assert command("dashboard", "--storage", "none.db").status == 2
    assert not served
