import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

import autoopt
from autoopt import AutoOptClassifier, AutoOptRegressor
from autoopt.errors import AutooptError, EstimatorError

RECIPE = "adamw lr=0.02"
FAST = {"recipe": RECIPE, "epochs": 8, "batch_size": 16, "random_state": 0}
SEARCHING = {"budget": 7, "epochs": 8, "batch_size": 16, "random_state": 0}
CANNOT_HOLD = {
    "check_sample_weight_equivalence_on_dense_data": "rows are drawn into mini-batches, and some are held out, at "
    "random: a row of weight 2 weighs as much as two rows, and is in one batch where they are in two"
}
X, LABELS = load_iris(return_X_y=True)
X = scale(X)
NAMES = np.array(["setosa", "versicolor", "virginica"])[LABELS]
XR, YR = make_regression(120, 5, noise=1.0, random_state=0)
YR = scale(YR)


@parametrize_with_checks(
    [AutoOptClassifier(**FAST), AutoOptRegressor(**FAST)], expected_failed_checks=lambda _: CANNOT_HOLD
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_s_own_checks_pass(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [AutoOptClassifier(**SEARCHING), AutoOptRegressor(**SEARCHING)],
    expected_failed_checks=lambda _: CANNOT_HOLD,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_s_own_checks_pass_with_a_search_in_every_fit(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def searched():
    return AutoOptClassifier(**SEARCHING, search={"optimizers": "adam,sgd"}).fit(X, NAMES)


def test_a_fit_searches_confirms_and_trains_with_what_it_found(searched):
    assert isinstance(searched.recommendation_, autoopt.Recommendation)
    assert searched.recipe_ == searched.recommendation_.recipe
    assert searched.recipe_.optimizer in ("adam", "sgd", "adamw")  # AdamW is the baseline
    assert searched.score(X, NAMES) > 0.9


def test_labels_come_back_as_they_were_and_probabilities_add_up(searched):
    assert list(searched.classes_) == ["setosa", "versicolor", "virginica"]
    assert set(searched.predict(X)) <= set(NAMES)
    found = searched.predict_proba(X)
    assert found.shape == (150, 3)
    assert np.allclose(found.sum(1), 1)
    assert (searched.classes_[found.argmax(1)] == searched.predict(X)).all()


def test_a_fitted_estimator_comes_through_pickle(searched):
    again = pickle.loads(pickle.dumps(searched))
    assert np.array_equal(again.predict_proba(X), searched.predict_proba(X))
    assert again.recommendation_ == searched.recommendation_


def test_the_same_random_state_gives_the_same_answer(searched):
    again = clone(searched).fit(X, NAMES)
    assert again.recipe_ == searched.recipe_
    assert np.array_equal(again.predict_proba(X), searched.predict_proba(X))


def test_a_clone_is_not_fitted(searched):
    with pytest.raises(NotFittedError):
        clone(searched).predict(X)


def test_a_fit_draws_nothing_from_the_callers_random_numbers():
    torch.manual_seed(1)
    AutoOptClassifier(**SEARCHING).fit(X, LABELS)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert drawn == torch.rand(1)


def test_it_works_in_a_pipeline_with_data_frames():
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), AutoOptClassifier(**FAST))
    pipeline.fit(frame, pd.Series(NAMES))
    assert list(pipeline[-1].feature_names_in_) == ["a", "b", "c", "d"]
    assert pipeline.score(frame, NAMES) > 0.9
    with pytest.raises(ValueError, match="feature names"):
        pipeline.predict(frame.rename(columns={"a": "z"}))


def test_cross_validation_and_a_grid_search_take_it():
    assert cross_val_score(AutoOptClassifier(**FAST), X, NAMES, cv=3).mean() > 0.9
    grid = GridSearchCV(
        AutoOptRegressor(**FAST), {"hidden": [(), (32,)], "recipe": ["sgd lr=0.01", RECIPE]}, cv=2
    )
    assert grid.fit(XR, YR).best_score_ > 0.8


def test_a_regressor_learns_several_targets_at_once():
    both = np.stack([YR, -YR], axis=1)
    model = AutoOptRegressor(**{**FAST, "epochs": 20}).fit(XR, both)
    assert model.predict(XR).shape == both.shape
    assert model.score(XR, both) > 0.9


@pytest.mark.parametrize("loss", ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"])
@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 1.5, len(YR))])
def test_a_regressor_takes_several_losses(loss, weights):
    model = AutoOptRegressor(**{**FAST, "epochs": 20}, loss=loss).fit(XR, YR, sample_weight=weights)
    assert model.score(XR, YR) > 0.9


def test_rows_of_weight_zero_are_as_if_they_were_not_there():
    weights = np.ones(150)
    weights[100:] = 0
    some = AutoOptClassifier(**FAST).fit(X, NAMES, sample_weight=weights)
    without = AutoOptClassifier(**FAST).fit(X[:100], NAMES[:100], sample_weight=np.ones(100))
    assert np.allclose(some.predict_proba(X)[:, :2].sum(1), without.predict_proba(X).sum(1), atol=0.2)
    assert "virginica" not in some.predict(X[:100])


def test_a_class_weight_moves_the_decision():
    rare = (np.arange(100) % 10 == 0).astype(int)
    noise = np.random.default_rng(0).normal(size=(100, 2)) + rare[:, None]
    plain = AutoOptClassifier(**FAST).fit(noise, rare)
    balanced = AutoOptClassifier(**FAST, class_weight="balanced").fit(noise, rare)
    assert balanced.predict_proba(noise)[:, 1].mean() > 1.5 * plain.predict_proba(noise)[:, 1].mean()
    named = AutoOptClassifier(**FAST, class_weight={0: 1, 1: 1000}).fit(noise, rare)
    assert named.predict(noise)[rare == 1].all()  # none of them is missed


def small(n_features, n_outputs):
    return nn.Sequential(nn.Linear(n_features, 8), nn.Tanh(), nn.Linear(8, n_outputs))


class Words(nn.Module):
    """Means of embeddings: takes whole numbers alone, and gives one logit for two classes."""

    def __init__(self):
        super().__init__()
        self.table, self.last = nn.Embedding(10, 4), nn.Linear(4, 1)

    def forward(self, X):
        return self.last(self.table(X).mean(1))


def test_a_module_is_told_what_it_asks_for():
    assert AutoOptClassifier(small, **FAST).fit(X, NAMES).module_[0].in_features == 4
    assert (
        AutoOptRegressor(lambda n_features: nn.Linear(n_features, 1), **FAST).fit(XR, YR).score(XR, YR) > 0.3
    )


@pytest.mark.parametrize("weights", [None, np.ones(80)])
def test_a_module_may_take_whole_numbers_and_give_one_logit(weights):
    words = np.random.default_rng(0).integers(0, 10, (80, 6))
    label = (words < 5).mean(1) > 0.5
    model = AutoOptClassifier(Words, **{**FAST, "epochs": 30}).fit(words, label, sample_weight=weights)
    assert model.predict_proba(words).shape == (80, 2)
    assert model.score(words, label) > 0.9


@pytest.mark.parametrize("weights", [None, np.ones(150)])
def test_whole_numbers_are_made_fit_for_the_perceptron(weights):
    model = AutoOptClassifier(**FAST).fit((10 * X).astype(int), NAMES, sample_weight=weights)
    assert model.score((10 * X).astype(int), NAMES) > 0.9


def test_images_may_have_more_dimensions():
    images = (
        np.random.default_rng(0).normal(size=(60, 1, 4, 4))
        + LABELS[::3][:50].repeat(2)[:60, None, None, None]
    )
    label = LABELS[::3][:50].repeat(2)[:60]
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, len(np.unique(label))))
    assert AutoOptClassifier(net, **{**FAST, "epochs": 20}).fit(images, label).score(images, label) > 0.8


def holes(values):
    return np.where(np.arange(values.size).reshape(values.shape) == 3, np.nan, values)


BAD = {
    "one class": (AutoOptClassifier(**FAST), X, np.full(150, "a"), "needs at least 2 classes, y has 1 class: .*'a'.* in all rows"),
    "NaN": (AutoOptClassifier(**FAST), holes(X), NAMES, "contains NaN"),
    "NaN in y": (AutoOptRegressor(**FAST), XR, holes(YR), "contains NaN"),
    "lengths": (AutoOptClassifier(**FAST), X, NAMES[:-1], "inconsistent numbers of samples"),
    "one row": (AutoOptRegressor(**FAST), XR[:1], YR[:1], "at least 2 rows, got 1"),
    "numbers": (AutoOptClassifier(**FAST), XR, YR, "Unknown label type"),
    "outputs": (AutoOptClassifier(nn.Linear(4, 7), **FAST), X, NAMES, r"module gives shape \(2, 7\) .* needs \(2, 3\)"),
    "inputs": (AutoOptClassifier(nn.Linear(5, 3), **FAST), X, NAMES, r"module on X of shape \(2, 4\): RuntimeError"),
    "module": (AutoOptClassifier("net", **FAST), X, NAMES, "module='net': give a class or function"),
    "hidden": (AutoOptClassifier(hidden=(8, -1), **FAST), X, NAMES, r"hidden=\(8, -1\): give whole numbers above 0"),
    "recipe": (AutoOptClassifier(recipe=3), X, NAMES, "recipe=3: give a Recipe, text such as"),
    "rate": (AutoOptClassifier(recipe="adamw lr=-1"), X, NAMES, "lr"),
    "search": (AutoOptClassifier(search={"optimizer": "adam"}), X, NAMES, "did you mean 'optimizers'"),
    "search twice": (AutoOptClassifier(search={"budget": 9}), X, NAMES, "an argument of AutoOptClassifier itself"),
    "search of no kind": (AutoOptClassifier(search="adam"), X, NAMES, "search='adam': give arguments of tune by name"),
    "loss": (AutoOptRegressor(loss="mse"), XR, YR, "did you mean 'mse_loss'"),
    "budget": (AutoOptClassifier(budget=1), X, NAMES, "budget of 1 runs is too small"),
    "epochs": (AutoOptClassifier(epochs=0), X, NAMES, "epochs is 0"),
    "metric": (AutoOptClassifier(metric="accurracy"), X, NAMES, "did you mean 'accuracy'"),
    "device": (AutoOptClassifier(device="gpu"), X, NAMES, "unknown device 'gpu'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_one_sentence(case):
    estimator, inputs, target, message = BAD[case]
    with pytest.raises((ValueError, AutooptError), match=message):
        estimator.fit(inputs, target)


def test_weights_that_leave_no_row_are_refused():
    with pytest.raises(EstimatorError, match="at least 2 rows that weigh something, got 1"):
        AutoOptClassifier(**FAST).fit(X, NAMES, sample_weight=np.eye(150)[0])
    with pytest.raises(ValueError, match="Negative values"):
        AutoOptClassifier(**FAST).fit(X, NAMES, sample_weight=-np.ones(150))


def test_a_recipe_that_diverges_says_so():
    with pytest.raises(AutooptError, match="diverged in epoch 1: take a lower rate"):
        AutoOptRegressor(**{**FAST, "recipe": "sgd lr=1000"}).fit(XR, YR)


def test_a_search_in_which_all_diverged_recommends_the_baseline():
    model = AutoOptRegressor(**SEARCHING, search={"optimizers": "sgd", "fixed": {"lr": 1e3}}).fit(XR, YR)
    assert model.recipe_ == model.recommendation_.baseline.recipe
    assert "no finalist has a score" in str(model.recommendation_)


def test_a_child_process_prints_nothing_and_leaves_nothing_behind(tmp_path):
    code = (
        "from autoopt import AutoOptClassifier; from sklearn.datasets import load_iris;"
        "AutoOptClassifier(budget=7, epochs=2).fit(*load_iris(return_X_y=True))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert (out.stdout, out.stderr, list(tmp_path.iterdir())) == ("", "", [])
