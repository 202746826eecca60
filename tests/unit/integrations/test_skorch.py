"""skorch: exported code, run by the real library."""

import pytest
import torch

skorch = pytest.importorskip("skorch", reason="skorch is not installed: pip install 'autoopt[skorch]'")

from sklearn.datasets import make_regression  # noqa: E402
from sklearn.preprocessing import scale  # noqa: E402

from autoopt.errors import SpaceError  # noqa: E402
from autoopt.export import write  # noqa: E402
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
