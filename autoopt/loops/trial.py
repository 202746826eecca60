"""Trial: one training run, as a training loop of the user's own sees it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from autoopt.errors import AutooptWarning, SpaceError, Stop
from autoopt.loops.asking import Asking
from autoopt.loops.given import as_number, model_trouble
from autoopt.loops.kept import Kept
from autoopt.loops.movement import Movement
from autoopt.loops.reported import Reported
from autoopt.loops.terms import Terms
from autoopt.run import Run
from autoopt.training.build import build_optimizer
from autoopt.training.gradients import clip_gradients, clip_values

Loop = Callable[["Trial"], Any]
"""A training loop of the user's own; what it returns counts only if it never reports."""

StepsSeen = dict[tuple[Any, ...], int]
"""``total_steps`` by what may change them: which call it was, batch size, hyperparameters of the loop."""


class Abandoned(BaseException):
    """Ends a loop that went on after Stop; ``except Exception`` does not catch it."""


class Trial(Asking):
    """One training run: what to train with, and whom to tell how it goes.

    Attributes:
        number: of the run within its study.
        recipe: everything that is tried: optimizer, settings, schedule, clipping, hyperparameters of your own.
        seed: of the run. torch, NumPy and Python draw from streams of the run's own, seeded with it, anyway.
        terms: what the study was told of the loop.
        device: where to train: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    """

    def __init__(
        self,
        run: Run,
        terms: Terms,
        hand_over: Callable[[Reported], None],
        *,
        steps_seen: StepsSeen | None = None,
        kept: Kept | None = None,
        known: int = 0,
    ) -> None:
        super().__init__(run.recipe)
        self.number, self.seed, self.device = run.id, run.seed, terms.device
        self.last: Reported | None = None
        self._epochs, self.terms, self._hand_over = run.epochs, terms, hand_over
        self._steps_seen = {} if steps_seen is None else steps_seen
        self._kept = Kept() if kept is None else kept
        self._known = known  # epochs that were reported before the loop was begun again
        self._epoch = self._optimizers = 0
        self._values: list[float] = []
        self._movements: list[Movement] = []
        self.read_epochs = self._clipped = self._over = self._abandoned = False

    @property
    def epochs(self) -> int:
        """How often to report: the length of a complete training. The run may be stopped before that."""
        self.read_epochs = True
        return self._epochs

    @property
    def batch_size(self) -> int:
        """Rows a training batch."""
        size = self.recipe.batch_size
        return size if isinstance(size, int) else self.terms.rows

    @property
    def clip_norm(self) -> float | None:
        """Largest 2-norm of the whole gradient, for whoever clips without ``clip``; ``None`` for no clipping."""
        self._clipped = True
        return self.recipe.clip_norm

    @property
    def clip_value(self) -> float | None:
        """Largest size of each number in the gradient, likewise."""
        self._clipped = True
        return self.recipe.clip_value

    def optimizer(self, model: nn.Module, total_steps: int) -> tuple[Optimizer, LRScheduler]:
        """Return the optimizer to try and its schedule: call ``step`` of both after every batch.

        Args:
            model: as it is trained: on its device, wrapped for several processes, compiled.
            total_steps: batches of a complete training, all of ``epochs`` together.

        Raises:
            LoopError: ``total_steps`` is not a number of steps, or another one than in the runs before.
        """
        if trouble := model_trouble(model):
            raise self.refuse(trouble)
        steps = self._check_steps(total_steps)
        try:
            movement = Movement(
                build_optimizer(model, self.recipe), self.recipe, steps, self._epochs, self._values
            )
        except SpaceError as error:
            raise self.refuse(str(error)) from error
        self._movements.append(movement)
        self._kept.add(model, *movement.parts)
        return movement.optimizer, movement.scheduler

    def clip(self, model: nn.Module | Iterable[Tensor]) -> float:
        """Clip the gradients where the recipe says so: after ``backward``, before ``step``.

        With a GradScaler, unscale them first.

        Returns:
            The 2-norm of the gradient before that; 0 where nothing is clipped.
        """
        self._clipped = True
        if self.recipe.clip_norm is None and self.recipe.clip_value is None:
            return 0.0
        parameters = list(model.parameters() if isinstance(model, nn.Module) else model)
        if self.recipe.clip_norm is not None:
            return float(clip_gradients(parameters, self.recipe.clip_norm))
        return float(clip_values(parameters, self.recipe.clip_value or math.inf))

    def report(self, value: float | Tensor, **metrics: float | Tensor) -> None:
        """Say how good the model is after an epoch; once an epoch, ``epochs`` times.

        Waits here while other runs go on, and raises ``Stop`` when this one is not worth it.

        Args:
            value: the validation loss, or what else is searched.
            metrics: what else to keep, by name; ``train_loss`` and ``test`` are shown as such.

        Raises:
            Stop: the run is over.
            LoopError: the value is no number, or the run has reported ``epochs`` times already.
        """
        if self._over:
            self._report_late()
        number = self._number("trial.report", value)
        named = {name: self._number(f"trial.report(…, {name}=…)", each) for name, each in metrics.items()}
        if self.terms.metric not in (None, "loss", *named):
            raise self.refuse(
                f"{self.terms.metric!r} is searched, and trial.report got no such metric: write "
                f"trial.report(value, {self.terms.metric}=…)"
            )
        self._epoch += 1
        if self._epoch > self._epochs:
            raise self.refuse(
                f"the loop reported {self._epoch} times, and a training has {self._epochs} epochs: write "
                f"for epoch in range(trial.epochs), or tune(train, epochs={self._epoch}) with the right number"
            )
        self._values.append(-number if self.terms.value_is_gain else number)
        self._check_habits()
        reported = Reported(self._epoch, number, named, self._numbers(), self._kept.held_bytes)
        for movement in self._movements:
            movement.begin_epoch()
        self.pass_on(reported)

    def pass_on(self, reported: Reported) -> None:
        """Tell whoever asked for the epoch, and wait for what comes of it; ``report`` does it.

        Raises:
            Stop: the run is over.
        """
        self._epoch = reported.epoch
        if self._epoch <= self._known:
            return  # trained again from its start, up to where it was
        searched = reported.metrics.get(self.terms.metric or "", reported.value)
        if not (math.isfinite(reported.value) and math.isfinite(searched)):
            self._over, self.last = True, reported
            raise Stop("the loss is not finite")
        if self._epoch == self._epochs:
            self.last = reported  # the loop may tidy up and return
            return
        try:
            self._hand_over(reported)
        except BaseException:
            self._over = True
            raise

    def checkpoint(self, *objects: Any) -> int:
        """Let the run be put aside in a file while it waits, and go on from there.

        What ``optimizer`` was given and returned is saved anyway; so are the random states.

        Args:
            objects: whatever else changes: with ``state_dict`` and ``load_state_dict``, or ``get_state`` and
                ``set_state`` as a torch.Generator has.

        Returns:
            Epochs that are done: ``for epoch in range(trial.checkpoint(), trial.epochs)``.
        """
        try:
            self._kept.add(*objects)
        except TypeError as error:
            raise self.refuse(f"trial.checkpoint: {error}") from error
        restored = self._kept.restore(self.device)
        if restored is not None:
            self._epoch, self._values[:] = restored
        return self._epoch

    def finish(self, returned: Any) -> None:
        """Take note that the loop has returned.

        Raises:
            LoopError: it never reported, or too rarely without having read ``epochs``.
        """
        if self.mistake is not None:
            raise self.mistake
        if self._over or self.last is not None:
            return
        if self._epoch == 0 and self._epochs == 1 and returned is not None:
            self.last = Reported(1, self._number("the loop's return value", returned), {}, self._numbers())
        elif self._epoch == 0:
            raise self.refuse(
                f"the loop returned {'nothing' if returned is None else repr(returned)} and never reported: call "
                "trial.report(value) after every epoch, or return one number and write tune(train, epochs=1)"
            )
        elif not self.read_epochs:
            raise self.refuse(
                f"the loop reported {self._epoch} times and returned, without having read trial.epochs, which is "
                f"{self._epochs}: write for epoch in range(trial.epochs), or tune(train, epochs={self._epoch})"
            )

    def put_aside(self, path: str) -> None:
        """Save what ``checkpoint`` was given; nothing if it was never called."""
        self._kept.save(path, self.device, (self._epoch, self._values))

    def state(self) -> dict[str, Any] | None:
        """Return what ``checkpoint`` was given, for another process; ``None`` if it was never called."""
        return self._kept.state(self.device, (self._epoch, list(self._values)))

    def _check_steps(self, total_steps: object) -> int:
        whole = isinstance(total_steps, int) and not isinstance(total_steps, bool)
        if not whole or total_steps < 1:  # type: ignore[operator]
            raise self.refuse(
                f"trial.optimizer needs total_steps, the batches of a complete training such as "
                f"trial.epochs * len(loader), got {total_steps!r}"
            )
        steps: int = total_steps  # type: ignore[assignment]
        self.note_steps(steps)
        return steps

    def note_steps(self, steps: int) -> None:
        """Compare ``total_steps`` with those of other runs; ``optimizer`` does it.

        Raises:
            LoopError: it was another number before, with all that may change it the same.
        """
        key = (self._optimizers, self.recipe.batch_size, *sorted(self.recipe.extras.items()))
        self._optimizers += 1
        if self._steps_seen.setdefault(key, steps) != steps:
            raise self.refuse(
                f"total_steps is {steps} now and was {self._steps_seen[key]} before with the same settings: give the "
                "steps of a complete training, trial.epochs * len(loader), however far a run will go"
            )

    def _check_habits(self) -> None:
        """Refuse or warn, after the first epoch, where a recipe has no effect."""
        if self._epoch != 1:
            return
        if (self.recipe.clip_norm or self.recipe.clip_value) and not self._clipped:
            raise self.refuse(
                "the recipe clips gradients, and the loop never does: call trial.clip(model) after backward and "
                "before optimizer.step, or leave tune_clip out"
            )
        if self._movements and (complaint := self._movements[0].complaint()):
            warnings.warn(complaint, AutooptWarning, stacklevel=3)

    def _numbers(self) -> dict[str, Any]:
        return self._movements[0].numbers() if self._movements else {}

    def _number(self, where: str, value: Any) -> float:
        number = as_number(value)
        if number is None:
            raise self.refuse(f"{where} needs a number, got {type(value).__name__} {str(value)[:60]!r}")
        return number

    def _report_late(self) -> NoReturn:
        self.refuse(
            "the loop went on after autoopt.Stop, which trial.report raised: let it through (no 'except Exception' "
            "around trial.report), or return"
        )
        if self._abandoned:  # caught even that: let it wait for ever, so that it computes nothing more
            self._hand_over(Reported(self._epoch, math.nan))
        self._abandoned = True
        raise Abandoned
