"""Task files that cannot be loaded, beside those of tests/bad_inputs/tasks.py."""

from __future__ import annotations

import pytest

from autoopt.errors import TaskError
from autoopt.tasks.load import load_task


def test_a_missing_file_is_named_with_the_nearest_one(write_task):
    path = write_task(name="digits.py")
    with pytest.raises(TaskError, match=r"no such file: .*digit\.py.*did you mean .*digits\.py"):
        load_task(path.with_name("digit.py"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no_such_module_here.at_all", "no such file or module"),
        (".", "is a folder"),
        ("no/such/folder/task.py", "no such file"),
        ("pyproject.toml", "not a Python file"),
        ("folder.py", r"'folder\.py' is a folder"),
    ],
)
def test_a_source_that_is_no_file_or_module_is_refused(tmp_path, monkeypatch, source, message):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "folder.py").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match=message):
        load_task(source)


def test_an_error_in_a_neighbour_names_the_neighbour(write_task):
    path = write_task("import broken", broken="x = 1\ny = x.no_such\n")
    with pytest.raises(TaskError, match=r"AttributeError: .*\(broken\.py, line 2\)"):
        load_task(path)


def test_nothing_is_left_behind_by_a_file_that_fails(write_task, tmp_path):
    import os
    import sys

    before = os.getcwd(), list(sys.path), set(sys.modules), list(sys.meta_path)
    with pytest.raises(TaskError):
        load_task(write_task("import helper_of_mine\nraise ValueError", helper_of_mine=""))
    after = os.getcwd(), list(sys.path), set(sys.modules), list(sys.meta_path)
    assert before == after
