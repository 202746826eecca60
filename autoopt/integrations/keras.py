"""Keras 3 on torch: the optimizer of a compiled model searched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from autoopt.errors import LoopError, Stop
from autoopt.integrations.reporting import report, searched
from autoopt.loops.trial import Trial
from autoopt.run import Direction
from autoopt.tasks.keras_model import adapt
from autoopt.tuning import tune as tune_loop
from autoopt.verdict.recommendation import Recommendation

LOSS = "val_loss"
OPTIMIZERS = "sgd,adam,adamw,rmsprop,adagrad,adadelta"
"""Of those that are searched by default, the ones that Keras has with the same update."""
_WAY = "give tune validation_data or validation_split"


def tune(
    make_model: Callable[[], keras.Model],
    x: Any,
    y: Any = None,
    *,
    budget: float = 30,
    epochs: int = 20,
    batch_size: int = 32,
    metric: str = LOSS,
    direction: Direction | None = None,
    validation_data: Any = None,
    validation_split: float = 0.0,
    fit_args: Any = None,
    **options: Any,
) -> Recommendation:
    """Find out which optimizer and schedule train a compiled Keras model best, and confirm it on fresh seeds.

    ``recommendation.export("keras")`` is the answer as code, for Keras on torch, JAX and TensorFlow alike.

    Args:
        make_model: gives a fresh compiled model; its own optimizer is passed over.
        x, y, validation_data, validation_split: as ``model.fit`` takes them, with ``fit_args`` beside.
        epochs, batch_size: of a complete training.
        metric: what is searched: ``val_loss``, or a compiled metric with ``val_`` before its name.
        direction: whether less or more of it is better; ``None`` where the name tells.
        options: further arguments of ``autoopt.tune``: ``optimizers``, ``timeout``, ``storage`` …

    Raises:
        LoopError: Keras is not on torch, the model is not compiled, or gives no such metric.
        StudyFailed: every run failed.
    """
    if keras.backend.backend() != "torch":
        raise LoopError(
            f"Keras computes with {keras.backend.backend()}: set KERAS_BACKEND=torch before it is imported; the "
            "answer holds for every backend"
        )

    def train(trial: Trial) -> None:
        model = _compiled(make_model)
        model.optimizer = _TrialOptimizer(trial, model)
        data = {"validation_data": validation_data, "validation_split": validation_split}
        # a batch size is refused where x brings its own batches
        size = (
            {"batch_size": trial.batch_size}
            if hasattr(x, "shape") or isinstance(x, list | dict | tuple)
            else {}
        )
        model.fit(x, y, **size, **data, **(fit_args or {}), epochs=trial.epochs, verbose=0,
                  callbacks=[_Reporting(trial, metric)])  # fmt: skip

    options = {"optimizers": OPTIMIZERS, "study": getattr(make_model, "__name__", "model"), **options}
    return tune_loop(
        train, budget, epochs=epochs, batch_size=batch_size, **searched(metric, LOSS, direction), **options
    )


def _compiled(make_model: Callable[[], keras.Model]) -> keras.Model:
    if isinstance(make_model, keras.Model) or not callable(make_model):
        raise LoopError(
            f"make_model is of type {type(make_model).__name__}: give a function that makes and compiles one"
        )
    model = make_model()
    if not isinstance(model, keras.Model) or not model.compiled:
        raise LoopError(f"{getattr(make_model, '__name__', 'make_model')}() gave {type(model).__name__}, which must be "
                        "a keras.Model that is compiled: model.compile(loss=…)")  # fmt: skip
    return model


class _TrialOptimizer(keras.optimizers.Optimizer):
    """Takes the trial's steps in the place of Keras's own."""

    def __init__(self, trial: Trial, model: keras.Model) -> None:
        super().__init__(learning_rate=0.0)
        self._trial, self._model = trial, model
        self._optimizer: Any = None
        self._scheduler: Any = None

    def begin(self, total_steps: int) -> None:
        """Build the optimizer, once the model and the number of steps are known."""
        self._optimizer, self._scheduler = self._trial.optimizer(adapt(self._model), total_steps=total_steps)

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:  # noqa: ARG002
        """Take a step; the gradients are at the weights already, where torch's backward has put them."""
        self._trial.clip(self._model)
        self._optimizer.step()
        self._scheduler.step()
        self.iterations.assign_add(1)
        return self.iterations


class _Reporting(keras.callbacks.Callback):
    """Begins the optimizer, reports every epoch, and stops the training when the run is not worth going on."""

    def __init__(self, trial: Trial, metric: str) -> None:
        super().__init__()
        self._trial, self._metric = trial, metric

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        if not self.params.get("steps"):
            raise LoopError("Keras cannot tell the batches of an epoch: give fit_args={'steps_per_epoch': …}")
        self.model.optimizer.begin(self.params["steps"] * self._trial.epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        try:
            report(self._trial, logs or {}, self._metric, LOSS, _WAY)
        except Stop:
            self.model.stop_training = True
