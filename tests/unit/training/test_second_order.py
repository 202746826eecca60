"""BFGS, L-BFGS and Newton against SciPy and known solutions; the closures that the loop gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess
from torch import nn
from torch.optim import LBFGS

from autoopt.errors import SpaceError
from autoopt.recipe import Recipe
from autoopt.tasks.task import BatchLoss, Task
from autoopt.training.build import build_optimizer
from autoopt.training.parking import Parking
from autoopt.training.second_order import BFGS, Newton
from autoopt.training.trainee import Trainee

from .examples import cross_entropy, make_net, make_rows, make_run, make_task

START = [1.3, 0.7, 0.8, 1.9]
ROWS = make_rows(150, dtype=torch.float64)
DOUBLE: dict[str, Any] = {"train": ROWS, "valid": ROWS, "batch_size": 10}


def _rosenbrock(x: torch.Tensor) -> torch.Tensor:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def _step(optimizer: Any, loss: Any) -> float:
    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        found = loss()
        found.backward()
        return found

    found = optimizer.step(loss if isinstance(optimizer, Newton) else closure)
    return float(torch.as_tensor(found).detach())


@pytest.mark.parametrize(
    "make", [lambda p: BFGS(p, max_iter=20), lambda p: LBFGS(p, line_search_fn="strong_wolfe")]
)
def test_quasi_newton_finds_the_minimum_of_rosenbrock_as_scipy_does(make: Any) -> None:
    point = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = make([point])
    losses = [_step(optimizer, lambda: _rosenbrock(point)) for _ in range(8)]
    theirs = minimize(rosen, START, jac=rosen_der, method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(point.detach().numpy(), theirs.x, atol=1e-5)
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == pytest.approx(rosen(START))


def test_bfgs_learns_the_inverse_of_the_hessian() -> None:
    point = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = BFGS([point], max_iter=20)
    for _ in range(8):
        _step(optimizer, lambda: _rosenbrock(point))
    exact = np.linalg.inv(rosen_hess(np.ones(4)))
    np.testing.assert_allclose(optimizer.state[point]["inverse_hessian"].numpy(), exact, rtol=0.1, atol=0.02)


def test_newton_converges_quadratically_on_rosenbrock() -> None:
    point = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = Newton([point])
    losses = [_step(optimizer, lambda: _rosenbrock(point)) for _ in range(60)]
    assert losses == sorted(losses, reverse=True)
    np.testing.assert_allclose(point.detach().numpy(), np.ones(4), atol=1e-9)


def test_newton_solves_a_quadratic_in_one_step() -> None:
    torch.manual_seed(0)
    root, target = torch.randn(5, 5, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    matrix = root @ root.T + torch.eye(5, dtype=torch.float64)
    point = nn.Parameter(torch.zeros(5, dtype=torch.float64))
    optimizer = Newton([point], damping=1e-12)
    _step(optimizer, lambda: point @ matrix @ point / 2 - target @ point)
    torch.testing.assert_close(point.detach(), torch.linalg.solve(matrix, target))


def test_newton_descends_where_the_curvature_is_negative() -> None:
    point = nn.Parameter(torch.tensor([0.1, 0.1], dtype=torch.float64))
    optimizer = Newton([point])

    def saddle() -> torch.Tensor:
        return point[0] ** 2 - point[1] ** 2 + point[1] ** 4

    losses = [_step(optimizer, saddle) for _ in range(30)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(-0.25, abs=1e-9)


def test_newton_adds_parts_of_a_loss_up() -> None:
    points = [nn.Parameter(torch.tensor(START, dtype=torch.float64)) for _ in range(2)]
    whole, parted = Newton([points[0]]), Newton([points[1]])
    for _ in range(3):
        whole.step(lambda: _rosenbrock(points[0]))
        parted.step(lambda: [_rosenbrock(points[1][:3]), _rosenbrock(points[1][2:])])
    torch.testing.assert_close(points[0], points[1])


@pytest.mark.parametrize("kind", [BFGS, Newton])
def test_zero_gradients_and_broken_losses_are_survived(kind: Any) -> None:
    point = nn.Parameter(torch.ones(3))
    optimizer = kind([point])
    _step(optimizer, lambda: (point * 0).sum())
    assert torch.equal(point, torch.ones(3))
    _step(optimizer, lambda: (point * torch.nan).sum())
    assert torch.equal(point, torch.ones(3))


@pytest.mark.parametrize("kind", [BFGS, Newton])
def test_numbers_that_make_no_sense_and_groups_are_refused(kind: Any) -> None:
    for wrong in ({"lr": -1.0}, {"max_iter": 0} if kind is BFGS else {"damping": 0.0}):
        with pytest.raises(ValueError, match="Invalid"):
            kind([nn.Parameter(torch.ones(1))], **wrong)
    with pytest.raises(ValueError, match="parameter groups"):
        kind([{"params": [nn.Parameter(torch.ones(1))]}, {"params": [nn.Parameter(torch.ones(1))]}])


def _logistic() -> nn.Module:
    return nn.Linear(6, 3).double()


@pytest.mark.parametrize("optimizer", ["lbfgs", "bfgs", "newton"])
def test_the_loop_takes_logistic_regression_to_the_minimum_that_scipy_finds(optimizer: str) -> None:
    def penalised(model: nn.Module, batch: Any) -> BatchLoss:
        found, squares = cross_entropy(model, batch), sum(p.square().sum() for p in model.parameters())
        return BatchLoss(found.loss + 0.01 * squares, found.rows)

    task = make_task(_logistic, batch_loss=penalised, **DOUBLE)
    run = make_run(0, optimizer, epochs=12, batch_size="whole")
    trainee = Trainee(task, run, "cpu")
    reports = [trainee.train_epoch() for _ in range(12)]

    def value(flat: Any) -> tuple[float, Any]:
        model = _logistic()
        nn.utils.vector_to_parameters(torch.from_numpy(flat), model.parameters())
        loss = penalised(model, ROWS.tensors).loss
        loss.backward()
        return loss.item(), nn.utils.parameters_to_vector([p.grad for p in model.parameters()]).numpy()

    best = minimize(value, np.zeros(21), jac=True, method="BFGS", options={"gtol": 1e-10})
    assert reports[-1].valid_loss == pytest.approx(best.fun, rel=1e-8)
    # the reported loss is that before the step, once, however often it was evaluated
    assert reports[1].train_loss == pytest.approx(reports[0].valid_loss, rel=1e-9)


@pytest.mark.parametrize("optimizer", ["lbfgs", "bfgs", "newton"])
def test_dropout_is_the_same_at_every_evaluation_of_a_step(optimizer: str) -> None:
    masks: list[torch.Tensor] = []

    def watched(model: nn.Module, batch: Any) -> BatchLoss:
        if model.training:
            masks.append(torch.rand(3))
        return cross_entropy(model, batch)

    task = make_task(
        lambda: make_net(dropout=0.5).double(), batch_loss=watched, **{**DOUBLE, "batch_size": 50}
    )
    trainee = Trainee(task, make_run(0, optimizer, batch_size="whole"), "cpu")
    trainee.train_epoch()
    first = len(masks)
    trainee.train_epoch()
    assert first > 1
    assert all(torch.equal(mask, masks[0]) for mask in masks[:first])
    assert not torch.equal(masks[first], masks[0])


@pytest.mark.parametrize("optimizer", ["lbfgs", "bfgs", "newton"])
def test_waiting_in_a_file_changes_nothing(optimizer: str) -> None:
    task, run = make_task(lambda: make_net().double(), **DOUBLE), make_run(0, optimizer, batch_size="whole")
    plain = Trainee(task, run, "cpu")
    expected = [plain.train_epoch().valid_loss for _ in range(3)]
    parking, parked, losses = Parking("cpu", 0), Trainee(task, run, "cpu"), []
    for _ in range(3):
        losses.append(parked.train_epoch().valid_loss)
        parking.put(parked)
        assert parking.in_files == [0]
        parked = parking.take(0)
    assert losses == expected


@pytest.mark.parametrize("optimizer", ["bfgs", "newton"])
def test_a_model_of_too_many_parameters_is_refused_with_both_numbers(optimizer: str) -> None:
    with pytest.raises(SpaceError, match=rf"{optimizer} keeps a matrix .* at most \d,000 .* trains 10,100"):
        build_optimizer(nn.Linear(100, 100), Recipe(optimizer, {"lr": 1.0}))


def test_clipping_goes_on_inside_the_closure() -> None:
    def run(**clipping: float) -> Task:
        trainee = Trainee(make_task(lambda: make_net().double(), **DOUBLE),
                          make_run(0, "bfgs", batch_size="whole", **clipping), "cpu")  # fmt: skip
        return trainee.train_epoch()

    free, clipped = run(), run(clip_norm=1e-3)
    assert clipped.gradient_norm == pytest.approx(free.gradient_norm)
    assert clipped.valid_loss != free.valid_loss
