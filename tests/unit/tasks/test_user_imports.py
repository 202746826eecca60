"""The user's file finds its neighbours, its package and its data, and leaves no trace."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from autoopt.errors import TaskError
from autoopt.tasks.load import load_task

USES = """
import torch
from torch import nn
{imports}

X, y = torch.randn(40, 4), torch.arange(40) % 2
train_data = (X, y)


def model():
    {lazily}
    return nn.Linear(4, WIDTH)
"""


def uses(imports: str, lazily: str = "pass") -> str:
    return USES.format(imports=imports, lazily=lazily)


def test_a_neighbour_is_imported(write_task):
    task = load_task(write_task(text=uses("from sizes import WIDTH"), sizes="WIDTH = 2"))
    assert task.make_model().out_features == 2


def test_a_neighbour_wins_over_a_module_that_was_imported_before(write_task, monkeypatch):
    other = ModuleType("sizes")
    monkeypatch.setitem(sys.modules, "sizes", other)
    task = load_task(write_task(text=uses("from sizes import WIDTH"), sizes="WIDTH = 2"))
    assert task.make_model().out_features == 2
    assert sys.modules["sizes"] is other


@pytest.mark.parametrize("installed", ["pytest", "iniconfig", "pluggy"])
def test_a_neighbour_wins_over_an_installed_package(write_task, installed):
    before = sys.modules.get(installed)
    path = write_task(text=uses(f"from {installed} import WIDTH"), **{installed: "WIDTH = 2"})
    assert load_task(path).make_model().out_features == 2
    assert sys.modules.get(installed) is before


def test_a_neighbouring_package_wins_with_its_modules(write_task, tmp_path):
    path = write_task(text=uses("from pluggy.version import WIDTH"))
    write_task(text="", name="pluggy/__init__.py", version="WIDTH = 2")
    before = sys.modules["pluggy"], sys.modules["pluggy._hooks"]
    assert load_task(path).make_model().out_features == 2
    assert (sys.modules["pluggy"], sys.modules["pluggy._hooks"]) == before


def test_a_mere_folder_hides_no_installed_package(write_task):
    path = write_task(text=uses("import pluggy, sys\nWIDTH = 2\nassert pluggy.PluginManager"))
    write_task(text="", name="pluggy/readme.txt")
    before = sys.modules["pluggy"]
    assert load_task(path).make_model().out_features == 2
    assert sys.modules["pluggy"] is before


def test_a_folder_without_init_is_imported_as_a_package(write_task):
    path = write_task(text=uses("from parts.sizes import WIDTH"))
    write_task(text="WIDTH = 2", name="parts/sizes.py")
    assert load_task(path).make_model().out_features == 2
    assert "parts" not in sys.modules


def test_two_tasks_have_each_their_own_neighbour(write_task):
    lazy = uses("", "from sizes import WIDTH")
    one = load_task(write_task(text=lazy, name="a/task.py", sizes="WIDTH = 2"))
    two = load_task(write_task(text=lazy, name="b/task.py", sizes="WIDTH = 3"))
    assert [task.make_model().out_features for task in (one, two, one)] == [2, 3, 2]
    assert "sizes" not in sys.modules


def test_an_edited_file_is_read_anew(write_task):
    lazy = uses("from sizes import WIDTH")
    load_task(write_task(text=lazy, sizes="WIDTH = 2"))
    task = load_task(write_task(text=lazy, sizes="WIDTH = 3  # changed"))
    assert task.make_model().out_features == 3


@pytest.mark.parametrize(
    "name", ["torch", "numpy", "random", "sklearn", "autoopt", "queue", "my-task", "3rd", "pytest"]
)
def test_a_task_file_may_have_the_name_of_another_module(write_task, name):
    task = load_task(write_task(text=uses(
        "import random, queue, numpy, sklearn.datasets, pytest\nWIDTH = 2\nassert sklearn.datasets.load_digits"
    ), name=f"{name}.py"))  # fmt: skip
    assert task.name == name
    assert task.make_model().out_features == 2
    assert sys.modules["torch"] is torch


def test_a_neighbour_never_stands_for_a_standard_module(write_task):
    path = write_task(text=uses("import colorsys, statistics\nWIDTH = 2\nassert statistics.mean"),
                      statistics="raise RuntimeError", random="raise RuntimeError", torch="raise RuntimeError")  # fmt: skip
    assert load_task(path).make_model().out_features == 2


def test_a_neighbour_that_hides_behind_a_standard_module_is_told(write_task):
    path = write_task(text=uses("from statistics import WIDTH"), statistics="WIDTH = 2")
    with pytest.raises(
        TaskError, match="statistics beside the file has the name of an installed module: rename it"
    ):
        load_task(path)


def test_a_file_in_a_package_is_imported_as_part_of_it(write_task):
    write_task(text="", name="pack/__init__.py", sizes="WIDTH = 2")
    path = write_task(text=uses("from ..sizes import WIDTH\nfrom . import near\nimport pack.sizes"),
                      name="pack/tasks/task.py", near="", __init__="")  # fmt: skip
    assert load_task(path).make_model().out_features == 2
    assert not [name for name in sys.modules if name.startswith("pack.")]


def test_a_file_in_a_package_may_import_its_neighbour_by_bare_name(write_task):
    path = write_task(text=uses("from near import WIDTH"), name="pack/task.py", near="WIDTH = 2", __init__="")
    assert load_task(path).make_model().out_features == 2


def test_a_package_that_the_program_imported_before_is_shared(write_task, tmp_path, monkeypatch):
    path = write_task(text=uses("import shared_pack\nWIDTH = shared_pack.WIDTH"), name="shared_pack/task.py",
                      __init__="WIDTH = 2")  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    shared = __import__("shared_pack")
    try:
        shared.WIDTH = 3
        assert load_task(path).make_model().out_features == 3
        assert sys.modules["shared_pack"] is shared
        assert "shared_pack.task" not in sys.modules
    finally:
        del sys.modules["shared_pack"]


def test_an_error_in_the_package_is_told(write_task):
    path = write_task(text=uses("WIDTH = 2"), name="pack/task.py", __init__="raise ValueError('broken')")
    with pytest.raises(TaskError, match=r"ValueError: broken \(__init__\.py, line 1\)"):
        load_task(path)


def test_paths_are_relative_to_the_file_also_in_training(write_task, tmp_path, monkeypatch):
    write_task(text=uses("""
from pathlib import Path
WIDTH = int(Path("data/width.txt").read_text())

class Rows(torch.utils.data.Dataset):
    def __len__(self): return 20
    def __getitem__(self, row): return torch.ones(4) * int(Path("data/width.txt").read_text()), row % 2
""") + "\ntrain_data = Rows()\n", name="deep/task.py")  # fmt: skip
    write_task(text="2", name="deep/data/width.txt")
    monkeypatch.chdir(tmp_path)
    task = load_task("deep/task.py")
    assert Path.cwd() == tmp_path
    with task.surroundings():
        assert Path.cwd() == tmp_path / "deep"
        rows = sum(len(target) for _, target in task.train.batches(8, shuffle_seed=0))
    assert rows == 16
    assert Path.cwd() == tmp_path


def test_a_path_that_the_file_adds_holds_later_and_does_not_leak(write_task, tmp_path):
    write_task(text="WIDTH = 2", name="elsewhere/far_sizes.py")
    path = write_task(
        text=uses("import sys; sys.path.append('../elsewhere')", "from far_sizes import WIDTH"),
        name="a/task.py",
    )
    task = load_task(path)
    assert "../elsewhere" not in sys.path
    assert task.make_model().out_features == 2
    del sys.modules["far_sizes"]


def test_surroundings_may_be_nested_and_are_restored_after_an_error(write_task):
    task = load_task(write_task())
    before = os.getcwd(), list(sys.path), list(sys.meta_path)
    with pytest.raises(ZeroDivisionError), task.surroundings(), task.surroundings():
        1 / 0  # noqa: B018
    assert (os.getcwd(), list(sys.path), list(sys.meta_path)) == before


def test_the_working_directory_may_have_been_deleted(write_task, tmp_path, monkeypatch):
    path = write_task()
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert load_task(path).train.rows == 48


def test_classes_of_the_file_can_be_pickled_inside_the_surroundings(write_task):
    import pickle

    task = load_task(write_task("class Net(nn.Linear): ...\nmodel = lambda: Net(4, 3)"))
    with task.surroundings():
        copy = pickle.loads(pickle.dumps(task.make_model()))
    assert type(copy).__name__ == "Net"


def test_future_imports_of_this_package_do_not_reach_the_file(write_task):
    path = write_task(
        "from dataclasses import dataclass, fields\n@dataclass\nclass A:\n    x: int\nassert fields(A)[0].type is int"
    )
    assert load_task(path).train.rows == 48
