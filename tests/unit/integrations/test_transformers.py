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

import autoopt
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


def make_trainer(tmp_path, **changes):
    def accuracy(found):
        return {"accuracy": (found.predictions.argmax(-1)[:, :-1] == found.label_ids[:, 1:]).mean()}

    def make():
        arguments = TrainingArguments(
            str(tmp_path), per_device_train_batch_size=16, use_cpu=True, report_to=[]
        )
        given = {"train_dataset": texts(), "eval_dataset": texts(8), "compute_metrics": accuracy, **changes}
        config = GPT2Config(
            vocab_size=12, n_positions=8, n_embd=8, n_layer=1, n_head=2, loss_type="ForCausalLM"
        )
        return Trainer(GPT2LMHeadModel(config), arguments, **given)

    return make


SMALL = {"budget": 7, "epochs": 2, "optimizers": "adamw"}


def test_the_optimizer_of_a_trainer_is_searched(tmp_path, capfd):
    found = autoopt.huggingface.tune(make_trainer(tmp_path), trials=1, **SMALL)
    assert isinstance(found, autoopt.Recommendation)
    assert found.study == "make"
    assert len(found.chosen.scores) == 3
    assert len(set(found.chosen.scores.values())) == 3  # every seed has weights and batches of its own
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
    again = autoopt.huggingface.tune(make_trainer(tmp_path), trials=1, **SMALL)
    assert again.baseline.scores == found.baseline.scores


def test_another_metric_may_be_searched_and_gradients_clipped(tmp_path):
    seen = []

    class Own(Trainer):
        def create_optimizer(self, *args):
            raise AssertionError("the trial makes it")

        def log(self, logs, *args, **kwargs):
            seen.append(self.args.max_grad_norm)

    def make():
        trainer = make_trainer(tmp_path)()
        trainer.__class__ = Own
        return trainer

    found = autoopt.huggingface.tune(make, metric="eval_accuracy", tune_clip=True, **SMALL)
    assert (found.objective, found.direction) == ("eval_accuracy", "maximize")
    assert set(seen) <= {0.0, 1.0}  # the trial clips, or the Trainer does as it was told


def test_what_the_search_finds_goes_into_a_trainer(tmp_path, capsys):
    found = recommendation(exported.recipe("adamw"))
    trainer = make_trainer(tmp_path)()
    optimizer = found.make_optimizer(trainer.model)
    trainer = make_trainer(tmp_path, optimizers=(optimizer, found.make_scheduler(optimizer, 6)))()
    trainer.train()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda make: make(), "trainer_factory is of type Trainer: give a function"),
        (lambda _: lambda: 3, r"trainer_factory\(\) gave int: it must give a transformers.Trainer"),
    ],
)
def test_what_cannot_be_tuned_is_refused(change, message, tmp_path):
    with pytest.raises(autoopt.AutooptError, match=message):
        autoopt.huggingface.tune(change(make_trainer(tmp_path)), **SMALL)


def test_a_trainer_that_evaluates_nothing_or_not_this_is_refused(tmp_path):
    with pytest.raises(autoopt.AutooptError, match="the Trainer has no eval_dataset"):
        autoopt.huggingface.tune(make_trainer(tmp_path, eval_dataset=None), **SMALL)
    with pytest.raises(autoopt.AutooptError, match="'eval_f1' was not logged after the epoch"):
        autoopt.huggingface.tune(make_trainer(tmp_path), metric="eval_f1", **SMALL)
