"""Rows whose optimizer is not the general update: moved by the rule of the catalogue, all rows of a rule at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from autoopt.catalogue.entry import UpdateRule
from autoopt.catalogue.rules.adam import ADABOUND_RULE, ADAMAX_RULE, ADEMAMIX_RULE
from autoopt.catalogue.rules.rms import ADADELTA_RULE
from autoopt.catalogue.rules.sign import LION_RULE
from autoopt.training.stack.layout import Layout
from autoopt.training.stack.row import Row
from autoopt.training.stack.tracing import Traced, trace

RULES = frozenset({ADADELTA_RULE, ADAMAX_RULE, ADABOUND_RULE, ADEMAMIX_RULE, LION_RULE})
"""Rules of single numbers that take the settings of many rows as arrays: without a branch on a setting or a step."""


def by_rule_key(row: Row) -> tuple[Any, ...]:
    """Return what rows must share to be moved together: the rule and the names of their settings."""
    return row.run.recipe.optimizer, tuple(sorted(row.run.recipe.settings))


class RuleUpdate:
    """Moves rows of one rule, in place; settings are 64-bit numbers, as they would be in a run of its own.

    Args:
        rows: of equal ``by_rule_key``.
        p: their weights (k, P), a view that is written to.
        rates: the learning rates of the coming steps, of each row.
        traces: kept from epoch to epoch, so that each rule is traced once for a number of rows.
    """

    def __init__(self, rows: Sequence[Row], p: Tensor, layout: Layout, rates: Sequence[Sequence[float]],
                 traces: dict[Any, Traced]) -> None:  # fmt: skip
        self._rows, self._p = rows, p
        self._rule: UpdateRule = rows[0].rule
        names = [name for name in sorted(rows[0].run.recipe.settings) if name not in ("lr", "weight_decay")]

        def wide(numbers: Any) -> Tensor:
            return torch.tensor(numbers, dtype=torch.float64, device=p.device)

        settings = {n: wide([float(row.run.recipe.settings[n]) for row in rows]) for n in names}
        decays = [row.decay(layout) for row in rows]
        if decays[0] is not None:
            settings["weight_decay"] = torch.stack([decay for decay in decays if decay is not None])
        self._settings = settings
        self._rates = wide(rates).unbind(1)
        self._numbers = wide([row.steps for row in rows])
        full = wide([row.base_rate for row in rows])
        self._state = self._begin(full)
        self._function = self._traced(traces, by_rule_key(rows[0]))
        self._step = 0

    def step(self, g: Tensor) -> None:
        """Take the next step down the gradients (k, P)."""
        lr = self._rates[self._step]
        self._step += 1
        state = tuple(self._state.values())
        p, *after = self._function(
            self._p, g, self._numbers + self._step, lr, *self._settings.values(), *state
        )
        self._p.copy_(p)
        self._state = dict(zip(self._state, after, strict=True))

    def leave(self) -> None:
        """Give the rows their states."""
        for place, row in enumerate(self._rows):
            row.state = {name: tensor[place].clone() for name, tensor in self._state.items()}

    def _begin(self, full: Tensor) -> dict[str, Tensor]:
        """Return the states of all rows, those that have none yet at their start."""
        init = vmap(lambda p, lr, settings: self._rule.init(p, {**settings, "lr": lr}))
        fresh: dict[str, Tensor] = dict(init(self._p, full, self._settings))
        for place, row in enumerate(self._rows):
            for name, tensor in row.state.items():
                fresh[name][place] = tensor
        return fresh

    def _traced(self, traces: dict[Any, Traced], key: Any) -> Traced:
        key = (key, self._p.shape, self._p.dtype)
        if key not in traces:
            lr, step = self._rates[0], self._numbers + 1
            examples = [self._p, self._p.clone(), step, lr, *self._settings.values(), *self._state.values()]
            traces[key] = trace(self._walk(), examples)
        return traces[key]

    def _walk(self) -> Callable[..., Sequence[Tensor]]:
        rule, names, states = self._rule, tuple(self._settings), tuple(self._state)

        def one(p: Tensor, g: Tensor, step: Any, lr: Tensor, *rest: Tensor) -> Any:
            settings: Any = {"lr": lr, **dict(zip(names, rest, strict=False))}
            state = dict(zip(states, rest[len(names) :], strict=True))
            moved, after = rule.step(p, g, state, settings, step)
            return moved, *(after[name] for name in states)

        many: Callable[..., Sequence[Tensor]] = vmap(one)
        return many
