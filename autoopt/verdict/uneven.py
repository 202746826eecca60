"""Who is best where some were trained on more seeds than others, because these dropped out on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from autoopt.run import Direction
from autoopt.verdict.statistics import ROUNDING, chance_ahead

Scores = Mapping[int, float]
LEAST = 0.2  # share of its variance that the mean of an own row has at least beside the chosen one's


def chance_to_lead(
    rivals: Sequence[Scores], chosen: int, direction: Direction, beside: Sequence[Scores] = ()
) -> float | None:
    """Return the chance that the true mean of one of the rivals is the best of theirs, all of them held at once.

    A score is taken for what its row has, what its seed does to all rows, and noise that is the same for all: least
    squares find the means and what is known of their differences. Multiplying the chances to beat each rival by itself
    would count the luck of the chosen one once for each of them.

    Args:
        rivals: scores by seed of each; with holes, but the chosen one should have all seeds.
        beside: further rows, which tell of the seeds and of the noise, and are no rivals.

    Returns:
        ``None`` where nothing is left to know the noise by.
    """
    rows = [*rivals, *beside]
    seeds = sorted({seed for row in rows for seed in row})
    cells = [(i, seeds.index(seed), score) for i, row in enumerate(rows) for seed, score in row.items()]
    degrees = len(cells) - len(rows) - len(seeds) + 1
    if degrees < 1:
        return None
    design = np.zeros((len(cells), len(rows) + len(seeds)))
    for place, (row, column, _) in enumerate(cells):
        design[place, row] = design[place, len(rows) + column] = 1.0
    scores = np.array([score for _, _, score in cells])
    scores = scores / (float(np.abs(scores).max()) or 1.0)
    known = np.linalg.pinv(design.T @ design)
    fitted = known @ design.T @ scores
    variance = float(((scores - design @ fitted) ** 2).sum()) / degrees
    means = fitted[: len(rivals)] * (-1 if direction == "minimize" else 1)
    ahead = means[chosen] - means
    ahead[np.abs(ahead) < ROUNDING] = 0.0
    own = 1 / len(rivals[chosen])
    between = known[chosen, chosen] + np.diag(known)[: len(rivals)] - 2 * known[chosen, : len(rivals)]
    shares = np.array([max(between[i] - own, LEAST / len(row)) for i, row in enumerate(rivals)])
    shares[chosen] = own
    errors = np.sqrt(variance * shares)
    smallest = np.min(np.abs(ahead), where=ahead != 0, initial=1.0)
    return min(1.0, chance_ahead(ahead, np.maximum(errors, 1e-9 * smallest), chosen, degrees))
