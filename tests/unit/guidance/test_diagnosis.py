"""Symptoms told from the epochs of a run: one of each kind trained here, and what must not be told."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import learning_rate, reference_settings
from autoopt.guidance.diagnosis import count_symptoms, diagnose
from autoopt.guidance.load import load_rules
from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import BatchLoss, Task
from autoopt.training.trainee import Trainee

EPOCHS = 8


def make_recipe(optimizer: str, factor: float = 1.0, **changes: Any) -> Recipe:
    settings = {**reference_settings(OPTIMIZERS[optimizer]), **changes.pop("settings", {})}
    return Recipe(
        optimizer, settings | {"lr": learning_rate(OPTIMIZERS[optimizer], factor, settings)}, **changes
    )


def make_rows(rows: int, seed: int, noise: float = 0.0) -> TensorSamples:
    draw = torch.Generator().manual_seed(seed)
    X = torch.randn(rows, 8, generator=draw)
    y = X[:, :3].argmax(1)
    wrong = torch.rand(rows, generator=draw) < noise
    return TensorSamples((X, torch.where(wrong, torch.randint(0, 3, (rows,), generator=draw), y)))


def make_net(width: int = 24, first_bias: float | None = None) -> nn.Module:
    net = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 3))
    if first_bias is not None:
        nn.init.constant_(net[0].bias, first_bias)
    return net


def cross_entropy(model: nn.Module, batch: Any) -> BatchLoss:
    output = model(batch[0])
    return BatchLoss(nn.functional.cross_entropy(output, batch[1]), len(output))


def train(recipe: Recipe, *, model=make_net, rows: int = 320, noise: float = 0.0, epochs: int = EPOCHS):
    """Train a small classifier, and return the ids of the rules that its epochs call up, with the diagnoses."""
    task = Task(name="small", make_model=model, train=make_rows(rows, 0, noise), valid=make_rows(300, 1),
                batch_loss=cross_entropy, epochs=epochs, batch_size=16)  # fmt: skip
    trainee = Trainee(task, Run(0, recipe, 3, epochs), "cpu")
    reports: list[EpochReport] = []
    while len(reports) < epochs and not (reports and reports[-1].over):
        reports.append(trainee.train_epoch())
    return {found.rule_id: found for found in diagnose(reports, recipe, epochs)}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "rmsprop", "nadam"])
def test_a_run_near_the_reference_shows_nothing(optimizer):
    assert train(make_recipe(optimizer, 2.0, schedule="linear")) == {}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "rmsprop"])
def test_a_rate_a_thousand_times_too_low_is_told_with_its_figures(optimizer):
    found = train(make_recipe(optimizer, 1e-3))["rate-too-low"]
    assert "% of the weights' length" in found.evidence
    assert found.remedies == ("raise the learning rate",)
    assert found.source == "D2, D5"


def test_a_run_that_diverges_at_once_wants_a_lower_rate_or_a_warmup():
    found = train(make_recipe("sgd", 1e6))
    assert set(found) >= {"divergence", "divergence-at-the-start", "rate-too-high"}
    assert "epoch 1" in found["divergence"].evidence
    assert "warm the learning rate up" in found["divergence-at-the-start"].remedies
    warmed = train(make_recipe("sgd", 1e6, schedule_settings={"warmup": 0.01}))
    assert "divergence-at-the-start" not in warmed


def test_dead_units_are_a_stall():
    found = train(make_recipe("adamw"), model=partial(make_net, first_bias=-30.0))
    assert set(found) == {"stall"}


def test_few_noisy_rows_are_overfitted():
    found = train(make_recipe("adamw", 3.0), model=partial(make_net, 128), rows=48, noise=0.4, epochs=40)
    assert "rose from" in found["overfitting"].evidence
    assert found["overfitting"].remedies == ("add weight decay", "stop early")


def test_a_small_rate_of_adagrad_dies():
    found = train(make_recipe("adagrad", 0.02), epochs=16)
    assert found["adagrad-rate-dies"].remedies == ("change to RMSprop", "change to Adadelta")


def test_weights_of_16_bits_lose_small_steps():
    def coarse(model: nn.Module, batch: Any) -> BatchLoss:
        output = model(batch[0].bfloat16()).float()
        return BatchLoss(nn.functional.cross_entropy(output, batch[1]), len(output))

    task = Task(name="coarse", make_model=lambda: make_net().bfloat16(), train=make_rows(320, 0), epochs=4,
                valid=make_rows(50, 1), batch_loss=coarse, batch_size=16)  # fmt: skip
    recipe = make_recipe("sgd", 0.01)
    trainee = Trainee(task, Run(0, recipe, 3, 4), "cpu")
    found = {d.rule_id for d in diagnose([trainee.train_epoch() for _ in range(4)], recipe, 4)}
    assert "loss-of-precision" in found


# What the numbers must look like


def curve(epochs: int = 8, **columns: Any) -> list[EpochReport]:
    """Epochs of a healthy run; ``columns`` replace fields by a list or by one value for all."""
    healthy = {
        "train_loss": [2.0 * 0.6**n for n in range(1, epochs + 1)], "learning_rate": 0.1, "steps": 20,
        "start_loss": 2.0, "gradient_median": 1.0, "gradient_peak": 2.0, "gradient_turn": 0.1,
        "update_ratio": 0.01, "lost_updates": 0.0,
    }  # fmt: skip
    fields = healthy | columns
    fields.setdefault("valid_loss", fields["train_loss"])
    fields.setdefault("score", fields["valid_loss"])
    rows = [{k: v[n] if isinstance(v, list) else v for k, v in fields.items()} for n in range(epochs)]
    return [EpochReport(0, n, **row) for n, row in enumerate(rows, 1)]


def told(reports: list[EpochReport], recipe: Recipe | None = None, epochs: int = 8, **more: Any) -> set[str]:
    return {found.rule_id for found in diagnose(reports, recipe or make_recipe("sgd"), epochs, **more)}


def test_the_healthy_curve_of_these_tests_shows_nothing():
    assert told(curve()) == set()


def test_a_gradient_that_explodes_for_good_is_told_and_one_that_is_clipped_is_not():
    peaks = [2.0, 2.0, 340.0, 50.0, 50.0, 50.0, 50.0, 50.0]
    losses = [1.5, 1.2, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9]
    (found,) = (
        d for d in diagnose(curve(gradient_peak=peaks, train_loss=losses), make_recipe("sgd"), 8)
        if d.rule_id == "exploding-gradients"
    )  # fmt: skip
    assert found.evidence == "the norm of a gradient rose from about 1 to 340 in epoch 3"
    clipped = make_recipe("sgd", clip_norm=1.0)
    assert "exploding-gradients" not in told(curve(gradient_peak=peaks, train_loss=losses), clipped)


def test_an_explosion_that_a_run_got_over_is_not_told():
    assert "exploding-gradients" not in told(curve(gradient_peak=[2.0, 2.0, 340.0, 2.0, 2.0, 2.0, 2.0, 2.0]))


def test_steps_that_undo_each_other_swing():
    assert told(curve(gradient_turn=-0.9)) == {"oscillation"}
    assert told(curve(gradient_turn=-0.4)) == set()


def test_validation_loss_that_rises_while_the_metric_gets_better_is_no_overfitting():
    valid = [1.0, 0.8, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2]
    better = [0.5, 0.6, 0.7, 0.75, 0.8, 0.82, 0.83, 0.84]
    assert "overfitting" in told(curve(valid_loss=valid))
    assert "overfitting" not in told(curve(valid_loss=valid, score=better), direction="maximize")
    assert "overfitting" in told(curve(valid_loss=valid, score=[-s for s in better]), direction="maximize")


def test_a_run_that_was_given_up_early_is_not_called_slow_or_stalled():
    early = curve(2, train_loss=[1.99, 1.98], gradient_turn=0.0)
    assert told(early, epochs=20) == set()


def test_a_rate_that_decays_to_nothing_is_no_loss_of_precision():
    rates = [0.1, 0.09, 0.07, 0.05, 0.02, 0.005, 0.001, 0.0001]
    lost = [0.0, 0.0, 0.0, 0.0, 0.0, 0.9, 1.0, 1.0]
    assert "loss-of-precision" not in told(
        curve(learning_rate=rates, lost_updates=lost, train_loss=[1.9] * 8)
    )


def test_epochs_of_old_databases_tell_what_they_can():
    old = [
        EpochReport(0, n, 1 / n, valid, valid) for n, valid in enumerate((1.0, 0.8, 0.9, 1.0, 1.2, 1.4), 1)
    ]
    assert told(old, epochs=6) == {"overfitting"}
    nan = float("nan")
    assert "divergence" in told([EpochReport(0, 1, nan, nan, nan, diverged=True)])


def test_a_run_without_epochs_or_whose_code_raised_shows_nothing():
    assert told([]) == set()
    nan = float("nan")
    assert told([EpochReport(0, 1, nan, nan, nan, failure="ValueError: no")]) == set()


def test_an_optimizer_that_is_not_in_the_catalogue_is_diagnosed_all_the_same():
    assert told(curve(gradient_turn=-0.9), Recipe("mine", {"step": 0.1})) == {"oscillation"}


def test_symptoms_are_counted_the_most_frequent_first():
    swinging, stuck = curve(gradient_turn=-0.9), curve(valid_loss=[1.0, 0.8, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2])
    found = [diagnose(reports, make_recipe("sgd"), 8) for reports in (stuck, swinging, curve(), swinging)]
    assert list(count_symptoms(found).items()) == [("oscillation", 2), ("overfitting", 1)]


def test_every_diagnosis_names_a_rule_that_is_there():
    symptoms = {rule.id for rule in load_rules() if rule.kind == "symptom"}
    assert symptoms == {
        "divergence", "divergence-at-the-start", "exploding-gradients", "rate-too-high", "stall",
        "loss-of-precision", "adagrad-rate-dies", "rate-too-low", "oscillation", "overfitting", "slow-convergence",
    }  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_of_the_catalogue_can_be_diagnosed(optimizer):
    recipe = Recipe(optimizer, dict(reference_settings(OPTIMIZERS[optimizer])))
    assert told(curve(gradient_turn=-0.9, train_loss=[1.99] * 8), recipe) >= {"oscillation"}
