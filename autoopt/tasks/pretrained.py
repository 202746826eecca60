"""Whether a model comes with weights that were trained before."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from autoopt.tasks.randomness import OwnRandomness

_ENOUGH = 256  # elements from which on the spread of a matrix tells anything
_DRAWN = (1.6, 3.5)  # kurtosis of drawn weights: 1.8 uniform, 2 to 3 cut normal, 3 normal
_UNEVEN = 2.0  # rows of trained weights differ in length so many times more than those of drawn ones


def loaded_share(make_model: Callable[[], nn.Module]) -> float:
    """Return the share of the weights that were loaded, by all appearances, from 0 to 1.

    Those are equal whatever the random state that the model is made in, and do not look as if drawn at random
    either, as they would with a seed inside ``model()``. Vectors and constants are left out of account.
    """
    models = []
    for seed in (1, 2):
        with OwnRandomness(seed):
            models.append(make_model())
    loaded = all_weights = 0
    for one, other in zip(*(m.parameters() for m in models), strict=False):
        if one.ndim < 2 or is_lazy(one) or one.numel() < _ENOUGH:
            continue
        all_weights += one.numel()
        if torch.equal(one, other) and not looks_drawn(one.detach()):
            loaded += one.numel()
    return loaded / all_weights if all_weights else 0.0


def looks_drawn(weights: Tensor) -> bool:
    """Return whether a matrix looks as if its elements were drawn independently, all from one distribution.

    Training leaves rows and columns of unequal lengths and heavy tails. A constant counts as drawn.
    """
    matrix = weights.double().flatten(1)
    spread = matrix.std(correction=0)
    if not spread > 0:
        return True
    matrix = (matrix - matrix.mean()) / spread
    kurtosis = float(matrix.pow(4).mean())
    if not _DRAWN[0] <= kurtosis <= _DRAWN[1]:
        return False
    return all(_unevenness(side, kurtosis) < _UNEVEN for side in (matrix, matrix.T) if min(side.shape) >= 8)


def _unevenness(rows: Tensor, kurtosis: float) -> float:
    """How much more than by chance the mean squares of the rows differ, as a ratio of standard deviations."""
    by_chance = math.sqrt((kurtosis - 1) / rows.shape[1])
    return float(rows.pow(2).mean(1).std()) / by_chance
