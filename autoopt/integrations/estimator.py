"""What the estimators for scikit-learn share: arguments checked, search held, module trained, rows put through it."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from autoopt.errors import EstimatorError, unknown_name
from autoopt.integrations.tabular import (
    Array,
    PlainNetwork,
    array_task,
    module_maker,
    outputs,
    train_on_all,
    try_module,
)
from autoopt.recipe import Recipe
from autoopt.space.check import check_recipe
from autoopt.space.written import parse_recipe
from autoopt.tasks.samples import TensorSamples
from autoopt.training.device import device_for
from autoopt.tuning import tune

OWN = {
    "task",
    "budget",
    "seed",
    "metric",
    "epochs",
    "batch_size",
    "device",
}  # of tune's, arguments here as well
SEARCH = set(inspect.signature(tune).parameters) - OWN


class NetworkEstimator(BaseEstimator):
    """A network that finds out how to train itself. ``__init__`` only stores; ``fit`` checks, searches and trains."""

    losses: Sequence[str]

    def __init__(
        self, module: Any, hidden: Sequence[int], budget: float, epochs: int, batch_size: int, metric: str | None,
        recipe: str | Recipe | None, search: Mapping[str, Any] | None, device: str, random_state: Any,
    ) -> None:  # fmt: skip
        self.module = module
        self.hidden = hidden
        self.budget = budget
        self.epochs = epochs
        self.batch_size = batch_size
        self.metric = metric
        self.recipe = recipe
        self.search = search
        self.device = device
        self.random_state = random_state

    def _fit(self, X: Array, y: Array, weights: Array | None, n_outputs: int) -> None:
        """Search, unless there is a recipe, and train on all rows that weigh something."""
        rows = np.arange(len(X)) if weights is None else np.flatnonzero(weights)
        if len(rows) < 2:
            of = "" if weights is None else " that weigh something"
            raise EstimatorError(
                f"{self._name} needs at least 2 rows{of}, got {len(rows)} (n_samples = {len(X)})"
            )
        X, y = X[rows], y[rows]
        weights = None if weights is None else weights[rows] / weights[rows].mean()
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        search, recipe = self._read_search(), self._read_recipe()
        module = PlainNetwork(self._read_hidden()) if self.module is None else self.module
        make = module_maker(module, int(np.prod(X.shape[1:])), n_outputs)
        loss = self._choose_loss(try_module(make, X), n_outputs)
        task = array_task(make, X, y, weights, loss, epochs=self.epochs, batch_size=self.batch_size,
                          objective=self.metric, seed=seed, name=self._name)  # fmt: skip
        device = device_for(task, self.device)
        if recipe is None:
            self.recommendation_ = tune(task, self.budget, seed=seed, device=device, **search)
            recipe = self.recommendation_.recipe
        self.recipe_ = recipe
        self.module_ = train_on_all(task, recipe, seed, device)
        assert isinstance(task.train, TensorSamples)
        self._input_type: torch.dtype = task.train.tensors[0].dtype

    def _outputs(self, X: Any) -> Array:
        """Return what the module gives for the rows, one line a row."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, allow_nd=True)
        return outputs(self.module_, X, self._input_type).reshape(len(X), -1)

    def _choose_loss(self, shape: tuple[int, ...], n_outputs: int) -> str:
        """Return the loss for what the module gives for two rows."""
        if shape in ((2, n_outputs), (2,) * (n_outputs == 1)):
            return self.losses[0]
        raise EstimatorError(
            f"module gives shape {shape} for 2 rows, but this y needs (2, {n_outputs}): a function that takes "
            "n_outputs is told this number"
        )

    def _read_recipe(self) -> Recipe | None:
        recipe = parse_recipe(self.recipe) if isinstance(self.recipe, str) else self.recipe
        if recipe is not None and not isinstance(recipe, Recipe):
            raise EstimatorError(f"recipe={recipe!r}: give a Recipe, text such as 'adamw lr=0.01', or None")
        return None if recipe is None else check_recipe(recipe)

    def _read_search(self) -> Mapping[str, Any]:
        search = {} if self.search is None else self.search
        if not isinstance(search, Mapping):
            raise EstimatorError(f"search={search!r}: give arguments of tune by name: {{'timeout': 60}}")
        for name in search:
            if name in OWN:
                raise EstimatorError(f"search has {name!r}, which is an argument of {self._name} itself")
            if name not in SEARCH:
                raise EstimatorError(unknown_name("argument of tune in search", str(name), SEARCH))
        return search

    def _read_hidden(self) -> Sequence[int]:
        widths = [self.hidden] if isinstance(self.hidden, int) else list(self.hidden)
        if not all(isinstance(width, int | np.integer) and width > 0 for width in widths):
            raise EstimatorError(f"hidden={self.hidden!r}: give whole numbers above 0, such as (64, 64)")
        return widths

    @property
    def _name(self) -> str:
        return type(self).__name__

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with the module on the processor, so that it can be read where there is no other."""
        state = dict(super().__getstate__())
        if "module_" in state:
            state["module_"] = copy.deepcopy(state["module_"]).cpu()
        return state
