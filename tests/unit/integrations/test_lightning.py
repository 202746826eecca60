"""Lightning: exported code, run by the real library."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

with warnings.catch_warnings():  # of what Lightning itself imports
    warnings.simplefilter("ignore")
    lightning = pytest.importorskip("lightning", reason="not installed: pip install 'autoopt[lightning]'")

import autoopt
from autoopt.errors import SpaceError
from autoopt.export import write
from autoopt.training.build import build_optimizer
from tests.conformance.test_exporters import described, recommendation
from tests.unit.integrations import exported

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
]
X = torch.randn(32, 3, generator=torch.Generator().manual_seed(0))
ROWS = torch.utils.data.TensorDataset(X, X.sum(1, keepdim=True))


class Line(lightning.LightningModule):
    """A user's module."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        self.rates, self.losses, self.norms = [], [], []

    def training_step(self, batch, index):
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        return torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])

    def validation_step(self, batch, index):
        loss = torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("val_loss", loss)
        self.losses.append(float(loss))

    def on_before_optimizer_step(self, optimizer):
        self.norms.append(float(torch.nn.utils.get_total_norm([p.grad for p in self.parameters()])))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Rows(lightning.LightningDataModule):
    def train_dataloader(self):
        return torch.utils.data.DataLoader(ROWS, batch_size=8, shuffle=True)

    def val_dataloader(self):
        return torch.utils.data.DataLoader(ROWS, batch_size=32)


QUIET = {
    "logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False,
    "accelerator": "cpu", "num_sanity_val_steps": 0,
}  # fmt: skip


def run(recipe):
    def trainer(**given):
        return lightning.Trainer(**QUIET, **given)

    around = {"YourModule": Line, "datamodule": Rows(), "Trainer": trainer}
    return exported.use(recipe, "lightning", **around)["trainer"]


@pytest.mark.parametrize("changes", [{}, {"clip_norm": 0.1}])
def test_the_exported_module_trains_at_the_rates_of_the_recipe(changes):
    recipe = exported.recipe("adamw", "linear", **changes)
    trainer = run(recipe)
    module = trainer.lightning_module
    assert module.rates == pytest.approx(exported.rates(recipe, 12))
    ours = described(build_optimizer(module, recipe), module)
    assert [(g["params"], g["weight_decay"]) for g in described(trainer.optimizers[0], module)] == [
        (g["params"], g["weight_decay"]) for g in ours
    ]
    assert module.losses[-1] < module.losses[0]
    assert trainer.gradient_clip_val == changes.get("clip_norm")


@pytest.mark.parametrize("optimizer", ["lbfgs", "schedule_free_adamw", "lookahead_sgd"])
def test_optimizers_with_wishes_train_as_well(optimizer):
    schedule = "constant" if optimizer == "schedule_free_adamw" else "linear"
    module = run(exported.recipe(optimizer, schedule, schedule_settings={})).lightning_module
    assert module.losses[-1] <= module.losses[0]


def test_a_schedule_that_follows_the_loss_is_stepped_with_it():
    plateau = {"patience": 0, "warmup": 0.3, "factor": 0.5}
    trainer = run(exported.recipe("sgd", "plateau", settings={"lr": 1e-12}, schedule_settings=plateau))
    assert trainer.lr_scheduler_configs[0].scheduler.last_epoch == 3
    assert trainer.lightning_module.rates[:5] == pytest.approx([1e-12 * n / 5 for n in range(1, 6)])


def test_what_has_no_place_in_the_loop_is_refused():
    with pytest.raises(SpaceError, match="cannot be written for Lightning: the optimizer derives"):
        write(recommendation(exported.recipe("newton")), "lightning")


SMALL = {"budget": 7, "epochs": 3, "optimizers": "adam,sgd"}


def test_the_optimizer_of_a_module_is_searched_and_the_module_left_alone(capfd):
    module = Line()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    own = module.configure_optimizers
    found = autoopt.lightning.tune(module, Rows(), {"accelerator": "cpu"}, **SMALL)
    assert isinstance(found, autoopt.Recommendation)
    assert found.study == "Line"
    assert len(found.chosen.scores) == 3
    assert found.epochs == 3
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert module.configure_optimizers == own
    assert capfd.readouterr() == ("", "")


class Scored(Line):
    """Logs how near it is, too."""

    def validation_step(self, batch, index):
        super().validation_step(batch, index)
        self.log("val_accuracy", ((self.layer(batch[0]) - batch[1]).abs() < 0.5).float().mean())


def test_another_metric_may_be_searched_and_clipping_and_batches_too():
    class Sized(Rows):
        batch_size, seen = 8, set()

        def train_dataloader(self):
            self.seen.add(self.batch_size)
            return torch.utils.data.DataLoader(ROWS, batch_size=self.batch_size)

    data = Sized()
    found = autoopt.lightning.tune(Scored, data, metric="val_accuracy", tune_clip=True, tune_batch_size=True,
                                   batch_size=8, budget=12, epochs=3, optimizers="adam")  # fmt: skip
    assert (found.objective, found.direction) == ("val_accuracy", "maximize")
    assert len(data.seen) > 1
    assert data.batch_size == 8


def test_runs_that_are_not_worth_it_are_stopped_early():
    ends = []

    class Ends(lightning.Callback):
        def on_train_end(self, trainer, pl_module):
            ends.append(trainer.current_epoch)

    autoopt.lightning.tune(Line, Rows(), {"callbacks": [Ends()]}, budget=9, epochs=9)
    assert min(ends) < 9


def by_hand():
    module = Line()
    module.automatic_optimization = False
    return module


class Silent(Line):
    def validation_step(self, batch, index):
        pass


@pytest.mark.parametrize(
    ("module", "settings", "message"),
    [
        (3, {}, "module is of type int: give a LightningModule"),
        (lambda: torch.nn.Linear(3, 1), {}, "gave Linear: it must give a lightning.LightningModule"),
        (by_hand, {}, "optimizes by hand"),
        (Silent, {}, "'val_loss' was not logged after the epoch .*: write self.log"),
        (Line, {"max_epochs": 3}, "trainer_kwargs has 'max_epochs': the search decides how long"),
    ],
)
def test_what_cannot_be_tuned_is_refused(module, settings, message):
    with pytest.raises(autoopt.AutooptError, match=message):
        autoopt.lightning.tune(module, Rows(), settings, **SMALL)


@pytest.mark.slow
def test_two_processes_train_every_run_together_and_get_the_same_answer(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "GLOO_SOCKET_IFNAME": "lo"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    program = ["-m", "tests.unit.integrations.lightning_ranks", str(tmp_path / "found")]
    done = subprocess.run([*launch, *program], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    first, second = ((tmp_path / f"found.{rank}").read_text() for rank in range(2))
    assert first == second
    found = json.loads(first)
    assert len(found["answer"]["scores"]) == 3
    assert {size for size, *_ in found["ended"]} == {2}
