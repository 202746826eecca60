import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.own import entry_to_dict
from autoopt.errors import SpaceError
from autoopt.recipe import Own, Recipe
from autoopt.training.own import find_class, load_class, locate_class
from autoopt.training.own_entry import optimizer_entry, read_optimizers, reopen_entry
from tests.unit.training import own_optimizers
from tests.unit.training.own_optimizers import Outer, Signs

FILE = Path(own_optimizers.__file__)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the example optimizers in it, and the process in it."""
    (tmp_path / "lions.py").write_text(FILE.read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_class_of_a_file_is_found_again_from_anywhere(folder, monkeypatch):
    own, cls = find_class("lions.py:Signs")
    assert own.target == "lions:Signs"
    assert own.file == str(folder / "lions.py")
    monkeypatch.chdir("/")
    assert load_class(own).__name__ == cls.__name__ == "Signs"
    assert "lions" not in sys.modules


def test_a_module_of_the_current_folder_is_found_as_a_file(folder):
    package = folder / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("from torch.optim import SGD\nclass Mine(SGD): pass\n")
    (package / "lions.py").write_text("from .parts import Mine\n")
    own, cls = find_class("mine.lions:Mine")
    assert (own.target, own.file) == ("mine.lions:Mine", str(package / "lions.py"))
    assert cls.__name__ == "Mine"


def test_a_class_of_an_installed_library_is_found_by_its_module():
    own, cls = find_class("torch.optim:ASGD")
    assert own.file is None
    assert cls is torch.optim.ASGD


def test_a_class_in_hand_is_told_by_where_it_lives():
    own = locate_class(Outer.Inner)
    assert own.target.endswith("own_optimizers:Outer.Inner")
    assert own.file == str(FILE)
    assert load_class(own) is Outer.Inner


def test_code_that_changed_has_another_fingerprint_and_comments_do_not_count(folder):
    file = folder / "lions.py"
    first = find_class("lions.py:Signs")[0]
    file.write_text("# a comment\n" + file.read_text())
    second = find_class("lions.py:Signs")[0]
    file.write_text(file.read_text().replace("slow=False", "slow=True"))
    third, cls = find_class("lions.py:Signs")
    assert first == second != third
    assert cls([torch.zeros(1)]).defaults["slow"] is True


def local_class():
    class Local(Signs):
        pass

    return Local


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (local_class(), "defined inside a function"),
        (own_optimizers.NoOptimizer, "is no torch optimizer"),
        (own_optimizers.an_instance, "is no torch optimizer: give a subclass"),
        (type("Signs", (Signs,), {"__module__": Signs.__module__}), "is another class than the one given"),
    ],
)
def test_a_class_that_others_cannot_find_is_refused(cls, message):
    with pytest.raises(SpaceError, match=message):
        optimizer_entry(cls)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("lions.py", "'lions.py' names no optimizer class: write package.module:Class"),
        ("lions.py:", "names no optimizer class"),
        (":Signs", "names no optimizer class"),
        ("lions.py:no class", "names no optimizer class"),
        ("lion.py:Signs", r"no such file: 'lion.py'; did you mean 'lions.py'\?"),
        ("nowhere.lions:Signs", "no such file or module: 'nowhere.lions'"),
        ("broken.py:Signs", r"loading broken.py: ZeroDivisionError: .*\(broken.py, line 1\)"),
        ("lions.py:Sign", r"lions.py has no 'Sign'; its optimizer classes: .*Signs"),
        ("lions.py:NoOptimizer", "lions:NoOptimizer is no torch optimizer: it must be a subclass"),
        ("lions.py:an_instance", "is no torch optimizer"),
        ("os.path:join", "is no torch optimizer"),
        ("lions.py:Signs name=adamw", "the catalogue has an optimizer 'adamw' already"),
        ("lions.py:Signs lr=1..0.1", "lr from 1 to 0.1 is no range"),
        (
            "lions.py:RaisesWhenMade",
            r"RaisesWhenMade refuses lr=0.001: KeyError: .*no such thing.*\(lions.py, line",
        ),
        ("lions.py:Signs betta1=0.5", r"unknown argument of Signs 'betta1': did you mean 'beta"),
        (
            "lions.py:RaisesInStep",
            r"RaisesInStep raised in step\(\) .*RuntimeError: cannot step \(lions.py, line",
        ),
        ("lions.py:NeedsClosure", r"NeedsClosure raised in step\(\).*'closure'"),
        ("lions.py:HidesItsRate", "HidesItsRate keeps no lr in its parameter groups"),
        ("lions.py:Explodes", "Explodes made the weights of a linear layer infinite"),
    ],
)
def test_what_cannot_be_used_says_why(folder, source, message):
    (folder / "broken.py").write_text("1 / 0\n")
    with pytest.raises(SpaceError, match=message):
        optimizer_entry(source)


def test_what_it_keeps_and_needs_is_measured():
    signs, sgd = optimizer_entry(Signs), optimizer_entry("torch.optim:SGD name=my_sgd momentum=0")
    adamw = optimizer_entry("torch.optim:AdamW name=my_adamw")
    assert (signs.state_floats, signs.needs) == (1.0, frozenset())
    assert (adamw.state_floats, adamw.needs) == (2.0, {"dense_gradients"})
    assert (sgd.state_floats, sgd.needs) == (0.0, {"dense_gradients_to_decay"})
    assert signs.says == "Steps by the sign of a mean of gradients."


def test_looking_at_an_optimizer_leaves_the_random_state_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    optimizer_entry(Signs)
    assert torch.rand(1) == expected


def test_ranges_may_come_with_the_text_or_beside_it_but_not_twice():
    entry = optimizer_entry("torch.optim:SGD name=mine lr=1e-2..1", {"momentum": 0.9})
    assert [h.name for h in entry.hyperparameters] == ["lr", "momentum", "weight_decay"]
    with pytest.raises(SpaceError, match="lr is given twice"):
        optimizer_entry("torch.optim:SGD name=mine lr=1e-2..1", {"lr": 0.1})
    with pytest.raises(SpaceError, match="ranges must map names to ranges"):
        optimizer_entry(Signs, [("lr", 0.1)])


def test_names_of_the_catalogue_and_ones_own_are_told_apart():
    mine = optimizer_entry(Signs)
    names, own = read_optimizers(["sgd", mine, "torch.optim:SGD name=another"], [])
    assert names == ["sgd"]
    assert [entry.name for entry in own] == ["another", "signs"]
    assert read_optimizers("sgd, adam") == (["sgd", " adam"], ())
    assert read_optimizers(None, Signs)[0] is None
    assert read_optimizers(None, Signs)[1][0].hyperparameters == mine.hyperparameters


def test_an_entry_of_the_catalogue_is_named_and_not_given():
    with pytest.raises(SpaceError, match="sgd is no optimizer of your own"):
        read_optimizers([OPTIMIZERS["sgd"]])


def test_a_remembered_entry_tells_the_code_of_today(folder):
    remembered = entry_to_dict(optimizer_entry("lions.py:Signs"))
    assert entry_to_dict(reopen_entry(remembered)) == remembered
    (folder / "lions.py").unlink()
    with pytest.raises(
        SpaceError, match=r"the file of an optimizer cannot be read: .*lions.py: No such file"
    ):
        reopen_entry(remembered)


def test_another_process_builds_the_optimizer_from_the_recipe_alone(folder):
    recipe = Recipe("signs", {"lr": 0.5, "beta1": 0.8}, own=optimizer_entry("lions.py:Signs").own)
    code = (
        "import json, sys; from torch import nn; from autoopt.recipe import Recipe; "
        "from autoopt.training.build import build_optimizer; "
        "made = build_optimizer(nn.Linear(2, 2), Recipe.from_dict(json.loads(sys.argv[1]))); "
        "print(type(made).__name__, made.defaults['betas'])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, json.dumps(recipe.to_dict())],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "Signs (0.8, 0.99)"


@pytest.mark.parametrize(
    "data",
    [
        None, {}, {"target": "lions"}, {"target": "a:b\nimport os"}, {"target": "lions:Lion", "file": 3},
        {"target": "lions:Lion", "tuples": {"betas": ["beta1"]}}, {"target": "lions:Lion", "tuples": {"a b": {}}},
        {"target": "lions:Lion", "more": 1},
    ],
)  # fmt: skip
def test_what_does_not_say_where_an_optimizer_lives_is_refused(data):
    with pytest.raises(SpaceError, match="own of a recipe must have a target"):
        Own.from_dict(data)
