"""On a GPU, where there is one: training there gives what training on the processor gives. scripts/check_gpu runs them."""

from dataclasses import replace

import pytest
import torch

from autoopt.catalogue import OPTIMIZERS
from autoopt.recipe import Recipe
from autoopt.run import Run
from autoopt.tasks.samples import TensorSamples
from autoopt.training.cohort import Cohort
from autoopt.training.holding import hold_data
from autoopt.training.needs import measure_needs
from autoopt.training.serial import serial_cohort
from autoopt.training.stacked import stacked_cohort
from studies.bench_training.workloads import WORKLOADS, task_of

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
FAMILIES = [name for name, e in OPTIMIZERS.items() if e.in_default_search]
ADAMW = Recipe("adamw", {"lr": 1e-3, "weight_decay": 0.01}, "cosine")


def train(cohort: Cohort) -> dict[int, list[float]]:
    """Return the validation losses of each run by epoch."""
    losses: dict[int, list[float]] = {}
    while cohort.runs:
        for report in cohort.advance():
            assert report.failure is None, report.failure
            losses.setdefault(report.run_id, []).append(report.valid_loss)
    return losses


def double(name):
    task = task_of(name)

    def wide(samples):
        return replace(
            samples, tensors=tuple(t.double() if t.is_floating_point() else t for t in samples.tensors)
        )

    make = task.make_model
    return replace(task, make_model=lambda: make().double(), train=wide(task.train), valid=wide(task.valid))


@pytest.mark.parametrize("optimizer", FAMILIES)
def test_a_run_on_the_gpu_is_that_on_the_processor(optimizer):
    run = Run(0, Recipe(optimizer, {"lr": 1e-3}, "cosine"), seed=0, epochs=3)
    task = double("digits_mlp")
    found, expected = (train(serial_cohort(task, [run], device))[0] for device in ("cuda", "cpu"))
    assert found == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_workload_ends_alike(workload):
    run = Run(0, ADAMW, seed=0, epochs=2)
    found, expected = (
        train(serial_cohort(task_of(workload), [run], device))[0] for device in ("cuda", "cpu")
    )
    assert found == pytest.approx(expected, rel=0.02)


def test_stacked_rows_are_serial_runs():
    runs = [Run(n, replace(ADAMW, settings={"lr": 1e-3 * 2**n}), seed=n, epochs=3) for n in range(4)]
    task = double("digits_mlp")
    stacked, serial = (train(start(task, runs, "cuda")) for start in (stacked_cohort, serial_cohort))
    for run in runs:
        assert stacked[run.id] == pytest.approx(serial[run.id], rel=1e-7)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_ends_near_float32(precision):
    run = Run(0, ADAMW, seed=0, epochs=3)
    task = task_of("digits_mlp")
    found, expected = (
        train(serial_cohort(replace(task, precision=each), [run], "cuda"))[0]
        for each in (precision, "float32")
    )
    assert found == pytest.approx(expected, rel=0.05)


def test_data_lie_on_the_gpu_and_give_the_same_batches():
    task = task_of("digits_mlp")
    held = hold_data(task, "cuda")
    assert isinstance(held.train, TensorSamples)
    assert held.train.tensors[0].is_cuda
    for ours, theirs in zip(
        held.train.batches(64, shuffle_seed=1), task.train.batches(64, shuffle_seed=1), strict=True
    ):
        assert torch.equal(ours[0].cpu(), theirs[0])


def test_a_batch_too_large_for_the_gpu_is_told_with_advice():
    task = task_of("digits_mlp")

    def huge(model, batch):
        torch.empty(2**50, device="cuda")

    assert not measure_needs(replace(task, batch_loss=huge), ADAMW, "cuda").fits
    (report,) = serial_cohort(replace(task, batch_loss=huge), [Run(0, ADAMW, 0, 1)], "cuda").advance()
    assert "--accumulate 2" in report.failure
