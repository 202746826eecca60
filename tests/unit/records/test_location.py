"""Paths and URLs of databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoopt.errors import StorageError
from autoopt.records.location import database_path, is_sqlite, shown_url, storage_url
from autoopt.records.store import Store

ODD_NAMES = [
    "a b.db", "what?.db", "50%.db", "50%41.db", "#1.db", "größe 模型.db", "a&b=c+d;e.db", "{x}.db",
    "no-suffix", "x..y.db", "q'\"`.db", ":colon:.db", "file:x.db",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_of_any_name_is_found_again(tmp_path, name):
    with Store.open(tmp_path / name) as store:
        url = store.url
        assert sorted(p.name for p in tmp_path.iterdir() if not p.name.endswith(("-wal", "-shm"))) == [name]
    with Store.open(url, readonly=True) as store:
        assert (store.studies(), store.url, shown_url(url)) == ([], url, str(tmp_path / name))


def test_a_relative_path_stays_where_it_was_meant(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    url = storage_url("../my.db")
    monkeypatch.chdir("/")
    assert database_path(url) == tmp_path / "my.db"


@pytest.mark.parametrize("text", ["~/x/my.db", "sqlite:///~/x/my.db"])
def test_a_tilde_is_the_home_folder(text, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert database_path(storage_url(text)) == Path("/home/ann/x/my.db")


@pytest.mark.parametrize("text", ["sqlite:////data/my.db", "sqlite+pysqlite:////data/my.db", "/data/my.db"])
def test_a_url_and_a_path_of_one_file_are_the_same(text):
    assert storage_url(text) == "sqlite:////data/my.db"


@pytest.mark.parametrize("text", [":memory:", "sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_memory_has_one_name(text):
    assert (storage_url(text), database_path("sqlite://")) == ("sqlite://", None)


def test_a_url_of_a_server_is_left_as_it_is():
    text = "postgresql+psycopg://ann:p%40ss@db.example:5433/studies?sslmode=require"
    assert (storage_url(text), is_sqlite(text), database_path(text)) == (text, False, None)


def test_passwords_are_not_shown():
    shown = shown_url("postgresql+psycopg://ann:secret@db/studies?sslpassword=secret&sslmode=require")
    assert shown == "postgresql+psycopg://ann:***@db/studies?sslmode=require"


REFUSED = {
    "": "the storage is empty: write a path such as autoopt.db",
    "  ": "the storage is empty",
    "mysql://ann:secret@db/x": "a storage of the kind mysql:// is not supported: write a path",
    "journal://x.log": "of the kind journal:// is not supported",
    "sqlite+aiosqlite:///x.db": "of the kind sqlite\\+aiosqlite:// is not supported",
    "postgres://ann:secret@db/x": "cannot begin with postgres://: write postgresql\\+psycopg://",
    "postgresql://ann:secret@db:port/x": "cannot be read as a URL",
    "sqlite:/x.db": "the storage sqlite:… lacks its slashes",
    "sqlite://x.db": "lacks a slash: three before a relative path",
    "sqlite:///x?y.db": "write the path of the file alone",
    "sqlite:///x.db?mode=ro": "write the path of the file alone",
    "sqlite:///file:x.db": "write the path of the file alone",
    "bad\udcff.db": "not valid UTF-8: rename it",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=map(ascii, REFUSED))
def test_what_is_no_place_for_a_database_is_refused(text, message):
    with pytest.raises(StorageError, match=message) as caught:
        storage_url(text)
    assert "secret" not in str(caught.value)
