"""Recipe: one complete optimizer setting, a value that travels through every room."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from autoopt.errors import SpaceError

Setting = float | int | bool | str
WHOLE: Literal["whole"] = "whole"
"""In place of a batch size: the whole training set is one batch."""


@dataclass(frozen=True)
class Own:
    """Where an optimizer lives that is the user's own: all that its recipes need beyond their settings.

    Attributes:
        target: module and class as people import them: ``lions:Lion``.
        file: where the module's file lies; ``None`` for one that Python finds by its name.
        tuples: arguments that are tuples, with the settings that fill them in order and their defaults: ``betas``
            has ``beta1`` and ``beta2``. Every other setting is an argument of its own name.
        code: fingerprint of the source; empty where there is none to read.
    """

    target: str
    file: str | None = None
    tuples: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    code: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; ``from_dict`` reads it back."""
        tuples = {name: dict(parts) for name, parts in self.tuples.items()}
        return {"target": self.target, "file": self.file, "tuples": tuples, "code": self.code}

    @classmethod
    def from_dict(cls, data: Any) -> Own:
        """Read what ``to_dict`` wrote; nothing is imported.

        Raises:
            SpaceError: a field is missing, unknown or of the wrong type.
        """
        if isinstance(data, Mapping) and not set(data) - set(cls.__dataclass_fields__):
            target, file, code = data.get("target"), data.get("file"), data.get("code", "")
            tuples = data.get("tuples", {})
            if (
                isinstance(target, str) and _TARGET.fullmatch(target)
                and isinstance(file, str | None) and isinstance(code, str)
                and _names_things(tuples) and all(_names_things(parts) for parts in tuples.values())
                and all(isinstance(v, float | int) for parts in tuples.values() for v in parts.values())
            ):  # fmt: skip
                return cls(target, file, {name: dict(parts) for name, parts in tuples.items()}, code)
        raise SpaceError(
            "own of a recipe must have a target such as 'lions:Lion', and may have a file, tuples of named "
            f"numbers and code, got {str(data)[:80]!r}"
        )


# What exported code imports: two dotted names, so that nothing else can get into the code.
_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def _names_things(data: Any) -> bool:
    return isinstance(data, Mapping) and all(isinstance(name, str) and name.isidentifier() for name in data)


@dataclass(frozen=True)
class Recipe:
    """How to train: optimizer, its settings, schedule, batch size, clipping.

    Attributes:
        optimizer: a name in the catalogue, for example ``"adamw"``.
        settings: hyperparameters of the optimizer by their catalogue names (``lr``, ``weight_decay``, …).
        schedule: a name in the catalogue, for example ``"cosine"``.
        schedule_settings: hyperparameters of the schedule; ``warmup`` is the share of all steps, 0 to 1.
        batch_size: rows a training batch, or ``WHOLE`` for all there are; ``None`` leaves it to the task.
        clip_norm: largest allowed 2-norm of the whole gradient; ``None`` means no clipping.
        clip_value: largest allowed size of each number in the gradient, likewise; one of the two at most.
        decay_all: also decay biases and normalisation parameters (those with fewer than two dimensions).
        own: where the optimizer lives if it is the user's own, and no entry of the catalogue.
        extras: hyperparameters of the user's own training loop, by the names that it asks for them.

    >>> recipe = Recipe("sgd", {"lr": 0.1, "momentum": 0.9}, "cosine", batch_size=64)
    >>> print(recipe)
    sgd · lr 0.1 · momentum 0.9 · cosine · batch 64
    >>> Recipe.from_dict(recipe.to_dict()) == recipe
    True
    """

    optimizer: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    schedule: str = "constant"
    schedule_settings: Mapping[str, Setting] = field(default_factory=dict)
    batch_size: int | Literal["whole"] | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    decay_all: bool = False
    own: Own | None = None
    extras: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits, equal for equal recipes."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; ``from_dict`` reads it back."""
        data: dict[str, Any] = {
            "optimizer": self.optimizer,
            "settings": dict(self.settings),
            "schedule": self.schedule,
            "schedule_settings": dict(self.schedule_settings),
            "batch_size": self.batch_size,
            "clip_norm": self.clip_norm,
            "clip_value": self.clip_value,
            "decay_all": self.decay_all,
        }
        data |= {} if self.own is None else {"own": self.own.to_dict()}
        return data | ({"extras": dict(self.extras)} if self.extras else {})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """Read what ``to_dict`` wrote.

        Raises:
            SpaceError: a field is missing, unknown or of the wrong type.
        """
        if not isinstance(data, Mapping) or not isinstance(data.get("optimizer"), str):
            raise SpaceError(f"a recipe needs an 'optimizer' name, got {str(data)[:80]!r}")
        if unknown := set(data) - set(cls.__dataclass_fields__):
            raise SpaceError(
                f"a recipe has no field {sorted(unknown)[0]!r}; it has {', '.join(cls.__dataclass_fields__)}"
            )
        for name in ("settings", "schedule_settings", "extras"):
            values = data.get(name, {})
            if not isinstance(values, Mapping) or not all(isinstance(v, Setting) for v in values.values()):
                raise SpaceError(
                    f"{name} of a recipe must map names to plain values, got {str(values)[:80]!r}"
                )
        own = None if data.get("own") is None else Own.from_dict(data["own"])
        return cls(**{**data, "settings": dict(data.get("settings", {})), "own": own,
                      "schedule_settings": dict(data.get("schedule_settings", {})),
                      "extras": dict(data.get("extras", {}))})  # fmt: skip

    def __str__(self) -> str:
        parts = [self.optimizer, *(f"{name} {_short(value)}" for name, value in self.settings.items())]
        inner = ", ".join(f"{name} {_short(value)}" for name, value in self.schedule_settings.items())
        parts.append(f"{self.schedule} ({inner})" if inner else self.schedule)
        if self.batch_size is not None:
            parts.append(f"batch {self.batch_size}")
        if self.clip_norm is not None:
            parts.append(f"clip {_short(self.clip_norm)}")
        if self.clip_value is not None:
            parts.append(f"clip value {_short(self.clip_value)}")
        parts += [f"{name} {_short(value)}" for name, value in self.extras.items()]
        return " · ".join(parts)


def _short(value: Setting) -> str:
    """Four significant digits for floats, so that a beta of 0.9999 does not read 1; others as they are."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
