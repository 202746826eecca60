"""Curve: the recorded epochs of a run as the diagnosis looks at them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import fmean, median

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import learning_rate
from autoopt.recipe import Recipe
from autoopt.run import Direction, EpochReport

UNLEARNED = 0.4  # of the untrained loss is still there: most of the work is
UNDIMINISHED = 0.5  # of the first gradient is still there: the slope leads on
AGREEING = 0.15  # cosine of consecutive gradients: they point the same way, so longer steps would do
STEADY = 0.8  # share of epochs in which the loss fell


@dataclass(frozen=True)
class Curve:
    """A run's numbers as the looks need them; what was not recorded is ``None`` or left out."""

    reports: tuple[EpochReport, ...]
    recipe: Recipe
    epochs: int
    direction: Direction

    @property
    def diverged(self) -> bool:
        return self.reports[-1].diverged

    @cached_property
    def whole(self) -> tuple[EpochReport, ...]:
        """The epochs that were trained and evaluated to their end."""
        return self.reports[:-1] if self.diverged else self.reports

    @cached_property
    def train(self) -> list[float]:
        return [report.train_loss for report in self.whole]

    @cached_property
    def start(self) -> float | None:
        """The loss before training, as far as it is known: over the first tenth of the first epoch."""
        found = self.reports[0].start_loss
        return found if found is not None and math.isfinite(found) and found > 0 else None

    @cached_property
    def fell(self) -> float:
        """Share of the later half of the epochs in which the training loss fell."""
        later = list(pairwise(self.train[(len(self.train) - 1) // 2 :]))
        return fmean(late < early for early, late in later) if later else 0.0

    def seen(self, name: str) -> list[float]:
        """The values of a field where it is known and finite."""
        values = [getattr(report, name) for report in self.whole]
        return [value for value in values if value is not None and math.isfinite(value)]

    @cached_property
    def turn(self) -> float | None:
        """Median cosine of consecutive gradients."""
        turns = self.seen("gradient_turn")
        return median(turns) if turns else None

    @cached_property
    def way(self) -> float | None:
        """Lengths of the weights that the steps of the complete training would cover at this pace."""
        known = [r.update_ratio * r.steps for r in self.whole if r.update_ratio is not None and r.steps]
        return fmean(known) * self.epochs if known else None

    @property
    def relative_rate(self) -> float | None:
        """The rate over the optimizer's reference rate; ``None`` for an optimizer that has none."""
        settings, entry = self.recipe.settings, OPTIMIZERS.get(self.recipe.optimizer)
        if entry is None or "lr" not in settings:
            return None
        return float(settings["lr"]) / learning_rate(entry, 1.0, settings)

    @cached_property
    def first_gradient(self) -> float | None:
        gradients = self.seen("gradient_median")
        return gradients[0] if gradients and gradients[0] > 0 else None

    @property
    def undiminished(self) -> bool:
        """Whether the gradient is still about as large as it was in the first epoch."""
        last = self.seen("gradient_median")[-1:]
        return self.first_gradient is not None and last[0] >= UNDIMINISHED * self.first_gradient

    @cached_property
    def learns_evenly(self) -> bool:
        """Whether late gradients agree from step to step, or the loss still falls in nearly every epoch."""
        turns = self.seen("gradient_turn")
        return (bool(turns) and fmean(turns[len(turns) // 2 :]) >= AGREEING) or self.fell >= STEADY

    @property
    def mostly_unlearned(self) -> bool:
        first = self.train[0] if self.start is None else max(self.start, self.train[0])
        return self.train[-1] > UNLEARNED * first > 0
