"""skorch: an estimator around a net that searches its optimizer, and ``tune`` for the search alone."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet

from autoopt.integrations.chosen import Chosen
from autoopt.integrations.net_search import LOSS, Use, tune, with_callback
from autoopt.run import Direction

__all__ = ["OptimizerSearch", "tune"]


def _has(name: str) -> Any:
    return available_if(lambda self: hasattr(getattr(self, "best_net_", self.net), name))


class OptimizerSearch(MetaEstimatorMixin, BaseEstimator):
    """An estimator around a net of skorch: ``fit`` searches its optimizer, and trains a clone with it.

    Args:
        net: left as it is.
        budget, epochs, metric, direction: as for ``tune``.
        search: further arguments of ``tune`` by name.

    Attributes:
        recommendation_: the verdict of the search.
        best_net_: a clone of the net, trained with what it recommends on the data given.
    """

    def __init__(
        self, net: Any, *, budget: float = 30, epochs: int | None = None, metric: str = LOSS,
        direction: Direction | None = None, search: Any = None,
    ) -> None:  # fmt: skip
        self.net = net
        self.budget = budget
        self.epochs = epochs
        self.metric = metric
        self.direction = direction
        self.search = search

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> OptimizerSearch:
        """Search, and train; arguments as for ``net.fit``."""
        self.recommendation_ = tune(self.net, X, y, budget=self.budget, epochs=self.epochs, metric=self.metric,
                                    direction=self.direction, fit_params=fit_params, **(self.search or {}))  # fmt: skip
        recipe = self.recommendation_.recipe
        epochs = self.epochs or self.net.max_epochs
        size = {"batch_size": recipe.batch_size} if isinstance(recipe.batch_size, int) else {}
        chosen = with_callback(self.net, Use(Chosen(recipe))).set_params(max_epochs=epochs, **size)
        self.best_net_ = chosen.fit(X, y, **fit_params)
        if hasattr(self.best_net_, "classes_"):
            self.classes_ = self.best_net_.classes_
        return self

    def predict(self, X: Any) -> Any:
        """Predict with the trained net."""
        return self._fitted().predict(X)

    @_has("predict_proba")
    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities that the trained net gives."""
        return self._fitted().predict_proba(X)

    @_has("score")
    def score(self, X: Any, y: Any = None) -> float:
        """Return the score of the trained net."""
        return float(self._fitted().score(X, y))

    def _fitted(self) -> NeuralNet:
        check_is_fitted(self, "best_net_")
        return self.best_net_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        own = self.net.__sklearn_tags__()
        tags.estimator_type, tags.classifier_tags, tags.regressor_tags = (
            own.estimator_type, own.classifier_tags, own.regressor_tags
        )  # fmt: skip
        return tags
