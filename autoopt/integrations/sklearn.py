"""scikit-learn: a network as an estimator that finds out how to train itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from autoopt.errors import EstimatorError, unknown_name
from autoopt.integrations.estimator import NetworkEstimator
from autoopt.integrations.tabular import CLASS_LOSSES, LOSSES, Array
from autoopt.recipe import Recipe


class AutoOptClassifier(ClassifierMixin, NetworkEstimator):
    """A neural network for classes that searches, confirms and uses the optimizer that trains it best.

    Args:
        module: class or function that gives a fresh ``torch.nn.Module`` with one output (logit) a class, or one in
            all for two classes; it is told ``n_features`` and ``n_outputs`` if it takes them. ``None`` for a
            multilayer perceptron.
        hidden: widths of that perceptron's hidden layers.
        budget: compute in complete trainings, search and confirmation together; 7 is the least.
        epochs, batch_size: of a complete training.
        metric: what is searched instead of the loss on held-out rows, such as ``"accuracy"``.
        recipe: train with this one and search nothing: a ``Recipe`` or ``"adamw lr=0.01"``.
        search: further arguments of ``autoopt.tune`` by name: ``{"optimizers": "adamw,sgd", "timeout": 60}``.
        class_weight: ``"balanced"``, or weights by class.
        device: ``auto``, ``cpu``, ``cuda``, ``mps`` …
        random_state: decides everything random.

    Attributes:
        recommendation_: the verdict of the search, an ``autoopt.Recommendation``; none with a ``recipe``.
        recipe_: what ``module_`` was trained with, on all rows.
        classes_: the labels, in the order of ``predict_proba``.
    """

    losses = CLASS_LOSSES

    def __init__(
        self, module: Any = None, *, hidden: Sequence[int] = (64,), budget: float = 30, epochs: int = 20,
        batch_size: int = 64, metric: str | None = None, recipe: str | Recipe | None = None,
        search: Mapping[str, Any] | None = None, class_weight: Any = None, device: str = "auto",
        random_state: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            module, hidden, budget, epochs, batch_size, metric, recipe, search, device, random_state
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> AutoOptClassifier:
        """Search for the best way to train, and train on all rows with it.

        Args:
            X: rows of numbers, an array or data frame; more dimensions if the module takes them.
            y: a label a row, of any type.
            sample_weight: what each row counts, at least 0.

        Raises:
            EstimatorError: an argument, or the shape of the data, cannot be used.
            StudyFailed: every training diverged.
        """
        X, y = validate_data(self, X, y, allow_nd=True)
        check_classification_targets(y)
        encoder = LabelEncoder().fit(column_or_1d(y, warn=True))
        self.classes_ = encoder.classes_
        if len(self.classes_) < 2:
            one = self.classes_[0]
            raise EstimatorError(f"{self._name} needs at least 2 classes, y has 1 class: {one!r} in all rows")
        if (weights := sample_weight) is not None or self.class_weight is not None:
            weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True, copy=True)
            weights *= compute_sample_weight(self.class_weight, y)
        self._fit(X, encoder.transform(y), weights, len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class of ``classes_`` for each row."""
        found = self._outputs(X)
        if found.shape[1] == 1:  # the logit of the second of two classes
            found = np.hstack([np.zeros_like(found), found])
        return np.asarray(softmax(found, axis=1))

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row."""
        chosen = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[chosen])

    def _choose_loss(self, shape: tuple[int, ...], n_outputs: int) -> str:
        if n_outputs == 2 and shape in ((2,), (2, 1)):
            return CLASS_LOSSES[1]
        return super()._choose_loss(shape, n_outputs)


class AutoOptRegressor(RegressorMixin, NetworkEstimator):
    """A neural network for numbers that searches, confirms and uses the optimizer that trains it best.

    Targets are taken as they are: scale large ones, with ``TransformedTargetRegressor`` for example.

    Args:
        loss: ``mse_loss``, ``l1_loss``, ``huber_loss`` or ``smooth_l1_loss``.
        metric: what is searched instead of the loss on held-out rows, such as ``"r2"``.

    All others, and the attributes, are those of ``AutoOptClassifier``; the module has one output a column of y.
    """

    def __init__(
        self, module: Any = None, *, hidden: Sequence[int] = (64,), loss: str = "mse_loss", budget: float = 30,
        epochs: int = 20, batch_size: int = 64, metric: str | None = None, recipe: str | Recipe | None = None,
        search: Mapping[str, Any] | None = None, device: str = "auto", random_state: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            module, hidden, budget, epochs, batch_size, metric, recipe, search, device, random_state
        )
        self.loss = loss

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> AutoOptRegressor:
        """Search for the best way to train, and train on all rows with it; as for ``AutoOptClassifier``.

        Args:
            y: a number a row, or several.
        """
        X, y = validate_data(self, X, y, allow_nd=True, multi_output=True, y_numeric=True)
        if self.loss not in LOSSES:
            raise EstimatorError(unknown_name("loss", str(self.loss), LOSSES))
        if (weights := sample_weight) is not None:
            weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True, copy=True)
        self._y_shape = y.shape[1:]
        self._fit(X, y.astype(float), weights, int(np.prod(self._y_shape)))
        return self

    def predict(self, X: Any) -> Array:
        """Return the number, or numbers, of each row."""
        found = self._outputs(X)
        return found.reshape(len(found), *self._y_shape)

    @property
    def losses(self) -> Sequence[str]:  # type: ignore[override]
        return (self.loss,)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
