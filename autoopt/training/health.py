"""When a run has diverged, and what to say of one whose code raised."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from autoopt.errors import AutooptError
from autoopt.tasks.explain import MEMORY_ADVICE, describe_error, is_out_of_memory

LOSS_BOUND = 1e3  # a validation loss beyond this many times (1 + |untrained loss|) has diverged
WEIGHT_BOUND = 1e18  # the product of two such weights overflows in float32


def has_diverged(
    train_loss: float, valid_loss: float, scores: tuple[float | None, ...], untrained_loss: float
) -> bool:
    """Tell whether a run is beyond hope: a number is not finite, or the validation loss absurdly large.

    Absurd is more than 1000 · (1 + |untrained loss|): no descent, however rough, passes through there.

    Args:
        train_loss, valid_loss: of this epoch.
        scores: the objective with plain and with averaged weights; ``None`` where it was not measured. A
            metric that is not the objective is none of them: it may be NaN without harm.
        untrained_loss: of the very first training batch, before the first step.
    """
    seen = [train_loss, valid_loss, untrained_loss, *(score for score in scores if score is not None)]
    if not all(math.isfinite(number) for number in seen):
        return True
    return valid_loss > LOSS_BOUND * (1 + abs(untrained_loss))


def weights_are_sound(weights: Iterable[Tensor]) -> bool:
    """Tell whether no weight is NaN or beyond 1e18, where the product of two overflows in float32."""
    plain = (w._values() if w.layout == torch.sparse_coo else w for w in (w.detach() for w in weights))
    return all(bool((weight.abs() < WEIGHT_BOUND).all()) for weight in plain)


def describe_failure(error: BaseException) -> str:
    """Return one line on what was raised: ``ValueError: no such row (model.py, line 12)``.

    Errors of autoopt's own say all that is needed by themselves. Where memory ran out it says what needs less.
    """
    if isinstance(error, AutooptError):
        return str(error)
    said = describe_error(error)
    return f"{said}; {MEMORY_ADVICE}" if is_out_of_memory(error) else said
