"""What the steps of an epoch show beside their losses: how large gradients and steps are, and how they turn.

Symptoms of a run are told from these numbers. Looking costs time, so only some of the steps are looked at, on a
part of the weights, and what was found is read from the device only now and then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from statistics import fmean, median
from typing import Any

import torch
from torch import Tensor

from autoopt.training.gradients import gradient_norms

LOOK_EVERY = 32  # steps between two looks at most; an epoch that is shorter gets one, in its middle
SAMPLE = 2**15  # weights that a look compares, of all parameters about equally many
READ_EVERY = 64  # steps, or looks, between two readings; each waits for the device


class StepObserver:
    """Looks at some of a run's steps, at gradients before and weights before and after.

    Args:
        parameters: those that the optimizer moves.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._parameters = [p for p in parameters if p.is_floating_point()]
        self._share = max(1, SAMPLE // max(1, len(self._parameters)))
        self._gradient: Tensor | None = None  # of the step before, where this one looks back at it
        self._weights: list[Callable[[], Tensor]] = []  # what to compare once the step is taken
        self._moved: tuple[Tensor, Tensor] | None = None  # those weights before it, and their gradients
        self._turn: Tensor | None = None
        self.begin_epoch(1)

    def state_dict(self) -> dict[str, Any]:
        """Return what a look in the next epoch needs of this one."""
        return {"gradient": self._gradient}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` returned."""
        self._gradient = state["gradient"]

    def begin_epoch(self, steps: int) -> None:
        """Forget what was found; ``steps`` is how many the epoch will have, about."""
        self._every = max(1, min(LOOK_EVERY, steps))
        self._step = 0
        self._unread: list[Tensor] = []
        self._unread_norms: list[Sequence[Tensor]] = []  # of each step, parameter by parameter
        self._norms: list[float] = []
        self._turns: list[float] = []
        self._ratios: list[float] = []
        self._lost: list[float] = []

    @torch.no_grad()
    def before_step(self, norm: Tensor | None) -> None:
        """Look at the gradients of a step that is about to be taken.

        Args:
            norm: of the whole gradient before clipping, where clipping has measured it anyway.
        """
        self._step += 1
        # how many steps are left until the next look; the one before it is what it looks back at
        left = (self._every // 2 - self._step) % self._every
        if norm is not None:
            self._unread_norms.append((norm,))
        elif (gradients := [p.grad for p in self._parameters if p.grad is not None]) and (
            left <= 0 or not any(g.is_sparse for g in gradients)
        ):
            # of sparse ones entries must be added up first, which takes too long for every step
            self._unread_norms.append(gradient_norms(gradients))
        if len(self._unread_norms) >= READ_EVERY:
            self._read()
        if left > 1:
            return
        moving = [(p.detach(), p.grad) for p in self._parameters if p.grad is not None]
        dense = [self._part(g) for _, g in moving if not g.is_sparse]
        gradient = _joined(dense) if dense else None
        if left == 0 and moving:
            self._turn = _cosine(self._gradient, gradient)
            self._note_weights(moving, gradient)
        # with a step an epoch, the next one looks back at this one
        self._gradient = gradient if left or self._every == 1 else None

    @torch.no_grad()
    def after_step(self) -> None:
        """Look at what the step did to the weights."""
        if self._moved is None:
            return
        before, gradient = self._moved
        change = self._present_weights() - before
        asked = gradient != 0
        lost = (asked & (change == 0)).sum() / asked.sum()
        turn = change.new_full((), math.nan) if self._turn is None else self._turn
        self._unread.append(torch.stack([turn, change.norm() / before.norm(), lost]))
        self._moved, self._weights, self._turn = None, [], None

    def numbers(self) -> dict[str, float | None]:
        """Return the fields of the epoch's report; ``None`` where nothing was seen."""
        self._read()
        norms = [norm if math.isfinite(norm) else math.inf for norm in self._norms]
        return {
            "gradient_median": median(norms) if norms else None,
            "gradient_peak": max(norms, default=None),
            "gradient_turn": fmean(self._turns) if self._turns else None,
            "update_ratio": median(self._ratios) if self._ratios else None,
            "lost_updates": fmean(self._lost) if self._lost else None,
        }

    def _note_weights(self, moving: Sequence[tuple[Tensor, Tensor]], dense: Tensor | None) -> None:
        """Remember a part of the weights that have a gradient; of a sparse table, rows that the gradient names."""
        self._weights = [partial(self._part, w) for w, g in moving if not g.is_sparse]
        gradients = [] if dense is None else [dense]
        for weights, gradient in moving:
            if gradient.is_sparse and gradient.sparse_dim() == 1 and gradient._nnz():
                # not coalesced, for that costs time: a row may come several times, and then counts so often
                rows = gradient._indices()[0, : max(1, self._share * len(weights) // weights.numel())]
                gradients.append(gradient._values()[: len(rows)].flatten())
                self._weights.append(partial(_rows, weights, rows))
        if gradients:
            self._moved = self._present_weights(), torch.cat(gradients)

    def _present_weights(self) -> Tensor:
        return _joined([weights() for weights in self._weights])

    def _part(self, tensor: Tensor) -> Tensor:
        """Return the first rows of a tensor, flat, about as many numbers as each parameter's share."""
        if tensor.numel() <= self._share:
            return tensor.flatten()
        if tensor.ndim > 1:
            tensor = tensor[: max(1, self._share * len(tensor) // tensor.numel())]
        return tensor.flatten()[: self._share]

    def _read(self) -> None:
        if self._unread_norms:
            lengths = iter(
                torch.stack([norm.float() for norms in self._unread_norms for norm in norms]).tolist()
            )
            self._norms += [math.hypot(*islice(lengths, len(norms))) for norms in self._unread_norms]
        if self._unread:
            for turn, ratio, lost in torch.stack(self._unread).tolist():
                for found, value in ((self._turns, turn), (self._ratios, ratio), (self._lost, lost)):
                    if math.isfinite(value):
                        found.append(value)
        self._unread, self._unread_norms = [], []


def _rows(table: Tensor, rows: Tensor) -> Tensor:
    return table[rows].flatten()


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Return tensors as one flat copy, in 32 bits at least, so that squares of small numbers stay above zero."""
    joined = torch.cat(list(parts))
    return joined if joined.dtype == torch.float64 else joined.float()


def _cosine(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """Return the cosine of the angle between two gradients, NaN where one is zero; ``None`` without two."""
    if one is None or other is None or one.shape != other.shape:
        return None
    cosine: Tensor = torch.dot(one, other) / (one.norm() * other.norm())
    return cosine
