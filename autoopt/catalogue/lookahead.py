"""Lookahead around the other optimizers: slow weights that follow the fast ones a part of the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, Value
from autoopt.catalogue.hyperparameters import given
from autoopt.catalogue.rules.lookahead import lookahead_rule

LOOKAHEAD = "lookahead"
"""In place of names: Lookahead around each of the others that are named; ``lookahead_adamw`` is one of them."""

SYNC_STEPS = Hyperparameter(
    "sync_steps", kind="int", low=5, high=20, reference=5, legal="at least 1",
    says="Steps of the inner optimizer after which the slow weights follow (k). 5, 10 and 20 in the paper, whose "
    "results depend little on it; 5 is the usual default.",
)  # fmt: skip

SLOW_SHARE = Hyperparameter(
    "slow_share", low=0.2, high=0.8, reference=0.5, legal="above 0 up to 1",
    says="How much of the way to the fast weights the slow ones go (α). 0.5 and 0.8 in the paper; the range is a "
    "proposal around them.",
)  # fmt: skip

_UNSOUND_NEEDS = frozenset({"sparse_gradients", "switches"})
_UNSOUND_FAMILIES = ("second_order", "schedule_free")


def around_all(entries: Iterable[OptimizerEntry]) -> list[OptimizerEntry]:
    """Return Lookahead around each of the optimizers around which it is sound."""
    return [around(entry) for entry in entries if is_sound(entry)]


def is_sound(entry: OptimizerEntry) -> bool:
    """Return whether Lookahead around an optimizer makes sense.

    Not around one that averages weights itself (Schedule-Free), learns from the way that the weights went, which
    the pull back would falsify (second order, Prodigy), moves a few rows only (SparseAdam) or has no noise to
    smooth (Rprop, whole batches).
    """
    family = entry.family in _UNSOUND_FAMILIES
    known = entry.batches == "any" and entry.takes_schedule
    return known and not (entry.needs & _UNSOUND_NEEDS or family or entry.name == "prodigy")


def around(inner: OptimizerEntry) -> OptimizerEntry:
    """Return Lookahead around an optimizer, as an entry with the inner one's settings and two of its own."""

    def arguments(settings: Mapping[str, Value]) -> dict[str, Any]:
        own = given(settings, "sync_steps", "slow_share")
        return {"inner": inner.target, **own, **inner.arguments(settings)}

    return replace(
        inner,
        name=f"{LOOKAHEAD}_{inner.name}",
        title=f"Lookahead ({inner.title})",
        family="lookahead",
        target="autoopt.training.lookahead:Lookahead",
        hyperparameters=(*inner.hyperparameters, SYNC_STEPS, SLOW_SHARE),
        arguments=arguments,
        state_floats=inner.state_floats + 1,
        rank=inner.rank + 100,
        rule=None if inner.rule is None else lookahead_rule(inner.rule),
        in_default_search=False,
        around=inner,
        says=f"{inner.title} runs ahead for some steps, then all weights return a part of the way: steadier, at one "
        "more number a parameter and next to no time (named as a trend by D2). Judged by its slow weights. The "
        "paper sees small gains on image nets and language models; no independent comparison was found.",
        formula=r"\theta_t = \theta_{t-1} + \text{a step at rate } \eta \text{ of "
        + inner.title
        + r"}; \quad "
        r"\text{after every } k \text{ steps: } \phi \leftarrow \phi + \alpha (\theta_t - \phi), \quad "
        r"\theta_t \leftarrow \phi",
        references=(
            "Zhang et al., Lookahead Optimizer: k steps forward, 1 step back, 2019, arXiv:1907.08610",
            "D2",
            *inner.references,
        ),
    )
