"""A file that is deleted, moved or replaced while it is in use: nothing more is written, into neither."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from autoopt.errors import StorageFault
from autoopt.records import guard
from autoopt.records.store import Store

from .examples import in_a_fork, make_report, make_run


@pytest.mark.parametrize("act", [
    lambda store: store.save("digits", runs=[make_run(1)]), lambda store: store.runs("digits"),
])  # fmt: skip
def test_a_file_that_was_moved_is_told(act, file_store, path):
    path.rename(path.with_name("elsewhere.db"))
    with pytest.raises(StorageFault, match=f"{path} was moved or deleted while it was in use: put it back"):
        act(file_store)
    assert not path.exists()


def test_a_copy_that_was_put_in_its_place_is_not_written_to(file_store, path):
    file_store.add_runs("digits", [make_run(0)])
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    before = copy.read_bytes()
    os.replace(copy, path)
    with pytest.raises(
        StorageFault, match=f"{path} was replaced by another file while it was in use"
    ) as caught:
        file_store.save("digits", runs=[make_run(1)], reports=[make_report(1)])
    assert path.read_bytes() == before
    assert "is kept in" in str(caught.value)


def test_after_a_new_start_the_copy_takes_what_was_kept(file_store, path):
    file_store.add_runs("digits", [make_run(0)])
    file_store.engine.dispose()
    os.replace(shutil.copy(path, path.with_name("copy.db")), path)
    with pytest.raises(StorageFault):
        file_store.save("digits", runs=[make_run(1)], reports=[make_report(1)])
    with Store.open(path) as store:
        assert (len(store.runs("digits")), store.reports("digits")) == (2, {1: [make_report(1)]})


def test_what_was_written_while_a_copy_took_its_place_is_kept_for_the_copy(file_store, path):
    file_store.add_runs("digits", [make_run(0)])
    file_store.engine.dispose()
    copy = shutil.copy(path, path.with_name("copy.db"))
    store = file_store.on_condition(lambda _: os.replace(copy, path))  # in the middle of the transaction
    with pytest.raises(StorageFault, match="was replaced by another file") as caught:
        store.save("digits", runs=[make_run(1)], reports=[make_report(1)])
    assert "is kept in" in str(caught.value)
    store.engine.dispose()
    with Store.open(path) as found:
        assert (len(found.runs("digits")), found.reports("digits")) == (2, {1: [make_report(1)]})


def test_a_log_that_was_deleted_is_told(file_store, path):
    file_store.add_runs("digits", [make_run(0)])
    Path(f"{path}-wal").unlink()
    with pytest.raises(
        StorageFault, match=f"{path}-wal was moved or deleted while it was in use: it is part of"
    ):
        file_store.add_runs("digits", [make_run(1)])


def test_a_forked_child_may_find_that_its_parent_has_put_the_log_away(file_store):
    file_store.add_runs("digits", [make_run(0)])
    assert in_a_fork(lambda: file_store.add_runs("digits", [make_run(1)])) == "None"
    file_store.engine.dispose()
    file_store.add_runs("digits", [make_run(2)])
    assert len(file_store.runs("digits")) == 3


def test_a_disk_that_went_away_is_told(file_store, path, monkeypatch):
    def gone(name):
        raise OSError(107, "Transport endpoint is not connected")

    monkeypatch.setattr(guard.os, "stat", gone)
    with pytest.raises(StorageFault, match=r"cannot be reached any more \(Transport endpoint"):
        file_store._guard.check()
