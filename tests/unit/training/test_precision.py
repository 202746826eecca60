"""Automatic mixed precision, on the processor, where bf16 and fp16 can be tried as well."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from autoopt.errors import UsageError
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import BatchLoss
from autoopt.training.precision import check_precision, compute_in
from autoopt.training.serial import serial_cohort
from autoopt.training.trainee import Trainee

from .examples import make_net, make_run, make_task


class Watched(nn.Module):
    """Remembers in which type it computed."""

    seen: list

    def __init__(self):
        super().__init__()
        self.net = make_net()

    def forward(self, x):
        output = self.net(x)
        self.seen.append(output.dtype)
        return output


def train(task, run=None):
    run = run or make_run()
    trainee = Trainee(task, run, "cpu")
    return trainee, [trainee.train_epoch() for _ in range(run.epochs)]


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_the_model_computes_in_the_precision_and_its_weights_stay_as_they_are(precision, dtype):
    Watched.seen = []
    trainee, _ = train(make_task(Watched, precision=precision))
    assert set(Watched.seen) == {dtype}
    assert {p.dtype for p in trainee.parameters} == {torch.float32}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_the_outcome_is_near_that_in_float32(precision):
    (_, plain), (_, narrow) = train(make_task()), train(make_task(precision=precision))
    assert [r.valid_loss for r in narrow] == pytest.approx([r.valid_loss for r in plain], rel=0.02)
    assert [r.valid_loss for r in narrow] != [r.valid_loss for r in plain]


def test_losses_and_outputs_come_out_in_float32():
    task = compute_in(make_task(precision="bf16"), "cpu")
    found = task.batch_loss(make_net(), next(task.train.batches(4)))
    assert (found.loss.dtype, found.output.dtype) == (torch.float32, torch.float32)


def small_gradients(model, batch):
    """A loss whose gradients are too small for fp16 unless they are scaled."""
    output = model(batch[0])
    return BatchLoss(1e-6 * nn.functional.cross_entropy(output, batch[1]), len(batch[1]))


def test_gradients_too_small_for_fp16_are_scaled():
    run = make_run(0, "sgd", settings={"lr": 3e5, "momentum": 0.0, "weight_decay": 0.0})
    plain, narrow = (
        train(make_task(batch_loss=small_gradients, precision=precision), run)[1]
        for precision in ("float32", "fp16")
    )
    assert narrow[-1].valid_loss < 0.95 * narrow[0].valid_loss
    assert narrow[-1].valid_loss == pytest.approx(plain[-1].valid_loss, rel=0.05)
    assert narrow[-1].gradient_norm == pytest.approx(plain[-1].gradient_norm, rel=0.3)


def test_a_step_whose_gradients_overflow_is_left_out():
    def steep(model, batch):
        return BatchLoss(3e3 * nn.functional.cross_entropy(model(batch[0]), batch[1]), len(batch[1]))

    trainee, reports = train(make_task(batch_loss=steep, precision="fp16"), make_run(0, "adam", epochs=1))
    assert torch.isfinite(torch.cat([p.detach().flatten() for p in trainee.parameters])).all()
    assert not reports[0].over
    # 65,536 times the loss overflows; the steps until the scale has come down change nothing
    assert trainee.optimizer.state[trainee.parameters[0]].get("step", 0) < reports[0].steps


def test_an_optimizer_that_takes_gradients_itself_says_that_fp16_is_not_for_it():
    (report,) = serial_cohort(make_task(precision="fp16"), [make_run(0, "lbfgs")]).advance()
    assert report.failure == (
        "lbfgs takes its gradients itself, unscaled, which fp16 does not allow: compute in bf16"
    )


def test_a_precision_that_does_not_exist_is_told_with_those_that_do():
    with pytest.raises(UsageError, match=r"bf16"):
        check_precision("bfloat16", "cpu")
    with pytest.raises(UsageError, match=r"fp16 .* mps: write --precision bf16"):
        check_precision("fp16", "mps")


@pytest.mark.parametrize(
    ("optimizer", "clip"), [("adamw", None), ("adamw", 0.5), ("sgd", 0.5), ("lbfgs", None)]
)
def test_gradients_of_several_batches_make_the_step_of_one_large_batch(optimizer, clip):
    """48 rows in two steps of 24, and a last one of 2."""
    double = {"make_model": lambda: make_net().double()}
    task = make_task(**double)
    task = replace(task, **{
        name: TensorSamples((s.tensors[0].double(), s.tensors[1]))
        for name, s in (("train", task.train), ("valid", task.valid))
    })  # fmt: skip
    shape = {"schedule": "linear", "clip_norm": clip}
    _, parts = train(replace(task, accumulate=3), make_run(0, optimizer, batch_size=8, **shape))
    _, whole = train(task, make_run(0, optimizer, batch_size=24, **shape))
    for part, one in zip(parts, whole, strict=True):
        assert part.steps == one.steps == 3
        assert part.learning_rate == one.learning_rate
        found = [(r.train_loss, r.valid_loss, r.gradient_norm) for r in (part, one)]
        assert found[0] == pytest.approx(found[1], rel=1e-9)
