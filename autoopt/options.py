"""Options: what makes a study the study it is, beside its task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from autoopt import __version__
from autoopt.catalogue.entry import OptimizerEntry
from autoopt.catalogue.own import entry_to_dict
from autoopt.errors import StudyMismatch, UsageError
from autoopt.recipe import Recipe, Setting
from autoopt.space.build import SearchSpace, build_space
from autoopt.space.check import NO_CLIPPING
from autoopt.space.choose import reference_recipe
from autoopt.subject import Subject

OBJECTIVES = ("score", "time-to-target")
"""What a study improves: the validation score, or the seconds of training until it reaches a target."""

STACKING = ("never", "auto", "always")
"""Whether runs of the search are trained in one pass: see ``tune``."""


@dataclass(frozen=True)
class Options:
    """What makes a study the study it is, beside its task: with other options it is another study.

    Attributes are those of ``tune``; ``optimizers_from`` are entries, sorted by name.
    """

    seed: int = 0
    metric: str | None = None
    optimizers: Sequence[str] | None = None
    schedules: Sequence[str] | None = None
    fixed: Mapping[str, Setting] = field(default_factory=dict)
    tune_batch_size: bool = False
    tune_clip: bool = False
    decay_all: bool = False
    epochs: int | None = None
    batch_size: int | None = None
    optimizers_from: tuple[OptimizerEntry, ...] = ()
    precision: str | None = None
    accumulate: int | None = None
    stacked: str = "never"
    objective: str = "score"
    target: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"the seed is {self.seed}: it must be a whole number from 0 to {2**32 - 1}")
        if self.accumulate is not None and self.accumulate < 1:
            raise UsageError(f"accumulate is {self.accumulate}: it must be at least 1, the batches of a step")
        if self.stacked not in STACKING:
            raise UsageError(f"stacked is {self.stacked!r}: it must be one of {', '.join(STACKING)}")
        if self.tune_batch_size and "batch_size" in self.fixed:
            raise UsageError(
                f"batch_size={self.fixed['batch_size']} is fixed and the batch size is to be tuned: choose one of them"
            )
        clipping = {name: self.fixed[name] for name in ("clip_norm", "clip_value") if name in self.fixed}
        if self.tune_clip and (
            clip := next((name for name, to in clipping.items() if to != NO_CLIPPING), None)
        ):
            raise UsageError(
                f"{clip}={clipping[clip]} is fixed and clipping is to be tuned: choose one of them"
            )

        self._check_objective()

    def _check_objective(self) -> None:
        if self.objective not in OBJECTIVES:
            raise UsageError(f"objective is {self.objective!r}: it must be one of {', '.join(OBJECTIVES)}")
        if self.objective == "score" and self.target is not None:
            raise UsageError(
                f"target={self.target!r} goes with objective='time-to-target' (--objective time-to-target): add it, or "
                "leave the target out"
            )
        if self.objective == "time-to-target":
            if self.target is None:
                raise UsageError(
                    "time-to-target needs the validation score that is to be reached: add target (--target 0.3)"
                )
            if not math.isfinite(self.target):
                raise UsageError(f"target is {self.target!r}: it must be a finite number, a validation score")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, equal for equal options."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {k: list(v) if isinstance(v, list | tuple) else v for k, v in data.items()}
        own = [entry_to_dict(entry) for entry in self.optimizers_from]
        return {**plain, "fixed": dict(self.fixed), "optimizers_from": own}


# What the options of a study are in the database, where anybody may have changed them.
_NAMES = (list, type(None))
_COUNT = (int, type(None))
_KEPT: dict[str, tuple[type, ...]] = {
    "seed": (int,), "metric": (str, type(None)), "optimizers": _NAMES, "schedules": _NAMES, "fixed": (dict,),
    "tune_batch_size": (bool,), "tune_clip": (bool,), "decay_all": (bool,), "epochs": _COUNT, "batch_size": _COUNT,
    "optimizers_from": (list,), "precision": (str, type(None)), "accumulate": _COUNT, "stacked": (str,),
    "objective": (str,), "target": (float, int, type(None)),
}  # fmt: skip


def kept_options(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a study was made with as arguments of ``tune``, out of what the database has.

    Raises:
        StudyMismatch: an option that this autoopt does not know, or a value that none can have.
    """
    options = {name: value for name, value in data.items() if name not in ("baseline", "plan", "costs")}
    for name, value in options.items():
        if name not in _KEPT:
            raise StudyMismatch(
                f"the study was made with {name}={value!r}, which autoopt {__version__} does not know: carry on with "
                "the autoopt that made it"
            )
        if not isinstance(value, _KEPT[name]):
            raise StudyMismatch(
                f"the study has {name}={value!r}, which no study was made with: restore its database from a copy"
            )
    return options


def study_space(subject: Subject, options: Options) -> SearchSpace:
    """Return what may be tried on a task or a loop.

    Raises:
        SpaceError: a name or value in the options does not exist or does not fit.
        UsageError: the batch size cannot be tuned with these data.
    """
    sizes: tuple[int, ...] = ()
    if options.tune_batch_size:
        if subject.batch_size is None:
            raise UsageError(
                f"the batch size cannot be tuned: {subject.own_batches}, or leave out --tune-batch-size"
            )
        rows = subject.rows or subject.batch_size * 8
        sizes = tuple(
            s for f in (0.25, 0.5, 1, 2, 4) if 1 < (s := int(subject.batch_size * f)) <= max(2, rows // 4)
        )
    if subject.own_loop and subject.batch_size is None and "batch_size" in options.fixed:
        raise UsageError(f"the batch size cannot be fixed: {subject.own_batches}, or leave out batch_size")
    space = build_space(optimizers=options.optimizers, schedules=options.schedules, fixed=options.fixed,
                        batch_sizes=sizes, tune_clip=options.tune_clip, decay_all=options.decay_all,
                        sparse_gradients=subject.sparse_gradients, dense_gradients=subject.dense_gradients,
                        own=options.optimizers_from, total_steps=subject.total_steps, extras=subject.extras,
                        **subject.limits)  # fmt: skip
    if sizes or subject.batch_size is None or "batch_size" in space.fixed:
        return space
    return replace(space, fixed={**space.fixed, "batch_size": subject.batch_size})


def study_costs(subject: Subject, options: Options, baseline: Recipe) -> dict[str, float]:
    """Return how many of the baseline's trainings one with an optimizer costs, of those that may cost more; timed now.

    Returns:
        Costs by name; empty where no such optimizer may be tried, and where the loop is the user's own.
    """
    space = study_space(subject, options)
    timed = {
        name: reference_recipe(space, name) for name in space.optimizers if space.entry(name).may_cost_more
    }
    if not timed or subject.measure_costs is None:
        return {}
    sizes = [recipe.batch_size for recipe in timed.values() if space.entry(recipe.optimizer).batches == "any"]
    return subject.measure_costs(timed, replace(baseline, batch_size=sizes[0]) if sizes else baseline)
