"""Checks of plain data that knowledge files share; each says what is wrong, where, and what to write."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

from autoopt.errors import GuidanceError, unknown_name


def check_fields(data: Any, known: Collection[str], where: str, *, needed: Collection[str]) -> None:
    """Raise GuidanceError unless ``data`` maps known fields only, all the needed ones among them."""
    check_known(list(as_mapping(data, where)), known, "field", where)
    for name in needed:
        if data.get(name) in (None, "", []):
            raise GuidanceError(f"{where} has no {name!r}")


def check_known(names: Any, known: Collection[str], kind: str, where: str) -> tuple[str, ...]:
    """Return the names as a tuple, or raise GuidanceError for the first that is not known."""
    for name in as_list(names, f"{kind}s of {where}"):
        if not isinstance(name, str) or name not in known:
            raise GuidanceError(f"{where}: {unknown_name(kind, str(name), known)}")
    return tuple(names)


def check_choice(value: Any, choices: Any, where: str) -> None:
    """Raise GuidanceError unless the value is one of a Literal's."""
    if value not in get_args(choices):
        raise GuidanceError(f"{where} is {value!r}; it must be one of {', '.join(get_args(choices))}")


def check_unique(names: list[str], kind: str) -> None:
    """Raise GuidanceError if a name comes twice."""
    if twice := {name for name in names if names.count(name) > 1}:
        raise GuidanceError(f"{kind} {min(twice)!r} is there twice; ids must be unique")


def as_list(data: Any, what: str) -> list[Any]:
    """Return the data if they are a list, else raise GuidanceError."""
    if not isinstance(data, list):
        raise GuidanceError(f"{what} must be a list, got {str(data)[:60]!r}")
    return data


def as_mapping(data: Any, what: str) -> Mapping[str, Any]:
    """Return the data if they map names to values, else raise GuidanceError."""
    if not isinstance(data, Mapping):
        raise GuidanceError(f"{what} must map names to values, got {str(data)[:60]!r}")
    return data


def as_texts(data: Any, what: str) -> tuple[str, ...]:
    """Return a list of sentences as a tuple, else raise GuidanceError: YAML reads ``a: b`` as a mapping."""
    for text in as_list(data, what):
        if not isinstance(text, str):
            raise GuidanceError(f"{what}: {text!r} is not text; put quotes around a sentence with a colon")
    return tuple(data)
