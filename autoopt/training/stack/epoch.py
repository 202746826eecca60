"""One epoch of several rows in one pass: batches, gradients, clipping, steps, and the reports."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from autoopt.run import EpochReport
from autoopt.tasks.batch import count_rows
from autoopt.tasks.samples import move_batch
from autoopt.tasks.task import Batch, Task
from autoopt.training.averaging import ETA
from autoopt.training.health import has_diverged
from autoopt.training.stack.by_rule import RuleUpdate, by_rule_key
from autoopt.training.stack.general import GeneralUpdate
from autoopt.training.stack.judging import judge
from autoopt.training.stack.model import StackedModel
from autoopt.training.stack.row import Row
from autoopt.training.stack.tracing import Traced
from autoopt.training.stack.watch import StackObserver
from autoopt.training.streams import RandomStreams, shuffle_seed
from autoopt.training.trainee import ENDS, LOOK_EVERY, UNEVALUATED

CLIP_GUARD = 1e-6  # torch's own, beside the norm that it divides by


@dataclass(frozen=True)
class Bench:
    """What the epochs of a stack share.

    Attributes:
        model: computes.
        draws: it draws random numbers of torch, dropout for one.
        compiled_rows: how many rows the compiled code has, which idle ones fill up; 0 where nothing is compiled.
        traces: of rules, see ``RuleUpdate``.
    """

    task: Task
    model: StackedModel
    device: str
    draws: bool = False
    compiled_rows: int = 0
    traces: dict[Any, Traced] = field(default_factory=dict)


def train_rows(bench: Bench, rows: Sequence[Row]) -> list[EpochReport]:
    """Train rows for one more epoch and evaluate; return their reports, in order.

    The rows are changed at the very end: when something raises, they are as they were.

    Args:
        rows: of one batch size, all with an average of the weights or all without; and where the model draws
            random numbers, of one seed and at one epoch.
    """
    started = perf_counter()
    # rows that one update moves lie side by side
    order = sorted(range(len(rows)), key=lambda k: () if rows[k].is_general else by_rule_key(rows[k]))
    idle = max(0, bench.compiled_rows - len(rows))
    streams = rows[0].streams.copy() if bench.draws else rows[0].streams
    with bench.task.surroundings(), streams.active():
        # copies of the first row fill up what is compiled, and are forgotten
        laid = [*(replace(rows[order[0]]) for _ in range(idle)), *(rows[k] for k in order)]
        stack = _Epoch(bench, laid)
        stack.train()
        fields = stack.judge()
    stack.leave(streams)
    seconds = (perf_counter() - started) / len(rows)
    found = dict(zip(order, fields[idle:], strict=True))
    return [EpochReport(row.run.id, row.epoch, **found[k], seconds=seconds) for k, row in enumerate(rows)]


class _Epoch:
    """Rows laid together for one epoch."""

    def __init__(self, bench: Bench, rows: Sequence[Row]) -> None:
        self._bench, self._rows = bench, rows
        task, layout = bench.task, bench.model.layout
        self._size = rows[0].run.recipe.batch_size or task.batch_size
        self._steps = task.train.steps_per_epoch(int(self._size), drop_single=task.has_batch_norm)
        self._p = torch.stack([row.weights for row in rows])
        self._m, self._v = torch.stack([row.m for row in rows]), torch.stack([row.v for row in rows])
        self._fixed = [torch.stack(each) for each in zip(*[row.fixed for row in rows], strict=True)]
        averages = [row.average for row in rows if row.average is not None]
        self._average = torch.stack(averages) if averages else None
        self._views = layout.views(self._p)
        self._rates = [row.rates(self._steps) for row in rows]
        self._observer = StackObserver(layout, self._p, self._steps, [r.gradient for r in rows])
        self._losses: list[Tensor] = []
        self._batch_rows: list[int] = []
        self._clip = self._column([row.run.recipe.clip_norm for row in rows])
        self._clip_value = self._column([row.run.recipe.clip_value for row in rows])
        self._updates = self._begin_updates()
        self._marks: list[tuple[float, list[float]]] = []  # untrained and validation losses, after the epoch

    def _column(self, limits: Sequence[float | None]) -> Tensor | None:
        """Return limits (K, 1), infinite where there is none; ``None`` if there are none at all."""
        if all(limit is None for limit in limits):
            return None
        numbers = [[math.inf if limit is None else limit] for limit in limits]
        return torch.tensor(numbers, dtype=self._p.dtype, device=self._p.device)

    def _begin_updates(self) -> list[tuple[slice, GeneralUpdate | RuleUpdate]]:
        rows, layout = self._rows, self._bench.model.layout
        updates: list[tuple[slice, GeneralUpdate | RuleUpdate]] = []
        general = sum(row.is_general for row in rows)
        if general:
            compiled = self._bench.compiled_rows > 0
            # compiled code has as many rows whatever they are: those with a rule of their own are left as they are
            part = slice(0, len(rows) if compiled else general)
            tables = [row.table(rates) for row, rates in zip(rows[part], self._rates, strict=False)]
            update = GeneralUpdate(self._p[part], self._m[part], self._v[part], layout.decayed,
                                   np.stack(tables, axis=2), compiled=compiled)  # fmt: skip
            updates.append((part, update))
        start = general
        while start < len(rows):
            key = by_rule_key(rows[start])
            end = next((k for k in range(start, len(rows)) if by_rule_key(rows[k]) != key), len(rows))
            part = slice(start, end)
            by_rule = RuleUpdate(rows[part], self._p[part], layout, self._rates[part], self._bench.traces)
            updates.append((part, by_rule))
            start = end
        return updates

    def train(self) -> None:
        """Take the steps of the epoch."""
        for number, (batch, own) in enumerate(self._batches(), 1):
            losses, gradients, self._fixed = self._gradients(batch, own=own)
            norms = torch.linalg.vector_norm(gradients, dim=1)
            self._clip_rows(gradients, norms)
            self._observer.before_step(norms, gradients)
            for part, update in self._updates:
                update.step(gradients[part])
            self._observer.after_step()
            if self._average is not None:
                taken = torch.tensor([[row.steps + number] for row in self._rows], dtype=torch.float64)
                weight = ((1 + ETA) / (taken + ETA)).to(self._p.dtype).to(self._p.device)
                torch.lerp(self._average, self._p, weight, out=self._average)
            self._losses.append(losses)
            self._batch_rows.append(_rows_of(batch, own=own))

    def _gradients(self, batch: Batch, *, own: bool) -> tuple[Tensor, Tensor, list[Tensor]]:
        return self._bench.model.gradients(self._views, self._fixed, batch, own=own)

    def _clip_rows(self, gradients: Tensor, norms: Tensor) -> None:
        """Clip every row by its own limits; a row without is left alone, whatever its numbers are."""
        if self._clip is not None:
            scale = (self._clip / (norms[:, None] + CLIP_GUARD)).clamp(max=1.0)
            gradients.mul_(torch.where(torch.isinf(self._clip), torch.ones_like(scale), scale))
        if self._clip_value is not None:
            torch.clamp(gradients, -self._clip_value, self._clip_value, out=gradients)

    def _batches(self) -> Iterator[tuple[Batch, bool]]:
        """Yield batches, and whether they hold one for each row."""
        task, rows, device = self._bench.task, self._rows, self._bench.device
        seeds = [shuffle_seed(row.run.seed, row.epoch + 1) for row in rows]
        size = int(self._size)
        distinct = list(dict.fromkeys(seeds))
        walks = [
            task.train.batches(size, shuffle_seed=seed, drop_single=task.has_batch_norm) for seed in distinct
        ]
        for batches in zip(*walks, strict=True):
            if len(distinct) == 1:
                yield move_batch(batches[0], device), False
                continue
            mine = [batches[distinct.index(seed)] for seed in seeds]
            yield tree_map(lambda *each: torch.stack(each).to(device), *mine), True

    def judge(self) -> list[dict[str, Any]]:
        """Evaluate all rows; return the fields of their reports but the seconds."""
        self._observer.read()
        losses = torch.stack(self._losses).T.tolist()  # a row's losses side by side
        curves = [_curve(each, self._batch_rows) for each in losses]
        found, after = judge(self._bench, self._rows, self._p, self._fixed, self._average)
        self._fixed = after
        fields = []
        for place, (row, curve) in enumerate(zip(self._rows, curves, strict=True)):
            steps = curve.pop("steps")
            first = losses[place][0] if row.epoch == 0 else row.untrained_loss
            numbers = {
                **curve, "steps": steps, "learning_rate": self._rates[place][steps - 1],
                "gradient_norm": self._observer.norm(place, steps), **self._observer.numbers(place, steps),
            }  # fmt: skip
            if math.isfinite(curve["train_loss"]):
                judged = found[place]
                scores = (judged.score, judged.averaged_score)
                numbers |= {
                    "valid_loss": judged.loss,
                    "score": judged.score,
                    "averaged_score": judged.averaged_score,
                }
                numbers["diverged"] = has_diverged(curve["train_loss"], judged.loss, scores, first)
                self._marks.append((first, [*row.valid_losses, judged.loss]))
            else:
                numbers |= UNEVALUATED
                self._marks.append((first, row.valid_losses))
            fields.append(numbers)
        return fields

    def leave(self, streams: RandomStreams) -> None:
        """Give the rows what the epoch made of them."""
        for _, update in self._updates:
            if isinstance(update, RuleUpdate):
                update.leave()
        for place, (row, (first, valid_losses)) in enumerate(zip(self._rows, self._marks, strict=True)):
            row.weights, row.m, row.v = self._p[place].clone(), self._m[place].clone(), self._v[place].clone()
            row.fixed = [each[place].clone() for each in self._fixed]
            row.gradient = None if self._observer.kept is None else self._observer.kept[place].clone()
            row.epoch += 1
            row.steps += self._steps
            row.untrained_loss, row.valid_losses = first, valid_losses
            if self._bench.draws:
                row.streams = streams.copy()
            if self._average is not None:
                last = max(rung for rung in row.run.rungs if rung < row.run.epochs)
                row.average = None if row.epoch >= last else self._average[place].clone()


def _rows_of(batch: Batch, *, own: bool) -> int:
    return count_rows(tree_map(lambda each: each[0], batch) if own else batch)


def _curve(losses: Sequence[float], batch_rows: Sequence[int]) -> dict[str, Any]:
    """Return how a row's losses went, up to where a run of its own would have been broken off."""
    taken, total = len(losses), 0.0
    for start in range(0, len(losses), LOOK_EVERY):
        end = start + LOOK_EVERY
        total += sum(
            loss * count for loss, count in zip(losses[start:end], batch_rows[start:end], strict=True)
        )
        if end <= len(losses) and not math.isfinite(total):
            taken = end
            break
    seen = array("d", losses[:taken])
    part = max(1, taken // ENDS)
    return {
        "train_loss": total / sum(batch_rows[:taken]), "steps": taken, "start_loss": fmean(seen[:part]),
        "end_loss": fmean(seen[-part:]), "worst_loss": max(seen),
    }  # fmt: skip
