"""Which learning rates published tuned runs used, for an optimizer on a kind of task: the prior of a search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from autoopt.catalogue import OPTIMIZERS
from autoopt.errors import GuidanceError, unknown_name
from autoopt.guidance.evidence import Row, number_or_none, read_table

if TYPE_CHECKING:
    from autoopt.tasks.profile import TaskProfile

WIDENING = 1.5
"""Rows of one paper are correlated: knowledge/evidence/README.md."""

LEAST_SD = 0.3
"""Decades. Where all of a few rows agree, that is one author's habit, and not knowledge to a factor of two."""

FEWEST_PROBLEMS = 3
ALL = "ALL"

_REGIMES = {"mlp": "mlp_tabular", "cnn": "cnn", "resnet": "resnet", "rnn": "rnn", "autoencoder": "vae"}
_ADAM, _SGD = "Adam/AdamW/NAdamW pooled", "SGD/SGD+momentum/NAG pooled"
# names in the tables, the closest first; what stands for a whole family comes last
_NAMES: dict[str, tuple[str, ...]] = {
    "sgd": (_SGD,), "momentum": (_SGD,), "adam": ("Adam", _ADAM), "adamw": ("AdamW", _ADAM),
    "nadam": ("NAdamW", _ADAM), "radam": ("RAdam", _ADAM), "adagrad": ("Adagrad",),
    "adabound": ("AdaBound",), "lion": ("Lion",), "adopt": ("ADOPT",), "ademamix": ("AdEMAMix",),
    "mars": ("MARS",), "soap": ("SOAP",), "muon": ("Muon",), "prodigy": ("Prodigy",), "sophia": ("Sophia",),
    "schedule_free_adamw": ("ScheduleFreeAdamW",), "shampoo": ("Shampoo",),
}  # fmt: skip
# where the other table spells a name in its own way
_SPELLINGS = {
    "sgd": "SGD+momentum", "momentum": "SGD+momentum", "sparse_adam": "SparseAdam",
    "schedule_free_adamw": "ScheduleFreeAdamW", "schedule_free_sgd": "ScheduleFreeSGD",
    "schedule_free_radam": "ScheduleFreeRAdam",
}  # fmt: skip


@dataclass(frozen=True)
class RatePrior:
    """Which learning rates to expect: log-normal, as tuned runs elsewhere had them.

    Attributes:
        mean, sd: of log10 of the rate; ``sd`` is widened, and never below ``LEAST_SD``.
        effective: the rate is lr / (1 − momentum), which compares across momenta.
        regime: the kind of task the rows speak of; ``ALL`` for every kind.
        problems: how many problems they come from; 0 for a range that was only proposed.
        source: the row, to be looked up.
    """

    optimizer: str
    mean: float
    sd: float
    effective: bool
    regime: str
    problems: int
    source: str

    @property
    def rate(self) -> float:
        """The middle: a rate as likely too low as too high."""
        return float(10**self.mean)

    def quantile(self, share: float) -> float:
        """Return the rate that this share of all lies below.

        >>> RatePrior("adam", -3.0, 0.5, False, "ALL", 9, "").quantile(0.5)
        0.001
        """
        from statistics import NormalDist

        return float(10 ** NormalDist(self.mean, self.sd).inv_cdf(share))

    def __str__(self) -> str:
        unit = "lr / (1 − momentum)" if self.effective else "rate"
        return f"{unit} {self.rate:.2g}, 80 % between {self.quantile(0.1):.2g} and {self.quantile(0.9):.2g}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**vars(self), "low": self.quantile(0.1), "rate": self.rate, "high": self.quantile(0.9)}


def regime_of(profile: TaskProfile) -> str:
    """Return which rows of ``hparam_priors.csv`` speak of tasks like this one; ``ALL`` if none do.

    >>> from autoopt.tasks.profile import TaskProfile
    >>> regime_of(TaskProfile("attention", 10**6, 10**6, has_attention=True, pretrained=True))
    'finetune_nlp'
    """
    if profile.family == "attention":
        if profile.pretrained:
            return "finetune_nlp"
        return (
            "vit" if profile.has_convolution and profile.task_kind != "language_model" else "transformer_lm"
        )
    return _REGIMES.get(profile.family, ALL)


def prior(optimizer: str, profile: TaskProfile) -> RatePrior | None:
    """Return which learning rates to expect of an optimizer on a task; ``None`` if nothing is published.

    The rows taken are the first of these that come from at least three problems that differ: the optimizer's
    own on such tasks, its family's on such tasks, its own on all tasks, its family's on all. Where there are
    none, the range proposed in ``optimizers.csv``.

    Raises:
        GuidanceError: the optimizer is not in the catalogue.
    """
    if optimizer not in OPTIMIZERS:
        raise GuidanceError(unknown_name("optimizer", optimizer, OPTIMIZERS))
    return _prior(optimizer, regime_of(profile))


@cache
def _prior(optimizer: str, regime: str) -> RatePrior | None:
    names = _NAMES.get(optimizer, ())
    rows = {(row["optimizer"], row["regime"]): row for row in read_table("hparam_priors")}
    for place in dict.fromkeys((regime, ALL)):
        for name in names:
            if (row := rows.get((name, place))) and (found := _measured(optimizer, row)):
                return found
    return _proposed(optimizer)


def _measured(optimizer: str, row: Row) -> RatePrior | None:
    effective = OPTIMIZERS[optimizer].momentum_scales_lr or optimizer == "momentum"
    problems = int(row["n_problems"])
    middle = number_or_none(row["lr_eff_geomean" if effective else "lr_geomean"])
    sd = number_or_none(row["lr_eff_log10_sd" if effective else "lr_log10_sd"])
    if problems < FEWEST_PROBLEMS or not middle or not sd:
        return None
    source = f"hparam_priors.csv: {row['optimizer']}, {row['regime']}"
    return RatePrior(
        optimizer, round(math.log10(middle), 4), max(LEAST_SD, WIDENING * sd), effective, row["regime"],
        problems, source,
    )  # fmt: skip


def _proposed(optimizer: str) -> RatePrior | None:
    entry = OPTIMIZERS[optimizer]
    names = {_SPELLINGS.get(optimizer, entry.title), entry.title, *_NAMES.get(optimizer, ())}
    for row in read_table("optimizers"):
        if row["name"] in names:
            low, middle, high = (
                number_or_none(row[f"lr_{name}"]) for name in ("search_low", "reference", "search_high")
            )
            if low and middle and high:
                spread = math.log10(high / low) / (2 * 1.2816)  # the range holds the middle 80 %
                source = f"optimizers.csv: {row['name']}"
                return RatePrior(optimizer, math.log10(middle), max(LEAST_SD, spread), False, ALL, 0, source)
    return None
