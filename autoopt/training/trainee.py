"""One run being trained: its model, optimizer, random streams and averaged weights, an epoch at a time."""

from __future__ import annotations

import copy
import math
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from statistics import fmean
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.sparse import check_sparse_tensor_invariants

from autoopt.catalogue.rate import followed_factor, learning_rate_factor
from autoopt.errors import TaskError
from autoopt.recipe import WHOLE
from autoopt.run import EpochReport, Purpose, Run
from autoopt.tasks.batch import count_rows
from autoopt.tasks.samples import Samples, move_batch
from autoopt.tasks.task import Task
from autoopt.training.averaging import WeightAverage
from autoopt.training.build import build_optimizer
from autoopt.training.descent import Descent
from autoopt.training.evaluation import Evaluation, evaluate
from autoopt.training.gradients import gradient_norm
from autoopt.training.health import has_diverged, weights_are_sound
from autoopt.training.judged import averages_itself, judged_weights, start_training
from autoopt.training.observer import StepObserver
from autoopt.training.pausing import Pausable
from autoopt.training.precision import compute_in
from autoopt.training.streams import RandomStreams, shuffle_seed
from autoopt.training.whole import Parts, WholeSet

LOOK_EVERY = 50  # steps between two looks at the losses; each look waits for the device
ENDS = 10  # the first and the last of so many parts of an epoch are its start and its end
EVALUATION_BATCHES = 4  # an evaluation batch is this many training batches of the task
STATISTICS_BATCHES = 50  # as the authors of Schedule-Free learning advise
UNEVALUATED = {"valid_loss": math.nan, "score": math.nan, "diverged": True}


class Trainee:
    """A run in training.

    Whatever it draws at random comes from streams of its own, so it does the same alone as among others.
    The evaluation batch follows the task and not the recipe: a loss that is a sum over its batch would
    otherwise favour small batches.

    Raises:
        Exception: whatever the user's model raises when it is made.
    """

    def __init__(self, task: Task, run: Run, device: str) -> None:
        self.run = run
        self.epoch = 0
        self._task = task = compute_in(task, device)
        self._device = device
        self._streams = RandomStreams(run.seed, device)
        self._untrained_loss = math.nan
        self._valid_losses: list[float] = []
        with task.surroundings(), self._streams.active():
            self.model = task.make_model().to(device)
            self.optimizer = build_optimizer(self.model, run.recipe)
            self._whole, self._batch_size, self._steps = self._batch_plan()
        self.parameters: list[Tensor] = [p for group in self.optimizer.param_groups for p in group["params"]]
        self._base_rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        self._rungs = {rung for rung in run.rungs if rung < run.epochs}
        averaged = bool(self._rungs) and not averages_itself(self.optimizer)
        self.average = WeightAverage(self.parameters) if averaged else None
        self._observer = StepObserver(self.parameters)
        self.descent = Descent(task, self.model, self.optimizer, run.recipe, device, self._observer)
        self._pausable = Pausable(self.model, self.optimizer)

    def _batch_plan(self) -> tuple[WholeSet | None, int, int]:
        """Return the whole training set if that is the batch, rows a batch if not, and steps an epoch."""
        task, size = self._task, self.run.recipe.batch_size or self._task.batch_size
        if size == WHOLE:
            return WholeSet(task, self.model, self._device), task.batch_size, 1
        return None, size, task.steps_per_epoch(size)

    def train_epoch(self) -> EpochReport:
        """Train for one more epoch and evaluate.

        Returns:
            The report; ``seconds`` are those of this call. A run that diverges in mid-epoch is not evaluated.

        Raises:
            Exception: whatever the user's code raises, unless the weights were beyond use by then: that
                is a divergence, and reported as one.
        """
        started = perf_counter()
        self.epoch += 1
        # torch warns of sparse tensors until someone has said whether to check them: leave it as it is
        checked: bool = check_sparse_tensor_invariants.is_enabled()
        checks = check_sparse_tensor_invariants(checked)
        with self._task.surroundings(), self._streams.active(), torch.enable_grad(), checks:
            try:
                numbers = self._epoch_numbers()
            except Exception:
                gradients = [p.grad for p in self.parameters if p.grad is not None]
                if weights_are_sound(self.parameters) and weights_are_sound(gradients):
                    raise
                numbers = {"train_loss": math.nan, **UNEVALUATED}
        self.descent.rest()
        return EpochReport(self.run.id, self.epoch, **numbers, seconds=perf_counter() - started)

    def state(self) -> dict[str, Any]:
        """Return all that the epochs to come depend on, as plain data and tensors, for ``resume`` of another trainee.

        What it trains on, not copies: write it down before the next epoch.

        Raises:
            AutooptError: the model or the optimizer keeps something that cannot be saved.
        """
        return {
            "epoch": self.epoch, "untrained_loss": self._untrained_loss, "valid_losses": self._valid_losses,
            "streams": self._streams.state_dict(), "observer": self._observer.state_dict(),
            "descent": self.descent.state_dict(), "average": self.average and self.average.state_dict(),
            **self._pausable.state(),
        }  # fmt: skip

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where another trainee of the same run stood, perhaps in another process, to the last bit the same.

        Before the first epoch only. The tensors of the state are taken, not copied.

        Raises:
            AutooptError: the state is not of such a run.
        """
        self._pausable.restore(state)
        self.epoch, self._valid_losses = state["epoch"], list(state["valid_losses"])
        self._untrained_loss = state["untrained_loss"]
        self._streams.load_state_dict(state["streams"])
        self._observer.load_state_dict(state["observer"])
        self.descent.load_state_dict(state["descent"])
        if self.average is not None and state["average"] is not None:
            self.average.load_state_dict(state["average"])
        else:
            self.average = None

    def trained_model(self) -> nn.Module:
        """Return a copy of the model with the weights by which it is judged, in evaluation mode."""
        with self._task.surroundings(), self._streams.active(), self._judged():
            return copy.deepcopy(self.model).eval()

    def _epoch_numbers(self) -> dict[str, Any]:
        """Return the fields of the report: first the epoch, then the evaluations."""
        numbers = self._train()
        if not math.isfinite(numbers["train_loss"]):
            return numbers | UNEVALUATED
        with self._judged():
            found = self._evaluate(self._task.valid)
        self._valid_losses.append(found.loss)
        score, averaged_score = found.score(self._task), self._averaged_score()
        numbers |= {"valid_loss": found.loss, "score": score, "averaged_score": averaged_score}
        scores = (score, averaged_score)
        numbers["diverged"] = has_diverged(numbers["train_loss"], found.loss, scores, self._untrained_loss)
        if self._is_tested() and not numbers["diverged"] and self._task.test is not None:
            with self._judged():
                numbers["test_score"] = self._evaluate(self._task.test).score(self._task)
        return numbers

    def _train(self) -> dict[str, Any]:
        """Take the steps of one epoch; the training loop."""
        factor, sums = 0.0, _LossSums()
        self._observer.begin_epoch(self._steps)
        self.model.train()
        start_training(self.optimizer)
        for taken, (parts, factor) in enumerate(zip(self._batches(), self._rate_factors(), strict=False), 1):
            for group, base_rate in zip(self.optimizer.param_groups, self._base_rates, strict=True):
                group["lr"] = base_rate * factor
            loss, rows = self.descent.step(parts, last=taken >= self._steps)
            if self.average is not None:
                self.average.update()
            if not sums.add(loss, rows):
                break
        mean = sums.mean()
        if self.epoch == 1:
            self._untrained_loss = sums.first
        norm = self.descent.norm
        if norm is None:
            norm = gradient_norm(p.grad for p in self.parameters if p.grad is not None)
        rate = self._base_rates[0] * factor
        numbers = {"train_loss": mean, "learning_rate": rate, "gradient_norm": float(norm)}
        return numbers | sums.curve() | self._observer.numbers()

    def _batches(self) -> Iterator[Parts]:
        seed = shuffle_seed(self.run.seed, self.epoch)
        if self._whole is not None:
            yield self._whole.parts(seed)
            return
        task = self._task
        batches = task.train.batches(self._batch_size, shuffle_seed=seed, drop_single=task.has_batch_norm)
        while together := tuple(islice(batches, task.accumulate)):
            yield Parts(together, rows=sum(map(count_rows, together)) if len(together) > 1 else None)

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Put the weights into the model by which the optimizer wants to be judged; outside, those it trains."""
        with judged_weights(self.optimizer):
            if averages_itself(self.optimizer) and self._task.has_batch_norm:
                self._gather_statistics()
            yield

    @torch.no_grad()
    def _gather_statistics(self) -> None:
        """Let batch normalisation see the averaged weights, which have never been trained with, on training data."""
        self.model.train()
        for batch in islice((each for parts in self._batches() for each in parts), STATISTICS_BATCHES):
            self._task.batch_loss(self.model, move_batch(batch, self._device))

    def _rate_factors(self) -> Iterator[float]:
        """Yield the factor of the learning rate for every step of this epoch, and its last one ever after.

        Counted from the epoch, not from the batches seen: where the user's data give more or fewer batches
        than they said, the schedule still ends with the training.
        """
        recipe, total = self.run.recipe, self._steps * self.run.epochs
        followed = followed_factor(recipe.schedule, recipe.schedule_settings, self._valid_losses)
        last = 0.0
        for step in range((self.epoch - 1) * self._steps, self.epoch * self._steps):
            last = followed * learning_rate_factor(recipe.schedule, recipe.schedule_settings, step, total)
            yield last
        while True:
            yield last

    def _evaluate(self, samples: Samples) -> Evaluation:
        task = self._task
        return evaluate(task, self.model, samples, self._device, EVALUATION_BATCHES * task.batch_size,
                        with_metric=task.objective != "loss")  # fmt: skip

    def _averaged_score(self) -> float | None:
        """Return the score of the averaged weights at a rung; after the last rung they are let go."""
        if self.average is None or self.epoch not in self._rungs:
            return None
        with self.average.in_place():
            score = self._evaluate(self._task.valid).score(self._task)
        if self.epoch >= max(self._rungs):
            self.average = None
        return score

    def _is_tested(self) -> bool:
        return self.epoch >= self.run.epochs and self.run.purpose in (Purpose.CONFIRM, Purpose.BASELINE)


class _LossSums:
    """Losses of an epoch, weighted by rows, read from the device only now and then."""

    def __init__(self) -> None:
        self.first = math.nan  # the loss of the first batch, once it is read
        self._losses = array("d")  # of all batches, as far as they are read
        self._sum = 0.0
        self._rows = 0
        self._unread: list[Tensor] = []
        self._unread_rows: list[int] = []

    def add(self, loss: Tensor, rows: int) -> bool:
        """Add a batch; False once a loss is seen that is not finite."""
        self._unread.append(loss)
        self._unread_rows.append(rows)
        if len(self._unread) < LOOK_EVERY:
            return True
        self._read()
        return math.isfinite(self._sum)

    def mean(self) -> float:
        """Return the mean over all rows so far.

        Raises:
            TaskError: there were none.
        """
        self._read()
        if not self._rows:
            raise TaskError("the training data gave no batch in this epoch; every epoch needs at least one")
        return self._sum / self._rows

    def curve(self) -> dict[str, Any]:
        """Return how the losses went within the epoch, after ``mean``: fields of the report."""
        part = max(1, len(self._losses) // ENDS)
        ends = {"start_loss": fmean(self._losses[:part]), "end_loss": fmean(self._losses[-part:])}
        return {"steps": len(self._losses), **ends, "worst_loss": max(self._losses)}

    def _read(self) -> None:
        if not self._unread:
            return
        losses = torch.stack(self._unread).tolist()
        self._losses.extend(losses)
        if not self._rows:
            self.first = losses[0]
        self._sum += sum(loss * rows for loss, rows in zip(losses, self._unread_rows, strict=True))
        self._rows += sum(self._unread_rows)
        self._unread.clear()
        self._unread_rows.clear()
