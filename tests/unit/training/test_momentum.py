"""AveragedMomentum: what it equals, what it does not, and what it refuses."""

import pytest
import torch

from autoopt.training.momentum import AveragedMomentum


def _walk(make, steps: int = 20) -> torch.Tensor:
    torch.manual_seed(0)
    point = torch.nn.Parameter(torch.randn(5, dtype=torch.float64))
    optimizer = make([point])
    for step in range(steps):
        optimizer.zero_grad()
        (point - step % 3).square().sum().backward()
        optimizer.step()
    return point.detach()


def test_it_equals_heavy_ball_momentum_at_the_averaged_rate() -> None:
    ours = _walk(lambda points: AveragedMomentum(points, lr=0.2, momentum=0.9, weight_decay=0.01))
    heavy = _walk(lambda points: torch.optim.SGD(points, lr=0.02, momentum=0.9, weight_decay=0.01))
    torch.testing.assert_close(ours, heavy, rtol=1e-12, atol=1e-12)


def test_dampening_of_torch_is_something_else_for_its_first_gradient_counts_whole() -> None:
    ours = _walk(lambda points: AveragedMomentum(points, lr=0.2, momentum=0.9))
    damped = _walk(lambda points: torch.optim.SGD(points, lr=0.2, momentum=0.9, dampening=0.9))
    assert (ours - damped).abs().max() > 0.01


def test_a_closure_gives_the_loss() -> None:
    point = torch.nn.Parameter(torch.tensor([2.0]))
    optimizer = AveragedMomentum([point], lr=0.5, momentum=0.0)

    def closure() -> float:
        optimizer.zero_grad()
        loss = point.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert point.item() == 0.0


@pytest.mark.parametrize(
    "wrong", [{"lr": -1.0}, {"momentum": 1.0}, {"weight_decay": -0.1}, {"lr": float("nan")}]
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Invalid"):
        AveragedMomentum([torch.nn.Parameter(torch.ones(1))], **wrong)
