"""The entry of an optimizer class of the user's: described by its signature and the ranges given, and tried."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.sparse import check_sparse_tensor_invariants

from autoopt.catalogue.entry import OptimizerEntry
from autoopt.catalogue.own import check_apart, entry_from_dict
from autoopt.catalogue.ranges import parse_range, read_ranges, split_source
from autoopt.catalogue.rate import reference_settings
from autoopt.catalogue.signature import describe_optimizer
from autoopt.errors import SpaceError
from autoopt.recipe import Recipe
from autoopt.tasks.explain import describe_error
from autoopt.tasks.randomness import OwnRandomness
from autoopt.training.build import build_optimizer
from autoopt.training.own import code_of, find_class, load_class, locate_class

OptimizerSource = str | type[Optimizer] | OptimizerEntry
"""A name, a class or its place, or what ``optimizer_entry`` returns."""

_LONGEST = 200  # of what a class says of itself
_SIDE = 64  # of the matrix that it is tried on


def optimizer_entry(
    source: str | type[Optimizer], ranges: Mapping[str, Any] | None = None, *, name: str | None = None
) -> OptimizerEntry:
    """Return the entry of a torch-style optimizer of your own, which ``tune`` takes among its ``optimizers``.

    The class is tried on a small model: two steps at the best guesses. What it keeps for each parameter is
    counted, and whether it takes sparse gradients is seen.

    Args:
        source: the class, or where it lives, ``package.module:Class`` or ``path/to/file.py:Class``; ranges may
            follow as on the command line: ``"lions.py:MyLion lr=1e-5..1e-2 weight_decay=1e-3..1"``.
        ranges: by argument (``beta1``, ``beta2`` for a tuple ``betas``): (low, high), (low, high, best guess), a
            list to choose from, or one value. Without one, lr is searched from 0.03 to 30 times its default,
            weight_decay, momentum and betas in their usual ranges, and everything else keeps its default.
        name: what recipes call it; the class's name in lower case unless given.

    Raises:
        SpaceError: there is no such class, it is no torch optimizer, a range does not fit it, or it raises.

    >>> import torch
    >>> optimizer_entry(torch.optim.ASGD, {"lr": (1e-4, 1e-1)}).hyperparameters[0].high
    0.1
    """
    given = read_ranges(ranges)
    if isinstance(source, str):
        place, written = split_source(source)
        name = written.pop("name", name)
        if twice := sorted(given.keys() & written.keys()):
            raise SpaceError(
                f"{twice[0]} is given twice: {twice[0]}={written[twice[0]]} and {given[twice[0]]}"
            )
        given |= {each: parse_range(each, text) for each, text in written.items()}
        own, cls = find_class(place)
    else:
        own, cls = locate_class(source), source
    try:
        signature = inspect.signature(cls)
    except (TypeError, ValueError) as error:
        raise SpaceError(f"{own.target} does not tell what arguments it takes: {error}") from error
    lines = (cls.__doc__ or "").strip().splitlines() or [""]
    called = cls.__name__.lower() if name is None else name
    return _tried(describe_optimizer(called, own, signature, given, lines[0].strip()[:_LONGEST]))


def read_optimizers(
    wanted: str | Sequence[OptimizerSource] | None, others: Sequence[OptimizerSource] = ()
) -> tuple[list[str] | None, tuple[OptimizerEntry, ...]]:
    """Return the names of the catalogue that are wanted, ``None`` for the default ones, and the user's own entries.

    Args:
        wanted: names, ``all``, and optimizers of the user's own; nothing else is tried.
        others: optimizers of the user's own that are tried as well.

    Raises:
        SpaceError: one of the user's own cannot be used, or two have one name.
    """
    listed = wanted.split(",") if isinstance(wanted, str) else list(wanted or ())
    more = [others] if isinstance(others, str | type | OptimizerEntry) else list(others)
    names = [each for each in listed if isinstance(each, str) and ":" not in each]
    own = [_read_own(each) for each in (*listed, *more) if not isinstance(each, str) or each not in names]
    check_apart(own)
    own.sort(key=lambda entry: entry.name)
    return None if wanted is None else names, tuple(own)


def _read_own(given: OptimizerSource) -> OptimizerEntry:
    if not isinstance(given, OptimizerEntry):
        return optimizer_entry(given)
    if given.own is None:
        raise SpaceError(f"{given.name} is no optimizer of your own: name it as text, or see optimizer_entry")
    return given


def reopen_entry(data: Mapping[str, Any]) -> OptimizerEntry:
    """Return the entry that a study remembers, its class imported again; its ``code`` is that of today.

    Raises:
        SpaceError: the class is gone, or raises.
    """
    entry = entry_from_dict(data)
    assert entry.own is not None
    return _tried(replace(entry, own=replace(entry.own, code=code_of(load_class(entry.own), entry.own))))


def _tried(entry: OptimizerEntry) -> OptimizerEntry:
    """Return the entry with what two steps on a small model showed: floats of state, and what it needs."""
    recipe = Recipe(entry.name, reference_settings(entry), own=entry.own)
    with OwnRandomness(0):
        weights = nn.Linear(_SIDE, _SIDE)
        optimizer = _take_steps(weights, torch.randn(4, _SIDE), recipe, entry.title)
        floats = sum(_floats(value) for value in optimizer.state.get(weights.weight, {}).values())
        needs = _refusals(recipe, entry.title)
    return replace(entry, state_floats=floats / _SIDE**2, needs=needs)


def _take_steps(model: nn.Module, inputs: Tensor, recipe: Recipe, title: str) -> Optimizer:
    optimizer = build_optimizer(model, recipe)
    if not all("lr" in group for group in optimizer.param_groups):
        raise SpaceError(f"{title} keeps no lr in its parameter groups, where a schedule could change it")
    for _ in range(2):
        optimizer.zero_grad()
        with torch.enable_grad():
            model(inputs).square().mean().backward()
        try:
            optimizer.step()
        except Exception as error:
            raise SpaceError(
                f"{title} raised in step() on a model of one linear layer, with {recipe}: {describe_error(error)}"
            ) from error
    if not all(math.isfinite(float(p.detach().square().sum())) for p in model.parameters()):
        raise SpaceError(f"{title} made the weights of a linear layer infinite in two steps with {recipe}")
    return optimizer


def _refusals(recipe: Recipe, title: str) -> frozenset[str]:
    """Return what it needs as for an entry of the catalogue: dense gradients, or dense ones to decay."""

    def takes_sparse(weight_decay: float) -> bool:
        settings = recipe.settings
        if "weight_decay" in settings:
            settings = {**settings, "weight_decay": weight_decay}
        embedding = nn.Embedding(4, 2, sparse=True)
        try:
            with check_sparse_tensor_invariants(enable=False):
                _take_steps(embedding, torch.tensor([1, 2]), replace(recipe, settings=settings), title)
        except SpaceError:
            return False
        return True

    if not takes_sparse(0.0):
        return frozenset({"dense_gradients"})
    if "weight_decay" in recipe.settings and not takes_sparse(0.1):
        return frozenset({"dense_gradients_to_decay"})
    return frozenset()


def _floats(value: object) -> int:
    return value.numel() if isinstance(value, Tensor) and value.ndim else 0
