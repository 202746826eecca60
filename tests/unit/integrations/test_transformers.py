"""Transformers: exported code, run by the real Trainer on a tiny model that is made, not downloaded."""

import warnings

import pytest
import torch

with warnings.catch_warnings():  # of what Transformers itself imports
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip(
        "transformers", reason="not installed: pip install 'autoopt[transformers]'"
    )
    pytest.importorskip("accelerate", reason="not installed: pip install 'autoopt[transformers]'")
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from autoopt.errors import SpaceError
from autoopt.export import write
from autoopt.training.build import build_optimizer
from tests.conformance.test_exporters import described, recommendation
from tests.unit.integrations import exported

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*pin_memory"),
]


def tiny():
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=12, n_positions=8, n_embd=8, n_layer=1, n_head=2))


def texts(rows=32):
    counting = (torch.arange(8)[None] + torch.arange(rows)[:, None]) % 12
    return [{"input_ids": row, "labels": row} for row in counting]


class Watch(transformers.TrainerCallback):
    """Notes the rate before every step."""

    def __init__(self):
        self.rates = []

    def on_step_begin(self, args, state, control, **kwargs):
        self.rates.append(kwargs["optimizer"].param_groups[0]["lr"])


def run(recipe, tmp_path):
    watch = Watch()

    def quiet(_, **given):
        return TrainingArguments(str(tmp_path), report_to=[], disable_tqdm=True, save_strategy="no", use_cpu=True,
                                 logging_strategy="epoch", **given)  # fmt: skip

    def trainer(*args, callbacks=(), **given):
        return Trainer(*args, callbacks=[watch, *callbacks], **given)

    around = {"model": tiny(), "train_data": texts(), "valid_data": texts(8),
              "TrainingArguments": quiet, "Trainer": trainer}  # fmt: skip
    return exported.use(recipe, "transformers", **around)["trainer"], watch.rates


@pytest.mark.parametrize("changes", [{}, {"clip_norm": 0.1}, {"clip_value": 0.1}])
def test_the_exported_trainer_trains_at_the_rates_of_the_recipe(changes, tmp_path, capsys):
    recipe = exported.recipe("adamw", "linear", **changes)
    trainer, seen = run(recipe, tmp_path)
    assert seen == pytest.approx(exported.rates(recipe, 12))
    ours = described(build_optimizer(trainer.model, recipe), trainer.model)
    theirs = described(trainer.optimizer.optimizer, trainer.model)
    assert [(g["params"], g["weight_decay"]) for g in theirs] == [
        (g["params"], g["weight_decay"]) for g in ours
    ]
    assert trainer.args.max_grad_norm == changes.get("clip_norm", 0.0)
    assert trainer.evaluate()["eval_loss"] < 2.48  # the logarithm of 12


@pytest.mark.parametrize("optimizer", ["schedule_free_adamw", "lookahead_sgd"])
def test_optimizers_with_wishes_train_as_well(optimizer, tmp_path, capsys):
    schedule = "constant" if optimizer == "schedule_free_adamw" else "linear"
    trainer, _ = run(exported.recipe(optimizer, schedule, schedule_settings={}), tmp_path)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < losses[0]


def test_a_schedule_that_follows_the_loss_is_stepped_with_it(tmp_path, capsys):
    plateau = {"patience": 0, "warmup": 0.3, "factor": 0.5}
    recipe = exported.recipe("sgd", "plateau", settings={"lr": 1e-12}, schedule_settings=plateau)
    trainer, seen = run(recipe, tmp_path)
    assert trainer.lr_scheduler.last_epoch == 3
    assert seen[:5] == pytest.approx([1e-12 * n / 5 for n in range(1, 6)])


@pytest.mark.parametrize("optimizer", ["lbfgs", "newton"])
def test_what_has_no_place_in_the_loop_is_refused(optimizer):
    with pytest.raises(SpaceError, match="cannot be written for Transformers: the optimizer"):
        write(recommendation(exported.recipe(optimizer)), "transformers")
