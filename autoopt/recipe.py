"""Recipe: one complete optimizer setting, a value that travels through every room."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoopt.errors import SpaceError

Setting = float | int | bool | str


@dataclass(frozen=True)
class Recipe:
    """How to train: optimizer, its settings, schedule, batch size, clipping.

    Attributes:
        optimizer: a name in the catalogue, for example ``"adamw"``.
        settings: hyperparameters of the optimizer by their catalogue names (``lr``, ``weight_decay``, …).
        schedule: a name in the catalogue, for example ``"cosine"``.
        schedule_settings: hyperparameters of the schedule; ``warmup`` is the share of all steps, 0 to 1.
        batch_size: rows a training batch; ``None`` leaves it to the task.
        clip_norm: largest allowed 2-norm of the whole gradient; ``None`` means no clipping.
        clip_value: largest allowed size of each number in the gradient, likewise; one of the two at most.
        decay_all: also decay biases and normalisation parameters (those with fewer than two dimensions).
    """

    optimizer: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    schedule: str = "constant"
    schedule_settings: Mapping[str, Setting] = field(default_factory=dict)
    batch_size: int | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    decay_all: bool = False

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits, equal for equal recipes."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; ``from_dict`` reads it back."""
        return {
            "optimizer": self.optimizer,
            "settings": dict(self.settings),
            "schedule": self.schedule,
            "schedule_settings": dict(self.schedule_settings),
            "batch_size": self.batch_size,
            "clip_norm": self.clip_norm,
            "clip_value": self.clip_value,
            "decay_all": self.decay_all,
        }

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
        for name in ("settings", "schedule_settings"):
            values = data.get(name, {})
            if not isinstance(values, Mapping) or not all(isinstance(v, Setting) for v in values.values()):
                raise SpaceError(
                    f"{name} of a recipe must map names to plain values, got {str(values)[:80]!r}"
                )
        return cls(**{**data, "settings": dict(data.get("settings", {})),
                      "schedule_settings": dict(data.get("schedule_settings", {}))})  # fmt: skip

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
        return " · ".join(parts)


def _short(value: Setting) -> str:
    """Four significant digits for floats, so that a beta of 0.9999 does not read 1; others as they are."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
