"""The rooms of the house: who may import whom (CONTRIBUTING.md draws it), and no circles."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "autoopt"
# From the top down: a room imports from rows below its own, or from itself.
FLOORS = [
    {"__main__"},
    {"cli", "integrations", "__init__"},
    {"dashboard"},
    {"tuning", "advice", "export", "history"},
    {"given", "together"},
    {"sitting", "loops", "opening"},
    {"finals"},
    {"options"},
    {"verdict"},
    {"guidance", "search", "sharing"},
    {"subject"},
    {"space", "training", "records"},
    {"catalogue", "tasks"},
    {"progress", "versions"},
    {"run"},
    {"recipe"},
    {"errors"},
]
FLOOR = {room: len(FLOORS) - n for n, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(ROOT.rglob("*.py"))
THIRD_PARTIES = {
    "optuna": {"search"},
    "torch": {"tasks", "training", "loops", "verdict", "cli", "integrations"},
    "sqlalchemy": {"records", "sharing"},
    "typer": {"cli"},
    "rich": {"cli"},
    "yaml": {"guidance", "export"},
    "scipy": {"verdict", "search", "integrations"},
    "sklearn": {"tasks", "integrations"},
    "torchmetrics": {"tasks"},
    "streamlit": {"dashboard"},
    "plotly": {"dashboard"},
    "pandas": {"dashboard", "history"},
    **{name: {"integrations"} for name in ("keras", "lightning", "mlflow", "tqdm", "skorch", "transformers")},
}


def room_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def module_name(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path, top_level_only=False):
    """Names of modules imported at run time; type-checking blocks don't count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {id(x) for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)
              for x in ast.walk(n)}  # fmt: skip
    nodes = tree.body if top_level_only else [n for n in ast.walk(tree) if id(n) not in hidden]
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_room_imports_only_from_the_floors_below(path):
    room = room_of(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "autoopt" or room == "__main__":
            continue
        used = parts[1] if len(parts) > 1 else "__init__"
        below = used == room or used == "__init__" or FLOOR[used] < FLOOR[room]
        assert below, f"{module_name(path)} must not import {name}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_third_parties_stay_in_their_rooms(path):
    for name in imports(path):
        allowed = THIRD_PARTIES.get(name.split(".")[0])
        assert allowed is None or room_of(path) in allowed, f"{module_name(path)} must not import {name}"


def test_search_knows_training_by_the_cohort_door_alone():
    for path in (ROOT / "search").glob("*.py"):
        used = {name for name in imports(path) if name.startswith("autoopt.training")}
        assert used <= {"autoopt.training.cohort"}, path


def test_there_is_no_import_circle():
    names = {module_name(path) for path in MODULES}
    graph = {}
    for path in MODULES:
        wanted = set(imports(path, top_level_only=True))
        graph[module_name(path)] = (wanted & names) - {module_name(path)}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py"], ids=module_name)
def test_every_room_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_modules_stay_readable():
    long = {
        module_name(p): n for p in MODULES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert not long


def test_a_door_to_another_library_is_small_and_nobody_imports_it():
    doors = list((ROOT / "integrations").glob("*.py"))
    assert not {path.name: n for path in doors if (n := len(path.read_text().splitlines())) > 150}
    others = [path for path in MODULES if room_of(path) != "integrations"]
    assert not [
        path for path in others if any(name.startswith("autoopt.integrations") for name in imports(path))
    ]
