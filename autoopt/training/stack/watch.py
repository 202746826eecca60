"""What the steps of an epoch show, row by row: the figures of ``StepObserver`` for many runs at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median

import torch
from torch import Tensor

from autoopt.training.observer import LOOK_EVERY, SAMPLE
from autoopt.training.stack.layout import Layout

SHORT = 3  # steps of an epoch whose first look may come at its first step


class StackObserver:
    """Looks at some of the steps of all rows, at gradients before and weights after.

    Args:
        steps: of the epoch.
        before: what ``kept`` gave after the epoch before, of each row; ``None`` where there was none.
    """

    def __init__(
        self, layout: Layout, weights: Tensor, steps: int, before: Sequence[Tensor | None] = ()
    ) -> None:
        self._weights = weights
        self._places = layout.looked_at(SAMPLE).to(weights.device)
        self._every = max(1, min(LOOK_EVERY, steps))
        self._step = 0
        self._norms: list[Tensor] = []
        self._looks: list[tuple[int, Tensor]] = []  # step, and (3, K): turn, ratio, lost
        self._gradient = self._looked_back(before)
        self._moved: tuple[Tensor, Tensor, Tensor] | None = None

    def before_step(self, norms: Tensor, gradients: Tensor) -> None:
        """Look at a step that is about to be taken.

        Args:
            norms: of the whole gradients (K) before clipping.
            gradients: (K, P) after it.
        """
        self._step += 1
        self._norms.append(norms)
        left = (self._every // 2 - self._step) % self._every
        if left > 1:
            return
        gradient = self._part(gradients)
        if left == 0:
            turn = torch.full_like(norms, math.nan, dtype=gradient.dtype)
            if (before := self._gradient) is not None:
                turn = (before * gradient).sum(1) / (before.norm(dim=1) * gradient.norm(dim=1))
            self._moved = self._part(self._weights), gradient, turn
        self._gradient = gradient if left or self._every == 1 else None

    def after_step(self) -> None:
        """Look at what the step did to the weights."""
        if self._moved is None:
            return
        before, gradient, turn = self._moved
        change = self._part(self._weights) - before
        asked = gradient != 0
        lost = (asked & (change == 0)).sum(1) / asked.sum(1)
        self._looks.append((self._step, torch.stack([turn, change.norm(dim=1) / before.norm(dim=1), lost])))
        self._moved = None

    @property
    def kept(self) -> Tensor | None:
        """The gradients (K, …) that a look at the first step of the next epoch compares with, in short epochs."""
        return self._gradient if self._every <= SHORT else None

    def _looked_back(self, before: Sequence[Tensor | None]) -> Tensor | None:
        known = [each for each in before if each is not None]
        if not known:
            return None
        unknown = torch.full_like(known[0], math.nan)
        return torch.stack([unknown if each is None else each for each in before])

    def read(self) -> None:
        """Bring the figures from the device; ``norms`` and ``numbers`` are of what was read last."""
        self._read_norms = torch.stack(self._norms).tolist()
        self._read_looks = [(step, look.tolist()) for step, look in self._looks]

    def norm(self, row: int, steps: int) -> float:
        """Return the norm of a row's gradient at its last step, of ``steps``."""
        return float(self._read_norms[steps - 1][row])

    def numbers(self, row: int, steps: int) -> dict[str, float | None]:
        """Return the fields of a row's report from its first ``steps`` steps; ``None`` where nothing was seen."""
        norms = [each[row] if math.isfinite(each[row]) else math.inf for each in self._read_norms[:steps]]
        seen = [[figure[row] for figure in look] for step, look in self._read_looks if step <= steps]
        turns, ratios, lost = ([look[k] for look in seen if math.isfinite(look[k])] for k in range(3))
        return {
            "gradient_median": median(norms) if norms else None,
            "gradient_peak": max(norms, default=None),
            "gradient_turn": fmean(turns) if turns else None,
            "update_ratio": median(ratios) if ratios else None,
            "lost_updates": fmean(lost) if lost else None,
        }

    def _part(self, rows: Tensor) -> Tensor:
        part = rows[:, self._places]
        return part if part.dtype == torch.float64 else part.float()
