"""The validation loss and the score of many rows at once, with their weights and with the average of these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from autoopt.tasks.batch import count_rows
from autoopt.tasks.samples import move_batch
from autoopt.tasks.task import BatchLoss, MetricState
from autoopt.training.evaluation import measured
from autoopt.training.stack.row import Row
from autoopt.training.trainee import EVALUATION_BATCHES

if TYPE_CHECKING:
    from autoopt.training.stack.epoch import Bench


@dataclass(frozen=True)
class Judged:
    """What an evaluation showed of a row."""

    loss: float
    score: float
    averaged_score: float | None = None


def judge(
    bench: Bench, rows: Sequence[Row], p: Tensor, fixed: list[Tensor], average: Tensor | None
) -> tuple[list[Judged], list[Tensor]]:
    """Evaluate all rows on the validation data; return what was found, and the buffers afterwards."""
    losses, scores, fixed = _evaluate(bench, p, fixed)
    averaged: list[float | None] = [None] * len(rows)
    at_rung = [row.epoch + 1 in row.run.rungs and row.epoch + 1 < row.run.epochs for row in rows]
    if average is not None and any(at_rung):
        _, with_average, fixed = _evaluate(bench, average, fixed)
        averaged = [score if asked else None for score, asked in zip(with_average, at_rung, strict=True)]
    found = [Judged(*numbers) for numbers in zip(losses, scores, averaged, strict=True)]
    return found, fixed


def _evaluate(bench: Bench, p: Tensor, fixed: list[Tensor]) -> tuple[list[float], list[float], list[Tensor]]:
    """Return loss and score of every row, and the buffers, which some models write to here too."""
    task, model = bench.task, bench.model
    metric = task.metric if task.objective != "loss" else None
    states: list[MetricState | None] = [metric.start() for _ in p] if metric is not None else []
    views = model.layout.views(p)
    losses: list[Tensor] = []
    counts: list[int] = []
    for batch in task.valid.batches(EVALUATION_BATCHES * task.batch_size):
        moved = move_batch(batch, bench.device)
        found, outputs, fixed = model.evaluate(views, fixed, moved, with_outputs=metric is not None)
        losses.append(found)
        counts.append(count_rows(batch))
        for place, (output, target) in enumerate(outputs):
            state, seen = states[place], BatchLoss(found[place], counts[-1], output, target)
            if state is not None and not measured(state, seen, task):
                states[place] = None
    by_row = torch.stack(losses).T.tolist()
    means = [sum(a * b for a, b in zip(row, counts, strict=True)) / sum(counts) for row in by_row]
    if metric is None:
        return means, means, fixed
    return means, [math.nan if s is None else float(s.compute()) for s in states], fixed
