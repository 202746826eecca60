"""The optimizer of a net of skorch searched, and a callback that uses what was found."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.base import clone
from skorch import NeuralNet
from skorch.callbacks import Callback

from autoopt.errors import EstimatorError
from autoopt.integrations.reporting import report, searched
from autoopt.loops.trial import Trial
from autoopt.run import Direction
from autoopt.tuning import tune as tune_loop
from autoopt.verdict.recommendation import Recommendation

LOSS = "valid_loss"
_WAY = "give the net a train_split, or a callback that scores on it"


def tune(
    net: NeuralNet, X: Any, y: Any = None, *, budget: float = 30, epochs: int | None = None, metric: str = LOSS,
    direction: Direction | None = None, fit_params: Any = None, **options: Any,
) -> Recommendation:  # fmt: skip
    """Find out which optimizer and schedule train a net of skorch best, and confirm it on fresh seeds.

    Its own optimizer is passed over, and the net itself left alone: every run trains a clone.

    Args:
        net: with a ``train_split``, on whose validation part recipes are compared.
        X, y: as ``net.fit`` takes them, with ``fit_params``.
        epochs: of a complete training; ``max_epochs`` of the net by default.
        metric: what is searched: ``valid_loss``, or what else is in the history after an epoch.
        direction: whether less or more of it is better; ``None`` where the name tells.
        options: further arguments of ``autoopt.tune``: ``optimizers``, ``timeout``, ``storage`` …

    Raises:
        EstimatorError: it is no net of skorch.
        LoopError: no such metric comes out of an epoch.
        StudyFailed: every run failed.
    """
    if not isinstance(net, NeuralNet):
        raise EstimatorError(
            f"net is of type {type(net).__name__}: give a net of skorch, such as NeuralNetClassifier"
        )

    def train(trial: Trial) -> None:
        size = {"batch_size": trial.batch_size} if options.get("tune_batch_size") else {}
        ours = with_callback(net, Use(trial, metric)).set_params(max_epochs=trial.epochs, verbose=0, **size)
        ours.fit(X, y, **(fit_params or {}))

    options = {"study": type(net).__name__, "device": net.device or "auto", **options}
    if options.get("tune_batch_size") and net.batch_size > 0:
        options.setdefault("batch_size", net.batch_size)
    return tune_loop(
        train, budget, epochs=epochs or net.max_epochs, **searched(metric, LOSS, direction), **options
    )


class Use(Callback):
    """Takes optimizer, schedule and clipping from a trial, and reports to it; or from a recipe.

    Args:
        trial: of a search, or a ``Chosen`` recipe.
    """

    def __init__(self, trial: Any, metric: str = LOSS) -> None:
        self.trial, self.metric = trial, metric

    def initialize(self) -> Use:
        """Forget the last training."""
        self.scheduler: Any = None
        return self

    def on_epoch_begin(self, net: NeuralNet, dataset_train: Any = None, **kwargs: Any) -> None:  # noqa: ARG002
        if self.scheduler is None:
            batches = len(net.get_iterator(dataset_train, training=True))
            net.optimizer_, self.scheduler = self.trial.optimizer(
                net.module_, total_steps=net.max_epochs * batches
            )

    def on_grad_computed(self, net: NeuralNet, named_parameters: Any, **kwargs: Any) -> None:  # noqa: ARG002
        self.trial.clip(net.module_)

    def on_batch_end(self, net: NeuralNet, batch: Any = None, training: bool = False, **kwargs: Any) -> None:  # noqa: ARG002
        if training:
            self.scheduler.step()

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:  # noqa: ARG002
        row = net.history[-1]
        numbers = {name: value for name, value in row.items() if isinstance(value, int | float)}
        report(self.trial, numbers, self.metric, LOSS, _WAY)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the scheduler out: a net that is read again begins a new training."""
        return {**self.__dict__, "scheduler": None}


def with_callback(net: NeuralNet, callback: Callback) -> NeuralNet:
    """Return a clone of a net that has one more callback."""
    ours = clone(net)
    own = list(copy.deepcopy(net.callbacks) or [])
    return ours.set_params(callbacks=[*own, ("autoopt", callback)])
