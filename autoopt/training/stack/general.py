"""One update that is many optimizers, each by its own numbers: what lets rows of different families go side by side.

    g ← g + penalty·p
    m ← m_keep·m + m_take·g
    v ← v_keep·v + v_take·g²
    p ← shrink·p + (from_m·m + from_g·g) · (root_part / (root_scale·√v + epsilon) + plain_part)

The numbers of a row follow from its recipe and the number of its step; they are computed in 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoopt.catalogue.entry import UpdateRule, Value
from autoopt.catalogue.rules.adam import (
    ADAM_RULE,
    ADAMW_RULE,
    EPSILON,
    NADAM_L2_RULE,
    NADAM_RULE,
    RADAM_L2_RULE,
    RADAM_RULE,
)
from autoopt.catalogue.rules.rms import (
    ADAGRAD_EPSILON,
    ADAGRAD_RULE,
    RMSPROP_EPSILON,
    RMSPROP_RULE,
)
from autoopt.catalogue.rules.sgd import GD_RULE, MOMENTUM_RULE, SGD_RULE, SGDW_RULE
from autoopt.catalogue.rules.terms import number

FIELDS = (
    "penalty", "m_keep", "m_take", "v_keep", "v_take", "shrink", "from_m", "from_g",
    "root_part", "root_scale", "epsilon", "plain_part",
)  # fmt: skip
_IDLE = {"shrink": 1.0, "root_scale": 1.0, "epsilon": 1.0}

Settings = Mapping[str, Value]
Steps = Any  # numbers of steps from 1, one an entry
Numbers = dict[str, Any]  # of some fields; each a number or one a step


def numbers(rule: UpdateRule, settings: Settings, rates: Any, first_step: int) -> Any:
    """Return what makes the general update the rule's, for steps in a row: an array (steps, fields).

    Args:
        rule: one of ``FORMS``.
        settings: of a recipe; what is missing has the default of the rule.
        rates: the learning rate of each step.
        first_step: the number of the first of them, from 1.
    """
    steps = np.arange(first_step, first_step + len(rates), dtype=np.float64)
    found = {**_IDLE, **FORMS[rule](settings, np.asarray(rates, dtype=np.float64), steps)}
    table = np.zeros((len(rates), len(FIELDS)))
    for place, field in enumerate(FIELDS):
        table[:, place] = found.get(field, 0.0)
    return table


def general_step(p: Tensor, g: Tensor, m: Tensor, v: Tensor, row: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Return p, m and v after a step; all (K, P), the numbers (K, 1) or (K, P)."""
    g = g + row["penalty"] * p
    m = row["m_keep"] * m + row["m_take"] * g
    v = row["v_keep"] * v + row["v_take"] * (g * g)
    rate = row["root_part"] / (row["root_scale"] * v.sqrt() + row["epsilon"]) + row["plain_part"]
    return row["shrink"] * p + (row["from_m"] * m + row["from_g"] * g) * rate, m, v


def _sgd(settings: Settings, rates: Any, steps: Steps) -> Numbers:  # noqa: ARG001
    momentum, ahead = number(settings, "momentum", 0.0), bool(settings.get("nesterov"))
    from_m = -rates * momentum if ahead else -rates
    return {"m_keep": momentum, "m_take": 1.0, "from_m": from_m, "from_g": -rates * ahead, "plain_part": 1.0}


def _descend(settings: Settings, rates: Any, steps: Steps) -> Numbers:  # noqa: ARG001
    return {"from_g": -rates, "plain_part": 1.0}


def _averaged(settings: Settings, rates: Any, steps: Steps) -> Numbers:  # noqa: ARG001
    momentum = number(settings, "momentum", 0.9)
    return {"m_keep": momentum, "m_take": 1 - momentum, "from_m": -rates, "plain_part": 1.0}


def _moments(settings: Settings) -> Numbers:
    beta1, beta2 = number(settings, "beta1", 0.9), number(settings, "beta2", 0.999)
    return {"m_keep": beta1, "m_take": 1 - beta1, "v_keep": beta2, "v_take": 1 - beta2, "epsilon": EPSILON}


def _adam(settings: Settings, rates: Any, steps: Steps) -> Numbers:
    moments = _moments(settings)
    scale = 1 / np.sqrt(1 - moments["v_keep"] ** steps)
    from_m = -rates / (1 - moments["m_keep"] ** steps)
    return {**moments, "from_m": from_m, "root_part": 1.0, "root_scale": scale}


def _nadam(settings: Settings, rates: Any, steps: Steps) -> Numbers:
    moments = _moments(settings)
    all_steps = np.arange(1, steps[-1] + 2)
    weights = moments["m_keep"] * (1 - 0.5 * 0.96 ** (0.004 * all_steps))
    products, behind = np.cumprod(weights), -len(steps) - 1
    now, product = weights[behind:-1], products[behind:-1]
    from_g = -rates * (1 - now) / (1 - product)
    from_m = -rates * weights[behind + 1 :] / (1 - products[behind + 1 :])
    scale = 1 / np.sqrt(1 - moments["v_keep"] ** steps)
    return {**moments, "from_m": from_m, "from_g": from_g, "root_part": 1.0, "root_scale": scale}


def _radam(settings: Settings, rates: Any, steps: Steps) -> Numbers:
    moments = _moments(settings)
    beta2 = moments["v_keep"]
    second = 1 - beta2**steps
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * steps * beta2**steps / second
    trusted = length > 5
    safe = np.where(trusted, length, 6.0)
    trust = (safe - 4) * (safe - 2) * longest / ((longest - 4) * (longest - 2) * safe)
    root_part = np.where(trusted, np.sqrt(second) * np.sqrt(np.abs(trust)), 0.0)
    from_m = -rates / (1 - moments["m_keep"] ** steps)
    return {**moments, "from_m": from_m, "root_part": root_part, "plain_part": np.where(trusted, 0.0, 1.0)}


def _rmsprop(settings: Settings, rates: Any, steps: Steps) -> Numbers:  # noqa: ARG001
    alpha = number(settings, "alpha", 0.99)
    return {
        "v_keep": alpha,
        "v_take": 1 - alpha,
        "from_g": -rates,
        "root_part": 1.0,
        "epsilon": RMSPROP_EPSILON,
    }


def _adagrad(settings: Settings, rates: Any, steps: Steps) -> Numbers:  # noqa: ARG001
    return {"v_keep": 1.0, "v_take": 1.0, "from_g": -rates, "root_part": 1.0, "epsilon": ADAGRAD_EPSILON}


Form = Callable[[Settings, Any, Steps], Numbers]


def _with_penalty(form: Form) -> Form:
    """Return the form with weight decay that is added to the gradient."""

    def whole(settings: Settings, rates: Any, steps: Steps) -> Numbers:
        return {**form(settings, rates, steps), "penalty": number(settings, "weight_decay", 0.0)}

    return whole


def _shrinking(form: Form, default: float = 0.0) -> Form:
    """Return the form with weight decay that is apart from the gradient."""

    def whole(settings: Settings, rates: Any, steps: Steps) -> Numbers:
        decay = number(settings, "weight_decay", default)
        return {**form(settings, rates, steps), "shrink": 1 - rates * decay}

    return whole


FORMS: dict[UpdateRule, Form] = {
    GD_RULE: _with_penalty(_descend),
    SGD_RULE: _with_penalty(_sgd),
    SGDW_RULE: _shrinking(_sgd),
    MOMENTUM_RULE: _with_penalty(_averaged),
    ADAM_RULE: _with_penalty(_adam),
    ADAMW_RULE: _shrinking(_adam, 0.01),
    NADAM_RULE: _shrinking(_nadam),
    NADAM_L2_RULE: _with_penalty(_nadam),
    RADAM_RULE: _shrinking(_radam),
    RADAM_L2_RULE: _with_penalty(_radam),
    RMSPROP_RULE: _with_penalty(_rmsprop),
    ADAGRAD_RULE: _with_penalty(_adagrad),
}
"""The rules that the general update can be, by their numbers."""


class GeneralUpdate:
    """Moves rows by the general update, in place.

    Args:
        p: weights (K, P); those that may decay come first.
        decayed: how many of a row's weights may decay, always.
        table: numbers (steps, fields, K, 2): of weights that may decay and of the others.
        compiled: walk over the weights once, in compiled code, instead of once an operation.
    """

    def __init__(
        self, p: Tensor, m: Tensor, v: Tensor, decayed: int, table: Any, *, compiled: bool = False
    ) -> None:
        self._p, self._m, self._v, self._decayed = p, m, v, decayed
        self._compiled = compiled_step() if compiled else None
        self._spare, self._move = torch.empty_like(p), torch.empty_like(p)
        used = {
            field: bool((table[:, place] != _IDLE.get(field, 0.0)).any())
            for place, field in enumerate(FIELDS)
        }
        self._uses = used
        self._by_roots = used["root_part"] or used["v_take"]  # RAdam gathers v before it goes by its root
        ends = (slice(0, decayed), slice(decayed, p.shape[1]))
        self._parts = [(end, place) for place, end in enumerate(ends) if end.stop > end.start]
        self._table = torch.from_numpy(table).to(p.dtype).to(p.device)
        self._step = 0

    def step(self, g: Tensor) -> None:
        """Take the next step down the gradients (K, P), which are used up."""
        if self._compiled is not None:
            self._compiled(self._p, g, self._m, self._v, self._table[self._step], self._decayed)
            self._step += 1
            return
        p, m, v, spare, move = self._p, self._m, self._v, self._spare, self._move
        # everything but decay is the same for both kinds of weights
        row = dict(zip(FIELDS, self._table[self._step, :, :, :1].unbind(0), strict=True))
        decay = self._table[self._step]
        self._step += 1
        if self._uses["penalty"]:
            for part, place in self._parts:
                g[:, part].addcmul_(p[:, part], decay[FIELDS.index("penalty"), :, place : place + 1])
        if self._uses["m_take"]:
            m.mul_(row["m_keep"]).addcmul_(g, row["m_take"])
            torch.mul(m, row["from_m"], out=move)
            if self._uses["from_g"]:
                move.addcmul_(g, row["from_g"])
        else:
            torch.mul(g, row["from_g"], out=move)
        if self._by_roots:
            torch.mul(g, row["v_take"], out=spare)
            v.mul_(row["v_keep"]).addcmul_(g, spare)
            torch.sqrt(v, out=spare).mul_(row["root_scale"]).add_(row["epsilon"])
            torch.div(row["root_part"], spare, out=spare)
            if self._uses["plain_part"]:
                spare.add_(row["plain_part"])
        if self._uses["shrink"]:
            for part, place in self._parts:
                p[:, part].mul_(decay[FIELDS.index("shrink"), :, place : place + 1])
        p.addcmul_(move, spare if self._by_roots else row["plain_part"])


@cache
def compiled_step() -> Callable[..., None]:
    """Return the step of all rows as compiled code, for rows and weights whose numbers stay the same."""
    made: Callable[..., None] = torch.compile(_step_in_place, dynamic=False)
    return made


def _step_in_place(p: Tensor, g: Tensor, m: Tensor, v: Tensor, numbers: Tensor, decayed: int) -> None:
    first = torch.arange(p.shape[1], device=p.device) < decayed
    row = {field: numbers[place, :, :1] for place, field in enumerate(FIELDS)}
    for field in ("penalty", "shrink"):
        both = numbers[FIELDS.index(field)]
        row[field] = torch.where(first, both[:, :1], both[:, 1:])
    for old, new in zip((p, m, v), general_step(p, g, m, v, row), strict=True):
        old.copy_(new)
