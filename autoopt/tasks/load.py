"""Loading a task out of the user's file or module."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from autoopt.errors import TaskError
from autoopt.tasks.explain import describe_error, explained
from autoopt.tasks.handed import HandedData
from autoopt.tasks.location import Location, locate
from autoopt.tasks.make import Origin, make_task
from autoopt.tasks.randomness import OwnRandomness
from autoopt.tasks.surroundings import Surroundings
from autoopt.tasks.task import Task

NAMES = ("model", "train_data", "val_data", "test_data", "loss", "metric", "metric_direction",
         "epochs", "batch_size", "steps_per_epoch", "step", "name")  # fmt: skip
_REQUIRED = {
    "model": "a class or function that returns a fresh torch.nn.Module",
    "train_data": "a pair (X, y), a Dataset or a DataLoader, or a function that returns one",
}


def load_task(
    source: str | Path,
    *,
    metric: str | None = None,
    seed: int = 0,
    epochs: int | None = None,
    batch_size: int | None = None,
    handed: HandedData | None = None,
) -> Task:
    """Load the task that a Python file describes, and try it on one batch.

    Args:
        source: path of a file (``task.py``), or a module (``package.module``).
        metric: what is searched: ``None`` or ``"loss"`` for the validation loss, ``"metric"`` or its name
            for the file's own metric, or a name such as ``"accuracy"``.
        seed: decides which rows are held out where the file has no ``val_data``.
        epochs, batch_size: instead of those in the file.
        handed: data instead of those of the file, whose functions for them are not called.

    Raises:
        TaskError: no such file, an error in it, or something in it that cannot be used.

    The file's code draws its random numbers from a state of its own, so data that it makes without a seed
    are the same in every process.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
    ...     _ = file.write("import torch\\nmodel = lambda: torch.nn.Linear(2, 1)\\n"
    ...                    "train_data = torch.rand(40, 2), torch.rand(40, 1)")
    ...     file.flush()
    ...     load_task(file.name).loss_name
    'mse_loss'
    """
    location = locate(source)
    surroundings = location.surroundings()
    with surroundings(), OwnRandomness(0):
        module = run_file(location, surroundings)
        given = {name: getattr(module, name) for name in NAMES if getattr(module, name, None) is not None}
        _check_names(module, given, location.file.name)
        given |= {"epochs": epochs} if epochs is not None else {}
        given |= {"batch_size": batch_size} if batch_size is not None else {}
        given = given if handed is None else handed.instead_of(given)
        origin = Origin(
            location.lasting, location.file.read_bytes(), surroundings, _find_strays(module, given)
        )
        if not isinstance(given.setdefault("name", location.name), str):
            raise TaskError(f"name is {given['name']!r}: it must be text")
        task = make_task(**given, objective=metric, seed=seed, origin=origin)
        return task if handed is None else replace(task, fingerprint=handed.fingerprint)


def run_file(location: Location, surroundings: Surroundings) -> ModuleType:
    """Run the user's file within its surroundings and return its module.

    It is run from its source, for a cached form could be older.

    Raises:
        TaskError: an error in it.
    """
    importlib.invalidate_caches()
    package = location.file.name == "__init__.py"
    places = [str(location.file.parent)] if package else None
    spec = importlib.util.spec_from_file_location(
        location.module, location.file, submodule_search_locations=places
    )
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    parent = location.module.rpartition(".")[0]
    try:
        with explained(f"loading {location.file.name}"):
            if parent:
                importlib.import_module(parent)
            sys.modules[location.module] = module
            code = compile(location.file.read_bytes(), str(location.file), "exec", dont_inherit=True)
            exec(code, module.__dict__)
    except TaskError as error:
        hint = _say_hidden(str(error), surroundings)
        raise TaskError(f"{error}{hint}") from error.__cause__
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # pytest's and some others' own are no Exception
        raise TaskError(f"loading {location.file.name}: {describe_error(error)}") from error
    return module


def _say_hidden(message: str, surroundings: Surroundings) -> str:
    if "No module named 'tensorflow'" in message:
        return '; for Keras, set os.environ["KERAS_BACKEND"] = "torch" before it is imported'
    for name in surroundings.protected_neighbours():
        if f"'{name}'" in message or f"'{name}." in message:
            return f"; {name} beside the file has the name of an installed module: rename it"
    return ""


def _check_names(module: ModuleType, given: dict[str, Any], file: str) -> None:
    for name, what in _REQUIRED.items():
        if name in given:
            continue
        if name in vars(module):
            raise TaskError(f"{name} of {file} is None: it must be {what}")
        hint = _find_model_class(module) if name == "model" else ""
        near = difflib.get_close_matches(name, _own_names(module), n=1, cutoff=0.5)
        hint = hint or (f"; did you mean {near[0]!r}? Call it {name!r}" if near else "")
        raise TaskError(f"{file} has no {name!r}: it must be {what}{hint}")


def _find_model_class(module: ModuleType) -> str:
    for name, value in vars(module).items():
        if inspect.isclass(value) and issubclass(value, nn.Module) and value.__module__ == module.__name__:
            return f"; found the class {name}: write model = {name}"
        if isinstance(value, nn.Module):
            return f"; found the module {name}: write a function model() that makes it"
    return ""


def _find_strays(module: ModuleType, given: dict[str, Any]) -> tuple[str, ...]:
    """Return notes on names that look like ours and are not read, such as ``valid_data``."""
    free = [name for name in NAMES if name not in given]
    notes = []
    for name in _own_names(module):
        near = difflib.get_close_matches(name, free, n=1, cutoff=0.8)
        if near and name not in NAMES:
            notes.append(f"{name!r} is not read: did you mean {near[0]!r}?")
    return tuple(notes)


def _own_names(module: ModuleType) -> list[str]:
    return [
        name for name, value in vars(module).items() if name[0] != "_" and not isinstance(value, ModuleType)
    ]
