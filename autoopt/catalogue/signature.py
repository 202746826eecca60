"""The entry of an optimizer class of the user's: what its signature tells, and the ranges that were given."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from keyword import iskeyword
from typing import Any

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry
from autoopt.catalogue.hyperparameters import BETA1, BETA2, learning_rate
from autoopt.catalogue.own import own_entry
from autoopt.catalogue.ranges import Choices, Given, Range, is_number, whole
from autoopt.catalogue.sgd import MOMENTUM
from autoopt.errors import SpaceError, unknown_name
from autoopt.recipe import Own

WEIGHT_DECAY = Hyperparameter(
    "weight_decay", low=1e-5, high=0.1, scale="log", or_zero=True,
    says="Its name says what it does; whether it is coupled or decoupled is not known, so the range spans both.",
)  # fmt: skip

_TAKEN = {"batch_size", "clip_norm", "clip_value", "decay_all", "schedule", "optimizer", "lr_relative"} | {
    hyperparameter.name for entry in SCHEDULES.values() for hyperparameter in entry.hyperparameters
}
_REQUIRED = object()


def describe_optimizer(
    name: str, own: Own, signature: inspect.Signature, ranges: Mapping[str, Given], says: str = ""
) -> OptimizerEntry:
    """Return the entry of a class with that signature: ranges as given, the others guessed.

    Guessed are lr (0.03 to 30 times its default), weight_decay, momentum and the numbers of a tuple betas;
    what else the class takes keeps its default unless a range is given.

    Args:
        name: as in ``--optimizers``; must not be one of the catalogue's.
        own: where the class lives; its tuples are filled in.
        signature: of the constructor, without self.
        says: a sentence about it.

    Raises:
        SpaceError: the name is taken, the signature is not that of a torch optimizer, or a range does not fit it.
    """
    _check_own_name(name, own)
    arguments = _Arguments(own.target.partition(":")[2], signature)
    betas = arguments.betas()
    known = {**betas, **arguments.defaults}
    arguments.check(ranges, known)
    guessed = [each for each, default in known.items() if each in betas or _is_guessed(each, default)]
    others = [setting for setting in dict.fromkeys((*guessed, *ranges)) if setting != "lr"]
    found = (
        _learning_rate(ranges.get("lr"), known.get("lr")),
        *(_hyperparameter(setting, ranges.get(setting), known.get(setting)) for setting in others),
    )
    return own_entry(name, replace(own, tuples={"betas": betas} if betas else {}), found, says)


def _check_own_name(name: str, own: Own) -> None:
    if not (name.isidentifier() and name == name.lower()):
        raise SpaceError(f"{name!r} cannot be the name of an optimizer: use lower-case letters, digits and _")
    if name in OPTIMIZERS:
        raise SpaceError(
            f"the catalogue has an optimizer {name!r} already: give {own.target} another name, such as "
            f"name=my_{name}, or take the catalogue's with --optimizers {name}"
        )


class _Arguments:
    """What a constructor takes beside the parameters: defaults by name, ``_REQUIRED`` where there is none."""

    def __init__(self, owner: str, signature: inspect.Signature) -> None:
        kinds = inspect.Parameter
        first, others = list(signature.parameters.values())[:1], list(signature.parameters.values())[1:]
        if not first or first[0].kind not in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD):
            raise SpaceError(
                f"{owner}{signature} cannot be called as a torch optimizer: its first argument must be the "
                "parameters to train"
            )
        if odd := [p.name for p in others if p.kind is kinds.POSITIONAL_ONLY]:
            raise SpaceError(
                f"{owner}{signature} takes {odd[0]} by position only: settings are given by name"
            )
        self.owner = owner
        self.takes_any = any(p.kind is kinds.VAR_KEYWORD for p in others)
        self.defaults = {
            p.name: _REQUIRED if p.default is p.empty else p.default
            for p in others
            if p.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
        }

    def betas(self) -> dict[str, float]:
        """Return the parts of ``betas`` by name, if its default is a tuple of numbers from 0 to below 1."""
        given = self.defaults.get("betas")
        if not isinstance(given, tuple | list) or not all(is_number(b) and 0 <= b < 1 for b in given):
            return {}
        betas = {f"beta{k}": float(beta) for k, beta in enumerate(given, 1)}
        return {} if betas.keys() & self.defaults.keys() else betas

    def check(self, ranges: Mapping[str, Given], known: Mapping[str, Any]) -> None:
        """Make sure that every range is of an argument, and that every argument that needs a value has one."""
        for name in ranges:
            if name in _TAKEN or iskeyword(name):
                raise SpaceError(
                    f"{name} of {self.owner} cannot be searched: the name has another meaning in recipes"
                )
            if name not in known and not self.takes_any:
                raise SpaceError(unknown_name(f"argument of {self.owner}", name, known))
            if isinstance(known.get(name), tuple | list):
                parts = ", ".join(self.betas()) if name == "betas" else ""
                raise SpaceError(
                    f"{name} of {self.owner} is a tuple, which has no range" + (parts and f": give {parts}")
                )
        if "lr" not in known and "lr" not in ranges:
            raise SpaceError(
                f"{self.owner} has no argument lr: an optimizer needs a learning rate that schedules can change"
            )
        for name, default in self.defaults.items():
            if default is _REQUIRED and name not in ranges:
                raise SpaceError(
                    f"{self.owner} needs {name}, which has no default: give its range, {name}=LOW..HIGH"
                )


def _is_guessed(name: str, default: Any) -> bool:
    if name == "momentum":
        return is_number(default) and 0 <= default < 1
    return name == "weight_decay" and is_number(default) and default >= 0


def _learning_rate(given: Given | None, default: Any) -> Hyperparameter:
    """Return lr: its range as given, or around its default, or around the one value that is given."""
    usual = float(default) if is_number(default) and default > 0 else None
    if isinstance(given, Choices):
        if len(given.values) != 1 or not is_number(given.values[0]) or float(given.values[0]) <= 0:
            raise SpaceError(
                f"lr is searched as a range, so give lr=LOW..HIGH or one best guess, not {given.values}"
            )
        return learning_rate(float(given.values[0]), "Around the best guess that you gave.")
    if given is None:
        if usual is None:
            raise SpaceError("lr has no default above 0 to search around: give its range, lr=LOW..HIGH")
        return learning_rate(usual, "Around its default in the class, as for every optimizer.")
    if given.low <= 0:
        raise SpaceError(f"lr from {given.low} to {given.high} is no range of learning rates: begin above 0")
    middle = math.sqrt(given.low * given.high)
    inside = usual if usual is not None and given.low * 3 <= usual <= given.high / 3 else middle
    best = float(given.reference or inside)
    return Hyperparameter(
        "lr", low=float(given.low), high=float(given.high), scale="log", reference=best, legal="above 0",
        says="The range that you gave.",
    )  # fmt: skip


def _hyperparameter(name: str, given: Given | None, default: Any) -> Hyperparameter:
    usual = {"weight_decay": WEIGHT_DECAY, "momentum": MOMENTUM, "beta1": BETA1}.get(
        name, BETA2 if re.fullmatch(r"beta\d*", name) else Hyperparameter(name, legal="of any size")
    )
    if given is None:
        says = (
            usual.says if name == "weight_decay" else "Guessed from its name; the best guess is its default."
        )
        return _around(replace(usual, name=name, says=says), float(default))
    says = "As you gave it."
    if isinstance(given, Choices):
        if set(given.values) == {True, False} and all(isinstance(v, bool) for v in given.values):
            best = default if isinstance(default, bool) else given.values[0]
            return Hyperparameter(name, kind="bool", reference=best, legal=usual.legal, says=says)
        best = default if default in given.values else given.values[0]
        return Hyperparameter(
            name, kind="choice", choices=given.values, reference=best, legal=usual.legal, says=says
        )
    return _ranged(replace(usual, name=name, or_zero=False, says=says), given, default)


def _ranged(usual: Hyperparameter, given: Range, default: Any) -> Hyperparameter:
    low, high = given.low, given.high
    if usual.legal == "from 0 to below 1" and not 0 <= low < high < 1:
        raise SpaceError(f"{usual.name} from {low} to {high} is no range: it goes from 0 to below 1")
    if usual.legal == "at least 0" and low < 0:
        raise SpaceError(f"{usual.name} from {low} to {high} is no range: it must not be negative")
    if usual.legal == "of any size":
        integral = whole((low, high)) and (whole((default,)) or not is_number(default))
        wide = low > 0 and high / low >= 10
        usual = replace(
            usual, kind="int" if integral else "float", scale="log" if wide and not integral else "linear"
        )
    elif usual.scale == "log" and low == 0:
        low, usual = high / 1000, replace(usual, or_zero=True)
    best = given.reference if given.reference is not None else default
    if not is_number(best) or not (low <= best <= high or (usual.or_zero and best == 0)):
        best = _middle(low, high, usual.scale)
    best = round(best) if usual.kind == "int" else float(best)
    return replace(usual, low=float(low), high=float(high), reference=best)


def _around(usual: Hyperparameter, default: float) -> Hyperparameter:
    """Return the usual range, made to hold the default of the class."""
    if usual.or_zero and default <= 0:
        return replace(usual, reference=0.0)
    return replace(usual, low=min(usual.low, default), high=max(usual.high, default), reference=default)


def _middle(low: float, high: float, scale: str) -> float:
    if scale == "log":
        return math.sqrt(low * high)
    if scale == "one_minus_log":
        return 1 - math.sqrt((1 - low) * (1 - high))
    return (low + high) / 2
