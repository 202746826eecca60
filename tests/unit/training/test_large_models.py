"""What large models bring along passes through training untouched: frozen and loaded weights, checkpointing, compiled code."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from autoopt.training.serial import serial_cohort
from autoopt.training.trainee import Trainee

from .examples import INPUTS, make_net, make_run, make_task

LOADED = make_net()
for parameter in LOADED.parameters():
    nn.init.constant_(parameter, 0.1)
nn.init.normal_(LOADED[3].weight, generator=torch.Generator().manual_seed(0))


def pretrained(frozen=False):
    net = make_net()
    net.load_state_dict(copy.deepcopy(LOADED.state_dict()))
    net[0].requires_grad_(not frozen)
    return net


class Checkpointed(nn.Module):
    """The same net, which computes its middle again in the backward pass."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.net = make_net(dropout)

    def forward(self, x):
        return checkpoint(self.net, x, use_reentrant=False)


def train(make_model, optimizer="adamw", **changes):
    run = make_run(0, optimizer, **changes)
    trainee = Trainee(make_task(make_model), run, "cpu")
    return trainee, [trainee.train_epoch() for _ in range(run.epochs)]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop", "lbfgs"])
def test_frozen_weights_stay_and_the_others_move(optimizer):
    trainee, _ = train(lambda: pretrained(frozen=True), optimizer)
    assert torch.equal(trainee.model[0].weight, LOADED[0].weight)
    assert not torch.equal(trainee.model[3].weight, LOADED[3].weight)
    assert all(p.grad is None for p in trainee.model[0].parameters())


def test_training_starts_from_the_weights_that_the_model_brings():
    still = {"settings": {"lr": 0.0, "weight_decay": 0.0}}
    trainee, _ = train(pretrained, **still)
    for ours, loaded in zip(trainee.model.parameters(), LOADED.parameters(), strict=True):
        assert torch.equal(ours, loaded)


def test_runs_that_share_loaded_weights_do_not_train_each_others():
    task = make_task(pretrained)
    cohort = serial_cohort(task, [make_run(n, "sgd", seed=n) for n in range(2)])
    while cohort.runs:
        list(cohort.advance())
    assert torch.equal(LOADED[0].weight, torch.full_like(LOADED[0].weight, 0.1))


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_checkpointing_gives_the_same_training(dropout):
    plain = train(lambda: make_net(dropout))[1]
    checkpointed = train(lambda: Checkpointed(dropout))[1]
    assert [r.valid_loss for r in checkpointed] == pytest.approx([r.valid_loss for r in plain], rel=1e-6)


def test_compiled_models_give_the_same_training():
    """Compiled to the graph alone, which needs no compiler of the machine's."""
    torch._dynamo.reset()
    plain = train(make_net)[1]
    compiled = train(lambda: torch.compile(make_net(), backend="eager"))[1]
    assert [r.valid_loss for r in compiled] == pytest.approx([r.valid_loss for r in plain], rel=1e-6)


def test_code_is_compiled_once_for_all_steps_of_a_run():
    torch._dynamo.reset()
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph.forward

    train(lambda: torch.compile(make_net(), backend=count, dynamic=True), epochs=4)
    # in training and in evaluation, and for a single shape before shapes are taken as they come
    assert len(graphs) <= 4


def test_a_model_that_does_not_train_at_all_says_so():
    (report,) = serial_cohort(
        make_task(lambda: nn.Linear(INPUTS, 3).requires_grad_(False)), [make_run()]
    ).advance()
    assert "no parameter with requires_grad=True" in report.failure
