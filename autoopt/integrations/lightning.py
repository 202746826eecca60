"""Lightning: the optimizer of a LightningModule searched, the module itself untouched."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import lightning

from autoopt.errors import LoopError, Stop
from autoopt.integrations.reporting import report, searched, silence
from autoopt.loops.trial import Trial
from autoopt.run import Direction
from autoopt.tuning import tune as tune_loop
from autoopt.verdict.recommendation import Recommendation

LOSS = "val_loss"
_WAY = "write self.log('val_loss', loss) in validation_step"
_QUIET = {
    "logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False,
    "num_sanity_val_steps": 0,
}  # fmt: skip


def tune(
    module: lightning.LightningModule | Callable[[], lightning.LightningModule],
    datamodule: Any = None,
    trainer_kwargs: Mapping[str, Any] | None = None,
    *,
    budget: float = 30,
    epochs: int = 20,
    metric: str = LOSS,
    direction: Direction | None = None,
    **options: Any,
) -> Recommendation:
    """Find out which optimizer and schedule train a LightningModule best, and confirm it on fresh seeds.

    Its own ``configure_optimizers`` is passed over. ``recommendation.export("lightning")`` is the answer as code.

    Args:
        module: class or function that gives a fresh module, or a module, of which every run gets a copy.
        datamodule: a LightningDataModule, or anything else that ``Trainer.fit`` takes there or as a loader; ``None``
            where the module brings its data. A ``batch_size`` of it is set where that is searched.
        trainer_kwargs: further arguments of the Trainer; logger, checkpoints and progress bar are off by default.
            Under ``torchrun``, after ``torch.distributed.init_process_group``, ``{"strategy": "ddp", "devices": 2}``
            trains every run on both processes of a machine, and both get the same answer.
        epochs: of a complete training.
        metric: what the module logs and is searched, once an epoch.
        direction: whether less or more of it is better; ``None`` where the name tells.
        options: further arguments of ``autoopt.tune``: ``optimizers``, ``timeout``, ``storage``, ``device`` …

    Raises:
        LoopError: the module is none, or logs no such metric.
        StudyFailed: every run failed.
    """
    make = _maker(module)
    given = dict(trainer_kwargs or {})
    if taken := {"max_epochs", "min_epochs", "max_steps", "max_time"} & set(given):
        raise LoopError(
            f"trainer_kwargs has {min(taken)!r}: the search decides how long; write tune(…, epochs=…)"
        )

    def train(trial: Trial) -> None:
        data = copy.copy(datamodule)
        if options.get("tune_batch_size") and hasattr(data, "batch_size"):
            data.batch_size = trial.batch_size
        searching = _Searching(trial, metric)
        net = make()
        _take_over(net, trial)
        settings = {**_QUIET, **_place(trial.device), **_clipping(trial), **given, "max_epochs": trial.epochs}
        settings["callbacks"] = [*copy.deepcopy(given.get("callbacks") or []), searching]
        trainer = lightning.Trainer(**settings)
        loaders = (
            {"datamodule": data}
            if isinstance(data, lightning.LightningDataModule)
            else {"train_dataloaders": data}
        )
        trainer.fit(net, **loaders)

    with silence("lightning.pytorch", "lightning.fabric", "lightning"):
        options.setdefault("study", getattr(module, "__name__", type(module).__name__))
        return tune_loop(train, budget, epochs=epochs, **searched(metric, LOSS, direction), **options)


class _Searching(lightning.Callback):
    """Reports after every epoch, and stops the trainer when the run is not worth going on."""

    def __init__(self, trial: Trial, metric: str) -> None:
        self.trial, self.metric = trial, metric

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        try:
            report(self.trial, trainer.callback_metrics, self.metric, LOSS, _WAY)
        except Stop:
            trainer.should_stop = True


def _take_over(net: lightning.LightningModule, trial: Trial) -> None:
    """Let the trial configure the optimizers of this one object, whatever its class says."""

    def configure_optimizers() -> dict[str, Any]:
        steps = net.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise LoopError("Lightning cannot tell the batches of an epoch: give {'limit_train_batches': …}")
        optimizer, scheduler = trial.optimizer(net, total_steps=int(steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    if not net.automatic_optimization:
        raise LoopError("the module optimizes by hand (automatic_optimization = False): call trial.optimizer in a loop "
                        "of your own, and autoopt.tune(train)")  # fmt: skip
    net.configure_optimizers = configure_optimizers


def _maker(module: Any) -> Callable[[], lightning.LightningModule]:
    if isinstance(module, lightning.LightningModule):
        return lambda: copy.deepcopy(module)
    if not callable(module):
        raise LoopError(
            f"module is of type {type(module).__name__}: give a LightningModule or what makes one"
        )

    def make() -> lightning.LightningModule:
        made = module()
        if not isinstance(made, lightning.LightningModule):
            raise LoopError(f"module() gave {type(made).__name__}: it must give a lightning.LightningModule")
        return made

    return make


def _place(device: str) -> dict[str, Any]:
    kind, _, number = device.partition(":")
    accelerator = {"cuda": "gpu"}.get(kind, kind)
    return {"accelerator": accelerator, "devices": [int(number)] if number else 1}


def _clipping(trial: Trial) -> dict[str, Any]:
    for algorithm, value in (("norm", trial.clip_norm), ("value", trial.clip_value)):
        if value is not None:
            return {"gradient_clip_val": value, "gradient_clip_algorithm": algorithm}
    return {}
