"""Entries of optimizers that are the user's own: in no table, but held by the space of a study and by recipes.

A recipe of such an optimizer carries an ``Own``, so that it can be shown, exported and built wherever it goes.
Nothing is imported here, whatever a recipe or a study says; ``autoopt.training.own`` does that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, Value
from autoopt.errors import SpaceError, unknown_name
from autoopt.recipe import Own, Recipe

LAST = 1000  # rank: any entry of the catalogue is simpler, as more is known of it


def entry_of(recipe: Recipe) -> OptimizerEntry:
    """Return the entry of a recipe's optimizer, in the catalogue or the user's own; nothing is imported.

    That of a user's own has no hyperparameters here: their ranges are known to the study alone.

    Raises:
        SpaceError: the catalogue has no optimizer of that name.
    """
    if recipe.own is not None:
        return own_entry(recipe.optimizer, recipe.own, ())
    if recipe.optimizer not in OPTIMIZERS:
        raise SpaceError(unknown_name("optimizer", recipe.optimizer, OPTIMIZERS))
    return OPTIMIZERS[recipe.optimizer]


def own_entry(
    name: str, own: Own, hyperparameters: tuple[Hyperparameter, ...], says: str = ""
) -> OptimizerEntry:
    """Return the entry of a class of the user's; its state is not known before it was tried."""
    return OptimizerEntry(
        name, title=own.target.partition(":")[2], family="own", target=own.target,
        hyperparameters=hyperparameters, arguments=_arguments(own.tuples), state_floats=math.inf, rank=LAST,
        own=own, in_default_search=True, says=says or "An optimizer of your own.", references=(own.target,),
    )  # fmt: skip


def entry_to_dict(entry: OptimizerEntry) -> dict[str, Any]:
    """Return a user's own entry as plain data, all that a study must remember; ``entry_from_dict`` reads it."""
    assert entry.own is not None
    found = [
        {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(h).items()}
        for h in entry.hyperparameters
    ]
    return {"name": entry.name, "own": entry.own.to_dict(), "hyperparameters": found, "says": entry.says}


def entry_from_dict(data: Mapping[str, Any]) -> OptimizerEntry:
    """Return the entry that ``entry_to_dict`` told; nothing is imported.

    Raises:
        SpaceError: a field is missing or unknown.
    """
    try:
        found = tuple(
            Hyperparameter(**{**h, "choices": tuple(h["choices"])}) for h in data["hyperparameters"]
        )
        return own_entry(data["name"], Own.from_dict(data["own"]), found, data["says"])
    except (KeyError, TypeError) as error:
        raise SpaceError(
            f"an optimizer of your own cannot be read from {str(data)[:80]!r}: {error}"
        ) from error


def check_apart(entries: Iterable[OptimizerEntry]) -> None:
    """Make sure that no two of the user's own optimizers have one name.

    Raises:
        SpaceError: two have.
    """
    seen: dict[str, str] = {}
    for entry in entries:
        if entry.name in seen:
            raise SpaceError(
                f"{seen[entry.name]} and {entry.target} would both be called {entry.name!r}: give one of them "
                f"another name, such as name=my_{entry.name}"
            )
        seen[entry.name] = entry.target


def tell_difference(before: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]]) -> str:
    """Say in what the user's own optimizers of a study differ from those of today, as ``entry_to_dict`` tells them."""
    then, today = ({data["name"]: data for data in entries} for entries in (before, now))
    if then.keys() != today.keys():
        names = [", ".join(each) or "none" for each in (then, today)]
        return f"this study was made with optimizers of your own: {names[0]}; now they are: {names[1]}"
    for name, data in today.items():
        if data["own"]["code"] != then[name]["own"]["code"]:
            return f"the code of {name} has changed since this study was made"
        if data["own"] != then[name]["own"]:
            return f"{name} lives in {data['own']['file'] or data['own']['target']} now, and lived elsewhere before"
        if data["hyperparameters"] != then[name]["hyperparameters"]:
            return f"{name} has other ranges than this study was made with"
    return ""


def _arguments(tuples: Mapping[str, Mapping[str, float]]) -> Callable[[Mapping[str, Value]], dict[str, Any]]:
    """Return the function from settings to keyword arguments: parts of a tuple join, what is not set is its default."""
    parts = {part for defaults in tuples.values() for part in defaults}

    def arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
        plain = {name: value for name, value in settings.items() if name not in parts}
        return plain | {
            name: tuple(settings.get(part, default) for part, default in defaults.items())
            for name, defaults in tuples.items()
            if defaults.keys() & settings.keys()
        }

    return arguments
