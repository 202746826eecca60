"""Transformers: the optimizer of a Trainer searched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import transformers
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from autoopt.errors import LoopError, Stop
from autoopt.integrations.reporting import report, searched, silence
from autoopt.loops.trial import Trial
from autoopt.run import Direction
from autoopt.tuning import tune as tune_loop
from autoopt.verdict.recommendation import Recommendation

LOSS = "eval_loss"
_WAY = "return it from compute_metrics, and give the Trainer an eval_dataset with labels"


def tune(
    trainer_factory: Callable[[], transformers.Trainer],
    *,
    budget: float = 30,
    epochs: int = 3,
    metric: str = LOSS,
    direction: Direction | None = None,
    **options: Any,
) -> Recommendation:
    """Find out which optimizer and schedule a Trainer of Transformers trains best with, and confirm it on fresh seeds.

    ``recommendation.make_optimizer`` and ``make_scheduler`` give what a Trainer takes as ``optimizers``;
    ``recommendation.export("transformers")`` is the answer as code.

    Args:
        trainer_factory: makes a fresh model and a Trainer for it, with an ``eval_dataset``. Its arguments hold, save
            for the optimizer, the schedule, epochs, seed, and when it evaluates, saves and logs.
        epochs: of a complete training.
        metric: what is searched: ``eval_loss``, or a metric of ``compute_metrics`` with ``eval_`` before its name.
        direction: whether less or more of it is better; ``None`` where the name tells.
        options: further arguments of ``autoopt.tune``: ``optimizers``, ``timeout``, ``storage`` …

    Raises:
        LoopError: the function makes no Trainer, or one that evaluates nothing.
        StudyFailed: every run failed.
    """
    if not callable(trainer_factory) or isinstance(trainer_factory, transformers.Trainer):
        raise LoopError(f"trainer_factory is of type {type(trainer_factory).__name__}: give a function that makes a "
                        "fresh model and a Trainer for it")  # fmt: skip

    def train(trial: Trial) -> None:
        trainer = trainer_factory()
        if not isinstance(trainer, transformers.Trainer):
            raise LoopError(
                f"trainer_factory() gave {type(trainer).__name__}: it must give a transformers.Trainer"
            )
        if trainer.eval_dataset is None:
            raise LoopError("the Trainer has no eval_dataset: give it one, so that recipes can be compared")
        _adjust(trainer.args, trial)
        trainer.optimizer = trainer.lr_scheduler = None
        trainer.__class__ = type("Searching", (_Searching, type(trainer)), {"trial": trial})
        for noisy in (PrinterCallback, ProgressCallback, transformers.EarlyStoppingCallback):
            trainer.remove_callback(noisy)
        trainer.add_callback(_Reporting(trial, metric))
        transformers.set_seed(trial.seed % 2**32)  # the Trainer has drawn from a seed of its own
        trainer.train()

    with silence("transformers", "accelerate"):
        options.setdefault("study", getattr(trainer_factory, "__name__", "trainer"))
        return tune_loop(train, budget, epochs=epochs, **searched(metric, LOSS, direction), **options)


def _adjust(args: transformers.TrainingArguments, trial: Trial) -> None:
    """Let the search decide how long, with what seed, and when there is a number to report."""
    never, always = transformers.IntervalStrategy.NO, transformers.IntervalStrategy.EPOCH
    args.num_train_epochs, args.max_steps = trial.epochs, -1
    args.seed = args.data_seed = trial.seed % 2**32
    args.eval_strategy, args.save_strategy, args.logging_strategy = always, never, never
    args.load_best_model_at_end, args.eval_on_start, args.disable_tqdm = False, False, True
    if trial.recipe.clip_norm is not None or trial.recipe.clip_value is not None:
        args.max_grad_norm = 0.0  # the trial clips in its place


class _Searching:
    """Before the user's Trainer class: takes optimizer and schedule from the trial."""

    trial: Trial

    def get_train_dataloader(self) -> Any:
        self._loader = super().get_train_dataloader()  # type: ignore[misc]
        return self._loader

    def create_optimizer(self, model: Any = None) -> Any:
        this: Any = self
        try:
            batches = len(this._loader)
        except TypeError:
            raise LoopError(
                "the training data have no length, so nobody knows the steps of an epoch"
            ) from None
        steps = -(-batches // this.args.gradient_accumulation_steps) * self.trial.epochs
        this.optimizer, this.lr_scheduler = self.trial.optimizer(model or this.model, total_steps=steps)
        return this.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:  # noqa: ARG002
        this: Any = self
        return this.lr_scheduler


class _Reporting(transformers.TrainerCallback):
    """Clips, reports every evaluation, and stops the training when the run is not worth going on."""

    def __init__(self, trial: Trial, metric: str) -> None:
        self.trial, self.metric = trial, metric

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        self.trial.clip(kwargs["model"])

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:  # noqa: ARG002
        try:
            report(self.trial, metrics or {}, self.metric, LOSS, _WAY)
        except Stop:
            control.should_training_stop = True
