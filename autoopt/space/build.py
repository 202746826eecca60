"""SearchSpace: which optimizers, schedules and settings may be tried, and which stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.available import check_available, is_available
from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, ScheduleEntry
from autoopt.catalogue.hyperparameters import RELATIVE_RATES
from autoopt.catalogue.lookahead import LOOKAHEAD
from autoopt.catalogue.misfit import misfit
from autoopt.catalogue.rate import has_usual_range, pace, paced
from autoopt.errors import SpaceError, unknown_name
from autoopt.recipe import Setting
from autoopt.space.check import (
    BATCH_SIZE,
    CLIP_NORM,
    CLIP_VALUE,
    NO_CLIPPING,
    batch_of,
    check_batch_size,
    check_clip,
    check_name,
    check_one_clipping,
    check_value,
)
from autoopt.space.extra import Extra

ROOM = 7.5  # times a rate that seems good, up to which is searched at least: 4, the higher first one, has as much
ALL = "all"
"""In place of names: everything in the catalogue whose library is installed and that can train the task."""


@dataclass(frozen=True)
class SearchSpace:
    """What may be tried. Built by ``build_space``, walked by ``suggest``.

    Attributes:
        optimizers: names in the catalogue, in its order, then those of the user's own.
        schedules: likewise.
        fixed: settings that are not searched, by name; those that an optimizer or schedule lacks pass it by.
        batch_sizes: rows a batch to choose from, ascending; empty leaves the batch size to the task.
        tune_clip: search gradient clipping, by norm and by value.
        sparse_gradients: some gradients are sparse, so there is no weight decay.
        decay_all: also decay biases and normalisation parameters.
        own: entries of the user's own optimizers, by name.
        pace: how many times the reference rates of the catalogue the rates lie around.
        extras: hyperparameters of the user's own training loop, searched with all the rest.
        rates: multiples of the reference rate between which is searched.
    """

    optimizers: tuple[str, ...]
    schedules: tuple[str, ...]
    fixed: Mapping[str, Setting] = field(default_factory=dict)
    batch_sizes: tuple[int, ...] = ()
    tune_clip: bool = False
    sparse_gradients: bool = False
    decay_all: bool = False
    own: Mapping[str, OptimizerEntry] = field(default_factory=dict)
    pace: float = 1.0
    extras: tuple[Extra, ...] = ()
    rates: tuple[float, float] = RELATIVE_RATES

    def around(self, rate: float) -> SearchSpace:
        """Return the space with room on both sides of a multiple of the reference rate; never a narrower one.

        Where a user gave the range of a rate, it stays as it is.
        """
        if not all(has_usual_range(self.entry(name).hyperparameter("lr")) for name in self.optimizers):
            return self
        low, high = self.rates
        return replace(self, rates=(min(low, rate / ROOM), max(high, rate * ROOM)))

    def entry(self, optimizer: str) -> OptimizerEntry:
        """Return the entry of one of its optimizers, with the rates that are searched here."""
        return self.own[optimizer] if optimizer in self.own else _catalogued(optimizer, self.pace)


@cache
def _catalogued(optimizer: str, pace: float) -> OptimizerEntry:
    return paced(OPTIMIZERS[optimizer], pace)


def build_space(
    *,
    optimizers: str | Iterable[str] | None = None,
    schedules: str | Iterable[str] | None = None,
    fixed: Mapping[str, Setting] | None = None,
    batch_sizes: Iterable[int] = (),
    tune_clip: bool = False,
    sparse_gradients: bool = False,
    dense_gradients: bool = True,
    n_trainable: int | None = None,
    batch_norm: bool = False,
    own_batches: bool = False,
    decay_all: bool = False,
    own: Iterable[OptimizerEntry] = (),
    total_steps: int | None = None,
    own_loop: bool = False,
    extras: Iterable[Extra] = (),
) -> SearchSpace:
    """Return the default search space, or what the arguments make of it.

    Args:
        optimizers, schedules: names, or one text with commas between them; ``all`` takes everything that is
            installed, ``None`` those of the default search.
        fixed: values by setting name (``lr``, ``weight_decay``, ``momentum``, ``warmup``, ``batch_size``, …);
            ``batch_size`` may be "whole", ``lr`` is the actual learning rate, ``clip_norm`` and ``clip_value`` may be
            "off".
        batch_sizes: rows a batch to choose from.
        tune_clip: search gradient clipping, by norm and by value, as well.
        sparse_gradients: the task has sparse gradients: optimizers that refuse them are left out.
        dense_gradients: it has dense ones: likewise.
        n_trainable, batch_norm, own_batches, own_loop: of the task, as in ``misfit``.
        decay_all: also decay biases and normalisation parameters.
        own: entries of the user's own optimizers, tried beside those that are named.
        total_steps: of a complete training; the shorter, the higher the rates. ``None`` for long ones.
        extras: hyperparameters of the user's own training loop.

    Raises:
        SpaceError: a name is unknown, its library is not installed, a value makes no sense, or nothing is left
            to try.

    >>> build_space(optimizers="sgd, adamw", schedules=["cosine"]).optimizers
    ('sgd', 'adamw')
    """
    mine = {entry.name: entry for entry in own}
    known = {**OPTIMIZERS, **mine}
    named = spell_out(optimizers, OPTIMIZERS)
    optimizer_names = _narrow("optimizer", None if named is None else [*named, *mine], known)
    for name in optimizer_names:
        check_available(known[name])
        reason = misfit(known[name], n_trainable=n_trainable, batch_norm=batch_norm, own_batches=own_batches,
                        own_loop=own_loop)  # fmt: skip
        if reason is not None:
            raise SpaceError(
                f"{reason}, or leave {name} out" if ":" in reason else f"{reason}: leave {name} out"
            )
    for name, entry in mine.items():
        if not entry.accepts(sparse=sparse_gradients, dense=dense_gradients):
            raise SpaceError(f"the task has sparse gradients, which your optimizer {name} cannot use")
    optimizer_names = _accepting(optimizer_names, known, sparse=sparse_gradients, dense=dense_gradients)
    schedule_names = _narrow("schedule", schedules, SCHEDULES)
    theirs = {extra.name: extra for extra in extras}
    stands = {name: theirs[name].check(value) for name, value in (fixed or {}).items() if name in theirs}
    space = SearchSpace(
        optimizers=optimizer_names,
        schedules=schedule_names,
        fixed=stands
        | _check_fixed(
            {name: value for name, value in (fixed or {}).items() if name not in stands},
            [known[n] for n in optimizer_names],
            [SCHEDULES[n] for n in schedule_names],
        ),
        batch_sizes=tuple(sorted({int(check_value(BATCH_SIZE, size)) for size in batch_sizes})),
        tune_clip=tune_clip,
        sparse_gradients=sparse_gradients,
        decay_all=decay_all,
        own={name: entry for name, entry in mine.items() if name in optimizer_names},
        pace=1.0 if total_steps is None else pace(total_steps),
        extras=tuple(theirs.values()),
    )
    if own_batches and "batch_size" in space.fixed:
        raise SpaceError(
            f"batch_size={space.fixed['batch_size']} cannot be fixed: the training data come in batches of their own"
        )
    if space.fixed.get("nesterov") and space.fixed.get("momentum") == 0:
        raise SpaceError("nesterov=true needs a momentum above 0: leave momentum=0 or nesterov=true out")
    if sparse_gradients and space.fixed.get("weight_decay"):
        raise SpaceError(
            f"weight_decay={space.fixed['weight_decay']} cannot be fixed: torch's optimizers have no weight "
            "decay for sparse gradients. Leave it out, or build the embedding with sparse=False"
        )
    return space


def spell_out(
    wanted: str | Iterable[str] | None,
    known: Mapping[str, OptimizerEntry | ScheduleEntry],
    fits: Callable[[OptimizerEntry], bool] = is_available,
) -> list[str] | None:
    """Return the wanted names as a list; ``all`` becomes those of everything that is installed today and fits.

    ``lookahead`` becomes Lookahead around each of the others that are named, or around each of the default search;
    no other word stands for it, so that ``all`` tries every optimizer once.

    A study keeps the names, so that it stays the same study when a library comes or goes.

    Args:
        fits: whether an optimizer can train the task at hand.
    """
    if wanted is None:
        return None
    names = [part for part in wanted.split(",") if part.strip()] if isinstance(wanted, str) else list(wanted)
    cleaned = [name.strip().lower() if isinstance(name, str) else name for name in names]
    if ALL in cleaned:
        usable = {n: e for n, e in known.items() if not isinstance(e, OptimizerEntry) or _is_usable(e, fits)}
        cleaned = list(dict.fromkeys((*usable, *(name for name in cleaned if name != ALL))))
    if LOOKAHEAD in cleaned and any(isinstance(entry, OptimizerEntry) for entry in known.values()):
        others = [name for name in cleaned if name != LOOKAHEAD]
        inner = others or [name for name, entry in known.items() if entry.in_default_search]
        around = [f"{LOOKAHEAD}_{name}" for name in inner if f"{LOOKAHEAD}_{name}" in known]
        cleaned = list(dict.fromkeys((*others, *around))) if around else cleaned
    return cleaned


def _is_usable(entry: OptimizerEntry, fits: Callable[[OptimizerEntry], bool]) -> bool:
    return entry.around is None and is_available(entry) and fits(entry)


def _narrow(
    kind: str, wanted: str | Iterable[str] | None, known: Mapping[str, OptimizerEntry | ScheduleEntry]
) -> tuple[str, ...]:
    """Return the wanted names once each, in the order of the catalogue."""
    cleaned = spell_out(wanted, known)
    if cleaned is None:
        return tuple(name for name, entry in known.items() if entry.in_default_search)
    for name in cleaned:
        check_name(kind, name, known)
    kept = tuple(name for name in known if name in cleaned)
    if not kept:
        raise SpaceError(f"no {kind} is left to try: name at least one of {_listed(known)}")
    return kept


def _listed(known: Mapping[str, OptimizerEntry | ScheduleEntry]) -> str:
    """Return the names with commas between them, Lookahead around each of them left out."""
    return ", ".join(n for n, e in known.items() if isinstance(e, ScheduleEntry) or e.around is None)


def _accepting(
    names: Sequence[str], known: Mapping[str, OptimizerEntry], *, sparse: bool, dense: bool
) -> tuple[str, ...]:
    """Return the optimizers that accept the gradients of the task."""
    accepting = [name for name, entry in known.items() if entry.accepts(sparse=sparse, dense=dense)]
    kept = tuple(name for name in names if name in accepting)
    if kept:
        return kept
    if not sparse:
        raise SpaceError(
            f"the task has no sparse gradients, and {', '.join(names)} can use no others: take adam, or build "
            "the embedding with sparse=True"
        )
    raise SpaceError(
        f"the task has sparse gradients{' and dense ones' if dense else ''}, which {', '.join(names)} cannot "
        f"use: take one of {_listed({n: known[n] for n in accepting})}, or build the embedding with sparse=False"
    )


def _check_fixed(
    fixed: Mapping[str, Setting], optimizers: Sequence[OptimizerEntry], schedules: Sequence[ScheduleEntry]
) -> dict[str, Setting]:
    """Return the fixed settings in their proper types; each must suit all that have it."""
    known: dict[str, list[Hyperparameter]] = {
        each.name: [each] for each in (BATCH_SIZE, CLIP_NORM, CLIP_VALUE)
    }
    present = {each.name: each for each in schedules}
    present |= {name: SCHEDULES[name] for entry in optimizers for name in entry.schedules}
    owners: list[OptimizerEntry | ScheduleEntry] = [*optimizers, *present.values()]
    for hyperparameter in (each for owner in owners for each in owner.hyperparameters):
        known.setdefault(hyperparameter.name, []).append(hyperparameter)
    checked: dict[str, Setting] = {}
    for name, value in fixed.items():
        if name not in known:
            raise SpaceError(_unknown_setting(name, known))
        if name in (CLIP_NORM.name, CLIP_VALUE.name):
            checked[name] = check_clip(known[name][0], value) or NO_CLIPPING
        elif name == BATCH_SIZE.name:
            checked[name] = check_batch_size(value)
        else:
            for hyperparameter in known[name]:
                checked[name] = check_value(hyperparameter, value)
    if optimizers and all(entry.batches != "any" for entry in optimizers):
        for entry in optimizers:
            batch_of(entry, checked.get(BATCH_SIZE.name))
    check_one_clipping(checked.get(CLIP_NORM.name), checked.get(CLIP_VALUE.name))
    return checked


def _unknown_setting(name: str, known: Iterable[str]) -> str:
    if name in ("optimizer", "schedule"):
        return f"{name} is not fixed but narrowed: name the ones to try, or a single one, as {name}s"
    owners: list[OptimizerEntry | ScheduleEntry] = [*OPTIMIZERS.values(), *SCHEDULES.values()]
    holders = [owner.name for owner in owners if name in {each.name for each in owner.hyperparameters}
               and not getattr(owner, "around", None)]  # fmt: skip
    if holders:
        return (
            f"{name} cannot be fixed: it belongs to {', '.join(holders)}, which this space leaves out. "
            f"What can be fixed here: {', '.join(sorted(known))}"
        )
    return unknown_name("setting", name, known)
