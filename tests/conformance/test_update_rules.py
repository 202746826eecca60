"""What holds for every update rule: it does what the library's optimizer does; new ones are picked up unnamed."""

import copy
import random
from contextlib import suppress
from importlib import import_module

import numpy as np
import pytest
import torch
from torch import nn

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.rate import learning_rate_factor, reference_settings

RULES = {name: entry for name, entry in OPTIMIZERS.items() if entry.rule is not None}
every_rule = pytest.mark.parametrize("entry", RULES.values(), ids=RULES)
SHAPES = {"matrix": (4, 3), "vector": (5,), "one number": (1,)}
STEPS = 100
KINDS = ["reference", "rate alone", "drawn 1", "drawn 2", "drawn 3"]
WALKS = [(kind, schedule) for kind in KINDS for schedule in ("cosine_restarts", "linear")]
FEW = [("reference", "cosine_restarts"), ("drawn 1", "linear")]  # around a rule that is compared by itself


@pytest.fixture(autouse=True)
def _double():
    """NAdam keeps a product of its own in torch's default type, which must not be the coarser one."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def uncoarsened(monkeypatch):
    """Some libraries round to a coarser type on their way; a rule is the mathematics, so here they do not."""
    cast = torch.Tensor.to

    def to(tensor, *args, **kwargs):
        coarser = args == (torch.float32,) and tensor.dtype == torch.float64
        return tensor if coarser else cast(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "to", to)
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)


def library(entry, parameter, settings):
    module, _, name = entry.target.partition(":")
    return getattr(import_module(module), name)([parameter], **entry.arguments(settings))


def compare(entry, start, gradients, settings, factors, bowl=0.0):
    """Walk rule and library side by side over the gradients; yield both parameters after every step.

    ``bowl`` times the parameter is added to each gradient: what learns from where it has been needs a way down.
    """
    parameter, ours = nn.Parameter(start.clone()), start.clone()
    optimizer, state = library(entry, parameter, settings), entry.rule.init(ours, settings)
    for step, (gradient, factor) in enumerate(zip(gradients, factors, strict=True), 1):
        now = {**settings, "lr": settings["lr"] * factor}
        optimizer.param_groups[0]["lr"] = now["lr"]
        gradient = gradient + bowl * parameter.detach()
        parameter.grad = gradient.clone()
        optimizer.step()
        ours, state = entry.rule.step(ours, gradient.clone(), state, now, step)
        yield ours, parameter.detach()


def draw(hyperparameter, chance):
    if hyperparameter.kind == "bool":
        return chance.random() < 0.7
    if hyperparameter.kind == "int":
        return chance.randint(int(hyperparameter.low), int(hyperparameter.high))
    if hyperparameter.scale == "log":
        return hyperparameter.low * (hyperparameter.high / hyperparameter.low) ** chance.random()
    return chance.uniform(hyperparameter.low, hyperparameter.high)


def settings_of(entry, kind):
    """Reference settings with decay on, drawn ones, or the rate alone: the rest is the library's default."""
    reference = reference_settings(entry)
    if kind == "reference":
        decay = {"weight_decay": 0.01} if "weight_decay" in reference else {}
        return {**reference, **decay}
    if kind == "rate alone":
        return {"lr": reference["lr"]}
    chance = random.Random(f"{entry.name} {kind}")
    drawn = {each.name: draw(each, chance) for each in entry.hyperparameters}
    return {**drawn, "lr": reference["lr"]}


@pytest.mark.parametrize(
    ("entry", "kind", "schedule"),
    [
        pytest.param(entry, *walk, id=f"{' '.join(walk)}-{name}")
        for name, entry in RULES.items()
        for walk in (FEW if entry.around else WALKS)
    ],
)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.usefixtures("uncoarsened")
def test_the_rule_equals_the_library_over_a_hundred_steps(entry, kind, shape, schedule):
    torch.manual_seed(1)
    start, noise = torch.randn(shape), torch.randn(STEPS, *shape)
    drift = torch.linspace(2, -1, STEPS).reshape(-1, *[1] * len(shape))
    factors = [learning_rate_factor(schedule, {"warmup": 0.05}, step, STEPS) for step in range(STEPS)]
    for ours, theirs in compare(entry, start, noise + drift, settings_of(entry, kind), factors, bowl=1.0):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    assert not torch.equal(ours, start)


@every_rule
def test_zero_gradients_without_decay_are_survived(entry):
    settings = reference_settings(entry)
    settings.update({"weight_decay": 0.0} if "weight_decay" in settings else {})
    start = torch.tensor([1.0, -2.0])
    gradients = [torch.zeros(2)] * 3 + [torch.ones(2)] + [torch.zeros(2)] * 3
    for ours, theirs in compare(entry, start, gradients, settings, [1.0] * 7):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
        assert torch.isfinite(ours).all()


@every_rule
@pytest.mark.parametrize("size", [1e-38, 1e-20, 1e15, 1e19, 3e38])
def test_extremes_of_single_precision_give_no_nan_where_the_library_gives_none(entry, size):
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(2)
    start = torch.randn(4, 3)
    gradients = [torch.randn(4, 3).clamp(-1, 1) * size for _ in range(10)]
    with suppress(torch.linalg.LinAlgError):  # infinite curvature has no eigenvectors, says SOAP's library
        for ours, theirs in compare(entry, start, gradients, settings_of(entry, "reference"), [1.0] * 10):
            assert ours.dtype == torch.float32
            assert torch.isfinite(ours[torch.isfinite(theirs)]).all()


@every_rule
def test_a_step_changes_none_of_its_arguments(entry):
    settings, start, gradient = settings_of(entry, "reference"), torch.ones(3, 2), torch.full((3, 2), 0.5)
    state = entry.rule.init(start, settings)
    before = copy.deepcopy(state)
    entry.rule.step(start, gradient, state, settings, 1)
    assert torch.equal(start, torch.ones(3, 2))
    assert torch.equal(gradient, torch.full((3, 2), 0.5))
    torch.testing.assert_close(state, before, rtol=0, atol=0)


@every_rule
def test_a_rule_takes_arrays_as_it_takes_tensors(entry):
    settings = settings_of(entry, "reference")
    chance = np.random.default_rng(3)
    array, gradients = chance.normal(size=(4, 3)), chance.normal(size=(5, 4, 3))
    tensor = torch.from_numpy(array.copy())
    states = entry.rule.init(array, settings), entry.rule.init(tensor, settings)
    for step, gradient in enumerate(gradients, 1):
        array, first = entry.rule.step(array, gradient, states[0], settings, step)
        tensor, second = entry.rule.step(tensor, torch.from_numpy(gradient), states[1], settings, step)
        states = first, second
    np.testing.assert_allclose(array, tensor.numpy(), rtol=1e-12)


def test_every_optimizer_of_the_default_search_has_a_rule():
    assert {name for name, entry in OPTIMIZERS.items() if entry.in_default_search} <= set(RULES)
