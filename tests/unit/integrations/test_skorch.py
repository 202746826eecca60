"""skorch: exported code, run by the real library."""

import pickle

import pytest
import torch

skorch = pytest.importorskip("skorch", reason="skorch is not installed: pip install 'autoopt[skorch]'")

from sklearn.base import clone  # noqa: E402
from sklearn.datasets import make_regression  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.preprocessing import scale  # noqa: E402

import autoopt  # noqa: E402
from autoopt.errors import SpaceError  # noqa: E402
from autoopt.export import write  # noqa: E402
from autoopt.integrations.chosen import Chosen  # noqa: E402
from autoopt.integrations.net_search import Use, with_callback  # noqa: E402
from autoopt.integrations.skorch import OptimizerSearch  # noqa: E402
from autoopt.training.build import build_optimizer  # noqa: E402
from tests.conformance.test_exporters import described, recommendation  # noqa: E402
from tests.unit.integrations import exported  # noqa: E402

X, y = make_regression(40, 3, random_state=0)
X, y = X.astype("float32"), scale(y)[:, None].astype("float32")


class Seen(skorch.NeuralNetRegressor):
    """Notes the rate of every step, and prints nothing."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{"verbose": 0, **kwargs})

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        super().on_batch_begin(net, batch, training, **kwargs)
        if training:
            self.__dict__.setdefault("rates_", []).append(self.optimizer_.param_groups[0]["lr"])


def run(recipe, module=lambda: torch.nn.Linear(3, 1)):
    around = {"X": X, "y": y, "NeuralNetClassifier": Seen, "YourModule": module}
    return exported.use(recipe, "skorch", **around)["net"]


@pytest.mark.parametrize("schedule", ["linear", "cosine_restarts"])
@pytest.mark.parametrize("changes", [{}, {"clip_norm": 0.1}, {"clip_value": 0.1}])
def test_the_exported_net_trains_at_the_rates_of_the_recipe(schedule, changes):
    recipe = exported.recipe("adamw", schedule, **changes)
    net = run(recipe)
    assert net.rates_ == pytest.approx(exported.rates(recipe, len(net.rates_)), abs=1e-9)
    assert len(net.rates_) == 3 * 4  # epochs, batches of 8 among 32 rows
    ours = described(build_optimizer(net.module_, recipe), net.module_)
    assert [(g["params"], g["weight_decay"]) for g in described(net.optimizer_, net.module_)] == [
        (g["params"], g["weight_decay"]) for g in ours
    ]


def test_the_gradient_is_clipped_before_every_step():
    net = run(exported.recipe("sgd", settings={"lr": 0.0}, clip_norm=0.01))
    norm = torch.nn.utils.get_total_norm([p.grad for p in net.module_.parameters()])
    assert norm == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("optimizer", ["lbfgs", "schedule_free_adamw", "lookahead_sgd", "gd", "rprop"])
def test_optimizers_with_wishes_train_as_well(optimizer):
    whole = {"batch_size": "whole"} if optimizer in ("lbfgs", "gd", "rprop") else {}
    schedule = "constant" if optimizer == "schedule_free_adamw" else "linear"
    net = run(exported.recipe(optimizer, schedule, schedule_settings={}, **whole))
    losses = net.history[:, "train_loss"]
    assert losses[-1] < losses[0]


def test_a_schedule_that_follows_the_loss_is_stepped_with_it():
    plateau = {"patience": 0, "warmup": 0.3, "factor": 0.5}
    net = run(exported.recipe("sgd", "plateau", settings={"lr": 1e-12}, schedule_settings=plateau))
    assert net.scheduler_.last_epoch == 2  # before the second epoch and the third
    assert net.rates_[:5] == pytest.approx([1e-12 * n / 5 for n in range(1, 6)])


def test_what_has_no_place_in_the_loop_is_refused():
    with pytest.raises(
        SpaceError, match="cannot be written for skorch: the optimizer derives the loss twice"
    ):
        write(recommendation(exported.recipe("newton")), "skorch")


def net(**changes):
    settings = {"max_epochs": 3, "batch_size": 8, "lr": 1e-9, "verbose": 0, **changes}
    return skorch.NeuralNetRegressor(
        torch.nn.Linear, module__in_features=3, module__out_features=1, **settings
    )


FAST = {"budget": 7, "search": {"optimizers": "adam,sgd"}}


@pytest.fixture(scope="module")
def searched():
    return OptimizerSearch(net(max_epochs=8), **FAST).fit(X, y)


def test_a_search_sets_the_optimizer_of_a_clone_and_trains_it(searched):
    assert isinstance(searched.recommendation_, autoopt.Recommendation)
    assert searched.recommendation_.epochs == 8
    found, wanted = (
        searched.best_net_.optimizer_,
        build_optimizer(torch.nn.Linear(3, 1), searched.recommendation_.recipe),
    )
    assert type(found) is type(wanted)
    assert searched.score(X, y) > 0.3  # at the net's own rate it would be below zero
    assert not searched.net.initialized_
    assert searched.net.callbacks is None


def test_the_trained_net_comes_through_pickle(searched):
    again = pickle.loads(pickle.dumps(searched))
    assert (again.predict(X) == searched.predict(X)).all()
    again.best_net_.partial_fit(X, y)


def test_a_net_in_a_grid_search_is_cloned_and_its_parameters_reached():
    search = OptimizerSearch(net(), **FAST)
    assert clone(search).net is not search.net
    grid = GridSearchCV(search, {"net__module__bias": [True, False]}, cv=2).fit(X, y)
    assert (
        grid.best_estimator_.best_net_.module_.bias is not None or not grid.best_params_["net__module__bias"]
    )


def test_a_classifier_keeps_its_labels_and_its_own_callbacks():
    own = skorch.NeuralNetClassifier(
        torch.nn.Linear, module__in_features=3, module__out_features=2, criterion=torch.nn.CrossEntropyLoss,
        max_epochs=3, batch_size=8, verbose=0, callbacks=[skorch.callbacks.EpochScoring("accuracy", name="acc")],
    )  # fmt: skip
    label = (y[:, 0] > 0).astype("int64")
    search = OptimizerSearch(own, **FAST, metric="acc", direction="maximize").fit(X, label)
    assert (search.recommendation_.objective, search.recommendation_.direction) == ("acc", "maximize")
    assert search.predict_proba(X).shape == (40, 2)
    assert list(search.classes_) == [0, 1]


def test_batches_and_clipping_are_searched_where_asked():
    found = autoopt.skorch.tune(
        net(), X, y, budget=8, tune_batch_size=True, tune_clip=True, optimizers="adam"
    )
    assert found.recipe.batch_size in (2, 4, 8, 16, 32)


def test_a_recipe_that_follows_the_loss_is_used_as_it_was_searched():
    chosen = Chosen(
        exported.recipe(
            "sgd", "plateau", settings={"lr": 1e-9}, schedule_settings={"patience": 0, "warmup": 0.2}
        )
    )
    trained = with_callback(net(max_epochs=4), Use(chosen)).fit(X, y)
    assert trained.optimizer_.param_groups[0]["lr"] <= 1e-9
    assert chosen._follows.last_epoch == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.nn.Linear(3, 1), "net is of type Linear: give a net of skorch"),
        (net(train_split=None), "'valid_loss' was not logged after the epoch .*: give the net a train_split"),
    ],
)
def test_what_cannot_be_tuned_is_refused(given, message):
    with pytest.raises(autoopt.AutooptError, match=message):
        autoopt.skorch.tune(given, X, y, budget=7)
