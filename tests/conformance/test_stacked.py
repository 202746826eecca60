"""What holds for every row of a stack: it reports what its run reports by itself. New optimizers join unnamed."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.rate import reference_settings
from autoopt.recipe import Recipe
from autoopt.run import EpochReport, Run
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import BatchLoss, Metric, Task
from autoopt.training.replay import replay_cohort
from autoopt.training.serial import serial_cohort
from autoopt.training.stack.stackable import refuse_recipe
from autoopt.training.stacked import stacked_cohort

STACKABLE = [name for name in OPTIMIZERS if refuse_recipe(Recipe(name, {"lr": 0.1})) is None]
EPOCHS = 4
COARSE = {"gradient_median", "gradient_peak"}  # a run of its own reads norms in 32 bits


@pytest.fixture
def _double() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


double = pytest.mark.usefixtures("_double")


def net(*extra: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), *extra, nn.Linear(8, 3))


def with_batch_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8, bias=False), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3))


def batch_loss(model: nn.Module, batch: Any) -> BatchLoss:
    X, y = batch
    output = model(X)
    return BatchLoss(nn.functional.cross_entropy(output, y), len(y), output, y)


class Hits:
    """Counts what an accuracy needs."""

    def __init__(self) -> None:
        self.hits = self.rows = 0

    def update(self, output: Tensor, target: Tensor) -> None:
        self.hits += int((output.argmax(1) == target).sum())
        self.rows += len(target)

    def compute(self) -> float:
        return self.hits / self.rows


def samples(rows: int, seed: int) -> TensorSamples:
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(rows, 5, generator=generator)
    return TensorSamples((X, (X[:, 0] * 2).round().long() % 3))


def task(make_model: Any = net, **changes: Any) -> Task:
    given = {"train": samples(70, 0), "valid": samples(30, 1), "batch_loss": batch_loss, "batch_size": 16}
    return Task("small", make_model, epochs=EPOCHS, **{**given, **changes})


def recipe(name: str, schedule: str = "cosine", **changes: Any) -> Recipe:
    settings = reference_settings(OPTIMIZERS[name])
    if "weight_decay" in settings:
        settings["weight_decay"] = 0.05
    return Recipe(name, settings, schedule, {} if schedule == "plateau" else {"warmup": 0.1}, **changes)


def train(cohort: Any) -> list[EpochReport]:
    reports: list[EpochReport] = []
    while cohort.runs:
        reports += list(cohort.advance())
    return reports


def numbers(reports: Sequence[EpochReport]) -> list[str]:
    return sorted(str({**asdict(report), "seconds": 0}) for report in reports)


def assert_same(mine: Sequence[EpochReport], theirs: Sequence[EpochReport], tolerance: float = 1e-9) -> None:
    assert len(mine) == len(theirs)
    for one, other in zip(mine, theirs, strict=True):
        for name in (field.name for field in fields(one) if field.name not in {"seconds", "lost_updates"}):
            a, b = getattr(one, name), getattr(other, name)
            near = max(tolerance, 1e-6) if name in COARSE else tolerance
            both = isinstance(a, float) and isinstance(b, float)
            same = both and (
                math.isclose(a, b, rel_tol=near, abs_tol=near) or (math.isnan(a) and math.isnan(b))
            )
            assert a == b or same, f"run {one.run_id}, epoch {one.epoch}, {name}: {a} stacked, {b} alone"


def compare(some_task: Task, runs: Sequence[Run], tolerance: float = 1e-9, **how: Any) -> Any:
    cohort = stacked_cohort(some_task, runs, **how)
    first = list(cohort.advance())
    assert len(cohort.stacked) == len(cohort.runs), cohort.refusal
    assert_same([*first, *train(cohort)], train(serial_cohort(some_task, runs)), tolerance)
    return cohort


@double
def test_every_optimizer_equals_its_serial_run() -> None:
    runs = [Run(k, recipe(name), seed=3, epochs=EPOCHS, rungs=(1, 2)) for k, name in enumerate(STACKABLE)]
    compare(task(), runs, rows=len(runs))


def test_the_default_search_can_be_stacked() -> None:
    assert {name for name, entry in OPTIMIZERS.items() if entry.in_default_search} <= set(STACKABLE)


@double
def test_every_schedule_equals_its_serial_run() -> None:
    runs = [Run(k, recipe("adamw", name), seed=3, epochs=EPOCHS) for k, name in enumerate(SCHEDULES)]
    compare(task(), runs)


@double
def test_reference_settings_without_decay_and_the_rate_alone_do_too() -> None:
    bare = [Recipe(name, {"lr": reference_settings(OPTIMIZERS[name])["lr"]}) for name in STACKABLE]
    plain = [Recipe(name, reference_settings(OPTIMIZERS[name]), "linear") for name in STACKABLE]
    runs = [Run(k, each, seed=3, epochs=2) for k, each in enumerate([*bare, *plain])]
    compare(task(), runs, rows=len(runs))


@double
def test_clipping_is_each_rows_own() -> None:
    limits = [{}, {"clip_norm": 0.05}, {"clip_norm": 1.0}, {"clip_value": 0.01}, {"clip_value": 0.2}]
    runs = [Run(k, recipe("sgd", **limit), seed=3, epochs=2) for k, limit in enumerate(limits)]
    compare(task(), runs)


@double
def test_decay_spares_biases_unless_the_recipe_has_it_act_on_all() -> None:
    kinds = [
        (name, everywhere) for name in ("sgd", "adamw", "adadelta", "lion") for everywhere in (False, True)
    ]
    runs = [Run(k, recipe(name, decay_all=all_), seed=3, epochs=2) for k, (name, all_) in enumerate(kinds)]
    reports = train(stacked_cohort(task(), runs))
    assert reports[0].train_loss != reports[1].train_loss
    compare(task(), runs)


@double
def test_rows_of_other_seeds_have_their_own_weights_and_order() -> None:
    runs = [Run(k, recipe("adam"), seed=k, epochs=2) for k in range(4)]
    compare(task(), runs)


@double
def test_batch_statistics_are_each_rows_own() -> None:
    runs = [Run(k, recipe(name), seed=k % 2, epochs=3) for k, name in enumerate(("sgd", "adam", "adadelta"))]
    compare(task(with_batch_norm, has_batch_norm=True), runs)


@double
def test_dropout_is_that_of_the_serial_run() -> None:
    runs = [Run(k, recipe(name), seed=k % 2, epochs=3, rungs=(1,)) for k, name in enumerate(STACKABLE[:6])]
    compare(task(lambda: net(nn.Dropout(0.4))), runs)


class Counting(nn.Module):
    """Has a buffer that it replaces, one that it writes to, and a frozen weight."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = net()
        self.register_buffer("mean", torch.zeros(5))
        self.register_buffer("calls", torch.tensor(0))
        self.frozen = nn.Parameter(torch.randn(5), requires_grad=False)

    def forward(self, X: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * X.detach().mean(0)
            self.calls += 1
        return self.inner((X - self.mean) * self.frozen + self.calls / 100)


@double
def test_buffers_that_are_replaced_or_written_to_are_kept() -> None:
    compare(task(Counting), [Run(k, recipe("adam"), seed=k, epochs=3) for k in range(3)])


@double
def test_the_metric_is_each_rows_own() -> None:
    metric = Metric("accuracy", "maximize", Hits)
    runs = [Run(k, recipe(name), seed=3, epochs=3, rungs=(1, 2)) for k, name in enumerate(STACKABLE[:4])]
    cohort = compare(task(metric=metric, objective="accuracy", direction="maximize"), runs)
    assert cohort.refusal is None


@double
def test_a_row_that_joins_late_equals_its_serial_run() -> None:
    runs = [
        Run(k, recipe(name), seed=3, epochs=3) for k, name in enumerate(("sgd", "adamw", "nadam", "adadelta"))
    ]
    cohort = stacked_cohort(task(), runs[:2])
    reports = list(cohort.advance())
    cohort.add(runs[2:])
    reports += train(cohort)
    theirs = {(r.run_id, r.epoch): r for r in train(serial_cohort(task(), runs))}
    assert_same(reports, [theirs[r.run_id, r.epoch] for r in reports])


@pytest.mark.parametrize("rows", [16, 17, 30, 48, 64])
@double
def test_epochs_of_one_step_and_of_few_are_observed_alike(rows: int) -> None:
    runs = [Run(k, recipe(name), seed=3, epochs=4) for k, name in enumerate(("sgd", "adamw"))]
    compare(task(train=samples(rows, 0)), runs)


@double
def test_thirty_two_bits_agree_in_outcome() -> None:
    torch.set_default_dtype(torch.float32)
    runs = [Run(k, recipe(name), seed=3, epochs=EPOCHS) for k, name in enumerate(STACKABLE) if name != "lion"]
    compare(task(), runs, tolerance=2e-3)


# What follows holds to the last bit, so that a study that carries on does the same with fewer rows beside each other.

MIXED = [Run(k, recipe(name), seed=3, epochs=3, rungs=(1,)) for k, name in enumerate(("sgd", "adamw", "adadelta", "radam",
                                                                                     "adagrad", "sgd", "rmsprop"))]  # fmt: skip


@pytest.mark.parametrize("rows", [1, 2, 3, 16])
def test_a_row_does_the_same_in_any_company(rows: int) -> None:
    together = train(stacked_cohort(task(), MIXED, rows=7))
    assert numbers(train(stacked_cohort(task(), MIXED, rows=rows))) == numbers(together)


def test_dropped_rows_and_rows_that_wait_change_nothing_for_the_others() -> None:
    undisturbed = train(stacked_cohort(task(), MIXED))
    cohort = stacked_cohort(task(), MIXED)
    reports = [*cohort.advance(), *cohort.advance([2, 4])]
    cohort.keep([2, 3, 4])
    reports += train(cohort)
    expected = [r for r in undisturbed if r.epoch == 1 or r.run_id in (2, 3, 4)]
    assert numbers(reports) == numbers(expected)


@pytest.mark.parametrize("rate", [1e8, 1e20, 1e38])
def test_a_row_that_diverges_changes_nothing_for_the_others(rate: float) -> None:
    wild = [
        Run(99, Recipe("sgd", {"lr": rate}), seed=3, epochs=3),
        Run(98, Recipe("adadelta", {"lr": rate}), 3, 3),
    ]
    alone = train(stacked_cohort(task(), MIXED))
    beside = train(stacked_cohort(task(), [*MIXED[:3], *wild, *MIXED[3:]]))
    assert any(r.diverged for r in beside if r.run_id == 99)
    assert numbers([r for r in beside if r.run_id < 98]) == numbers(alone)


def test_a_study_that_carries_on_gets_the_same_rows() -> None:
    undisturbed = train(stacked_cohort(task(), MIXED))
    recorded = {run.id: [r for r in undisturbed if r.run_id == run.id][: run.id % 3] for run in MIXED}
    again = train(replay_cohort(MIXED, recorded, lambda left: stacked_cohort(task(), left)))
    assert numbers(again) == numbers(undisturbed)


# What is no row is trained by itself, behind the same door.


def test_runs_that_cannot_be_stacked_are_trained_beside_the_stack() -> None:
    runs = [*MIXED[:2], Run(7, recipe("lbfgs", "constant"), 3, 3), Run(8, recipe("muon"), 3, 3), MIXED[3]]
    cohort = stacked_cohort(task(), runs)
    reports = list(cohort.advance())
    assert cohort.stacked == [0, 1, 3]
    assert [r.run_id for r in reports] == [0, 1, 7, 8, 3]
    alone = [r for r in train(serial_cohort(task(), runs[2:4])) if r.epoch == 1]
    assert numbers(reports[2:4]) == numbers(alone)


def test_a_recipe_that_fails_is_reported_as_the_serial_cohort_does() -> None:
    bad = Run(9, Recipe("adamw", {"lr": -1.0}), seed=3, epochs=3)
    (mine,), (theirs,) = (
        list(stacked_cohort(task(), [bad]).advance()),
        list(serial_cohort(task(), [bad]).advance()),
    )
    assert mine.failure is not None
    assert mine.failure == theirs.failure


def test_what_raises_in_a_stack_goes_on_by_itself() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net()

        def forward(self, X: Tensor) -> Tensor:
            output: Tensor = self.inner(X)
            return (
                output * 2 if output.mean() > 0 else output
            )  # a branch on a number, which rows cannot share

    cohort = stacked_cohort(task(Branching), MIXED[:3])
    reports = train(cohort)
    assert not cohort.stacked
    assert numbers(reports) == numbers(train(serial_cohort(task(Branching), MIXED[:3])))


@double
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling needs a C++ compiler")
@pytest.mark.filterwarnings("default")
def test_compiled_rows_equal_their_serial_runs_with_idle_rows_beside_them() -> None:
    names = ("sgd", "adamw", "radam", "adadelta", "nadam")
    limits: tuple[dict[str, float], ...] = ({}, {"clip_norm": 0.5}, {}, {}, {})
    runs = [
        Run(k, recipe(name, **limit), seed=3, epochs=3, rungs=(1,))
        for k, (name, limit) in enumerate(zip(names, limits, strict=True))
    ]
    compare(task(), runs, rows=8, compiled=True)
