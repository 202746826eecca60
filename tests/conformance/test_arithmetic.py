"""What holds for every optimizer whose step is known: weights and state as torch's own step leaves them."""

import copy

import pytest
import torch
from torch import nn

from autoopt.training.arithmetic import ARITHMETIC, FUSED
from autoopt.training.update import FLAT_BELOW, Update

VARIANTS = {
    "SGD": [{"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
            {"lr": 0.1, "momentum": 0.9, "nesterov": True}],
    "AveragedMomentum": [{"lr": 0.1}],
    "NAdam": [{"lr": 1e-2}, {"lr": 1e-2, "decoupled_weight_decay": True, "betas": (0.7, 0.99)}],
    "RAdam": [{"lr": 1e-2}, {"lr": 1e-2, "decoupled_weight_decay": True, "betas": (0.9, 0.8)}],
    "RMSprop": [{"lr": 1e-2}, {"lr": 1e-2, "momentum": 0.9}, {"lr": 1e-2, "momentum": 0.5, "centered": True}],
    "Adagrad": [{"lr": 0.1}, {"lr": 0.1, "lr_decay": 0.01, "initial_accumulator_value": 0.2}],
}  # fmt: skip
CASES = [(kind, settings) for kind in ARITHMETIC for settings in VARIANTS.get(kind.__name__, [{"lr": 1e-2}])]
every_case = pytest.mark.parametrize(
    ("kind", "settings"), CASES, ids=[f"{kind.__name__} {list(s.values())[1:]}" for kind, s in CASES]
)
STEPS = 12


class Net(nn.Module):
    """Matrices, vectors of awkward lengths, a single number, a parameter without dimensions, and one that idles."""

    def __init__(self, width=5):
        super().__init__()
        self.shapes = [(width, 7), (7,), (33, 3), (1,), (), (2, 3, 5)]
        self.weights = nn.ParameterList([torch.randn(shape) for shape in self.shapes])
        self.idle = nn.Parameter(torch.ones(3))


def groups(model):
    """Those of the recipes: biases and the like don't decay."""
    parameters = list(model.parameters())
    return [{"params": [p for p in parameters if p.ndim >= 2]},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}]  # fmt: skip


def walk(kind, settings, model, take_step, missing=lambda step: ()):
    """Take steps with gradients of many sizes, at a rate of its own each; ``missing`` names those without."""
    optimizer = kind(groups(model), **settings, weight_decay=0.05)
    step_by = take_step(optimizer)
    draw = torch.Generator().manual_seed(1)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = settings["lr"] / (1 + step)
        for number, weight in enumerate(model.weights):
            gradient = 10.0 ** (step % 5 - 2) * torch.randn(weight.shape, generator=draw, dtype=torch.float64)
            weight.grad = None if number in missing(step) else gradient.to(weight.dtype)
        step_by(step)
    return optimizer


def own_step(optimizer):
    return lambda step: optimizer.step()


def update(optimizer):
    taking = Update(optimizer)

    def take_step(step):
        taking.take_gradients()
        taking.move()
        if step % 5 == 4:
            taking.rest()

    return take_step


def twins(width=5, dtype=torch.float32):
    torch.manual_seed(0)
    model = Net(width).to(dtype)
    return model, copy.deepcopy(model)


def exactly(kind, dtype=torch.float32):
    """To the last bit; of torch's fused kernels, which round otherwise, to the digits that count."""
    if kind not in FUSED:
        return {"rtol": 0, "atol": 0}
    return {"rtol": 1e-9, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}


def assert_equal(ours, theirs, our_optimizer, their_optimizer, **tolerance):
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, **tolerance)
        assert our_optimizer.state[a].keys() == their_optimizer.state[b].keys()
        for name, value in their_optimizer.state[b].items():
            torch.testing.assert_close(our_optimizer.state[a][name], value, **tolerance)


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_small_models_weights_and_state_are_those_of_torch(kind, settings, dtype):
    ours, theirs = twins(dtype=dtype)
    optimizers = walk(kind, settings, ours, update), walk(kind, settings, theirs, own_step)
    assert_equal(ours, theirs, *optimizers, **exactly(kind, dtype))
    vector = {w.untyped_storage().data_ptr() for w in ours.weights}
    assert len(vector) == 1, "the parameters lie in one vector"


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_large_models_weights_and_state_are_those_of_torch(kind, settings, dtype):
    ours, theirs = twins(FLAT_BELOW // 7 + 1, dtype)
    optimizers = walk(kind, settings, ours, update), walk(kind, settings, theirs, own_step)
    assert_equal(ours, theirs, *optimizers, **exactly(kind, dtype))


@every_case
@pytest.mark.parametrize("missing", [lambda step: (1, 3) if step == 4 else (), lambda step: (step % 3,)],
                         ids=["once", "always another"])  # fmt: skip
def test_parameters_without_a_gradient_are_left_alone_as_torch_does(kind, settings, missing):
    ours, theirs = twins()
    optimizers = (
        walk(kind, settings, ours, update, missing),
        walk(kind, settings, theirs, own_step, missing),
    )
    assert_equal(ours, theirs, *optimizers, **exactly(kind))


@every_case
def test_torchs_own_step_goes_on_from_the_state_at_any_time(kind, settings):
    def half(optimizer):
        ours, theirs = update(optimizer), own_step(optimizer)
        return lambda step: (ours if step < 6 else theirs)(step)

    ours, theirs = twins()
    optimizers = walk(kind, settings, ours, half), walk(kind, settings, theirs, own_step)
    assert_equal(ours, theirs, *optimizers, **exactly(kind))


@every_case
def test_infinite_and_nan_gradients_do_what_they_do_in_torch(kind, settings):
    def spoilt(take):
        def begin(optimizer):
            step_by = take(optimizer)

            def take_step(step):
                if step == 6:
                    optimizer.param_groups[0]["params"][0].grad[0, :2] = torch.tensor([torch.inf, torch.nan])
                step_by(step)

            return take_step

        return begin

    ours, theirs = twins()
    optimizers = walk(kind, settings, ours, spoilt(update)), walk(kind, settings, theirs, spoilt(own_step))
    assert_equal(ours, theirs, *optimizers, **exactly(kind), equal_nan=True)
