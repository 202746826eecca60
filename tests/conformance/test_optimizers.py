"""What holds for every optimizer of the catalogue; a new entry is picked up without being named."""

from importlib import import_module

import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from autoopt.catalogue import OPTIMIZERS
from autoopt.catalogue.hyperparameters import RELATIVE_RATES
from autoopt.catalogue.rate import learning_rate_factor, reference_settings
from autoopt.training.parking import tensors_in

every_optimizer = pytest.mark.parametrize("entry", OPTIMIZERS.values(), ids=OPTIMIZERS)


def target(entry):
    module, name = entry.target.split(":")
    return getattr(import_module(module), name)


def build(entry, settings, parameters=None):
    parameters = [nn.Parameter(torch.ones(4, 3))] if parameters is None else parameters
    return target(entry)(parameters, **entry.arguments(settings))


def suit(entry, parameter):
    """Make the gradient sparse where the optimizer takes no other."""
    if "sparse_gradients" in entry.needs and not parameter.grad.is_sparse:
        parameter.grad = parameter.grad.to_sparse()


def take_step(entry, optimizer, loss):
    """Take a step as the training loop does; return the loss before it."""
    seen = []

    def closure():
        optimizer.zero_grad()
        seen.append(loss())
        seen[-1].backward()
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                suit(entry, parameter)
        return seen[-1].detach()

    if "second_derivatives" in entry.needs:
        return optimizer.step(loss)
    optimizer.step(closure) if "closure" in entry.needs else (closure(), optimizer.step())
    return seen[0].item()


def take_sparse_step(entry, settings):
    embedding = nn.Embedding(5, 3, sparse=True)
    optimizer = build(entry, settings, embedding.parameters())
    with torch.sparse.check_sparse_tensor_invariants(enable=False):
        for _ in range(2):
            take_step(entry, optimizer, lambda: embedding(torch.tensor([1, 2])).square().sum())


@every_optimizer
def test_an_optimizer_is_filed_under_its_own_name_and_says_what_it_is(entry):
    assert OPTIMIZERS[entry.name] is entry
    assert entry.name == entry.name.lower()
    assert entry.title
    assert entry.says
    assert entry.references
    assert entry.formula.count("{") == entry.formula.count("}")
    assert r"\eta" in entry.formula


@every_optimizer
def test_the_learning_rate_comes_first_and_its_range_is_what_the_space_searches(entry):
    lr = entry.hyperparameters[0]
    assert lr.name == "lr"
    assert (lr.low, lr.high) == pytest.approx([lr.reference * multiple for multiple in RELATIVE_RATES])


@every_optimizer
def test_every_range_holds_its_reference_and_says_where_it_comes_from(entry):
    for hyperparameter in entry.hyperparameters:
        assert hyperparameter.says, hyperparameter.name
        if hyperparameter.kind in ("float", "int"):
            zero = hyperparameter.or_zero and hyperparameter.reference == 0
            assert zero or hyperparameter.low <= hyperparameter.reference <= hyperparameter.high
            assert hyperparameter.low < hyperparameter.high
            assert hyperparameter.scale != "log" or hyperparameter.low > 0
            assert hyperparameter.scale != "one_minus_log" or hyperparameter.high < 1


@every_optimizer
def test_the_target_is_built_with_reference_settings(entry):
    settings = reference_settings(entry)
    optimizer = build(entry, settings)
    assert optimizer.defaults["lr"] == settings["lr"] > 0


@every_optimizer
@pytest.mark.parametrize("end", ["low", "high"])
def test_the_target_accepts_both_ends_of_every_range(entry, end):
    settings = reference_settings(entry)
    for hyperparameter in entry.hyperparameters:
        if hyperparameter.kind in ("float", "int"):
            settings[hyperparameter.name] = getattr(hyperparameter, end)
    optimizer = build(entry, settings)
    (weights,) = optimizer.param_groups[0]["params"]
    take_step(entry, optimizer, lambda: weights.square().sum())
    assert torch.isfinite(weights).all()


@every_optimizer
def test_every_setting_reaches_the_target(entry):
    for hyperparameter in entry.hyperparameters:
        settings = reference_settings(entry)
        before = settings[hyperparameter.name]
        other = not before if hyperparameter.kind == "bool" else hyperparameter.high
        changed = entry.arguments({**settings, hyperparameter.name: other})
        assert changed != entry.arguments(settings), hyperparameter.name


@every_optimizer
def test_what_is_not_set_keeps_the_default_of_the_target(entry):
    always = entry.arguments({})
    inner = {"inner": always.pop("inner")} if entry.around else {}
    plain = target(entry)([nn.Parameter(torch.ones(1))], lr=1e-3, **inner).defaults
    assert build(entry, {"lr": 1e-3}).defaults == {**plain, **always}
    for hyperparameter in entry.hyperparameters:
        alone = entry.arguments({hyperparameter.name: reference_settings(entry)[hyperparameter.name]})
        for name, value in alone.items():
            if isinstance(value, tuple):
                assert sum(a != b for a, b in zip(value, plain[name], strict=True)) <= 1


@every_optimizer
def test_ten_steps_at_the_reference_rate_lower_the_loss_of_a_quadratic(entry):
    point = nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
    scales = torch.tensor([1.0, 0.3, 3.0])
    optimizer = build(entry, reference_settings(entry), [point])

    def loss():
        return (scales * point.square()).sum()

    losses = [take_step(entry, optimizer, loss) for _ in range(10)]
    if "switches" in entry.needs:  # not judged by the weights that it trains
        optimizer.eval()
    if "switches" in entry.needs or entry.around:  # the last step may have gone back a part of the way
        losses.append(losses[0])
    there = losses[-1] < 1e-10 * losses[0]  # a method of curvature is at the minimum before that
    assert there or loss().item() < losses[-1] <= losses[0]


PENALTY, LONGEST, CLOSE = 0.1, 2000, 0.03


@pytest.fixture(scope="module")
def tumours():
    """569 tumours, their 30 measurements standardised, and the logistic regression that scikit-learn finds."""
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(0)) / X.std(0)
    found = LogisticRegression(C=1 / (len(y) * PENALTY), tol=1e-10, max_iter=10_000).fit(X, y)
    X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)

    def loss(weights, bias):
        outputs = (X @ weights.T).squeeze(1) + bias
        return (binary_cross_entropy_with_logits(outputs, y) + PENALTY / 2 * weights.square().sum()).item()

    best = loss(*(torch.tensor(each, dtype=torch.float32) for each in (found.coef_, found.intercept_)))
    return X, y, loss, best


@every_optimizer
def test_a_logistic_regression_is_solved_at_the_reference_rate(entry, tumours):
    """Within 2000 steps of linear decay the loss comes 97 % of the way to the optimum that scikit-learn finds.

    Lookahead takes half of each way back, and gets up to four times the steps (Adagrad's slow down by their root).
    """
    X, y, loss, best = tumours
    torch.manual_seed(0)
    layer = nn.Linear(X.shape[1], 1)
    weights, bias = layer.weight, layer.bias
    before = loss(weights, bias)
    settings = reference_settings(entry)
    settings.update({"weight_decay": 0.0} if "weight_decay" in settings else {})
    optimizer = build(entry, settings, [weights, bias])
    longest = 4 * LONGEST if entry.around else LONGEST
    for step in range(longest):
        for group in optimizer.param_groups:
            group["lr"] = settings["lr"] * learning_rate_factor("linear", {}, step, longest)
        if entry.needs & {"closure", "second_derivatives"}:
            take_step(
                entry,
                optimizer,
                lambda: (
                    binary_cross_entropy_with_logits(layer(X).squeeze(1), y)
                    + PENALTY / 2 * weights.square().sum()
                ),
            )
            if loss(weights, bias) - best < CLOSE / 10 * (before - best):
                break
            continue
        with torch.no_grad():
            wrong = ((X @ weights.T).squeeze(1) + bias).sigmoid() - y
            weights.grad = (wrong @ X / len(y))[None] + PENALTY * weights
            bias.grad = wrong.mean()[None]
        suit(entry, weights)
        suit(entry, bias)
        optimizer.step()
        if step % 100 == 99 and loss(weights, bias) - best < CLOSE / 10 * (before - best):
            break
    assert loss(weights, bias) - best < CLOSE * (before - best)


@every_optimizer
@pytest.mark.parametrize("gradient", [0.0, 1e-38, 1e-20, 1.0, 1e15])
def test_a_single_parameter_without_decay_stays_finite_whatever_its_gradient(entry, gradient):
    settings = {name: value for name, value in reference_settings(entry).items() if name != "weight_decay"}
    parameter = nn.Parameter(torch.tensor([0.5]))
    optimizer = build(entry, {**settings, "weight_decay": 0.0}, [parameter])
    if entry.name == "lbfgs":  # torch's squares the slope, the square of the gradient, in 32 bits
        gradient = min(gradient, 1e9)
    by_closure = entry.needs & {"closure", "second_derivatives"}  # down a line they would go for ever
    for _ in range(5):
        take_step(
            entry,
            optimizer,
            lambda: ((parameter - 1).square() / 2 if by_closure else parameter).sum() * gradient,
        )
    assert torch.isfinite(parameter).all()
    if not gradient:
        assert parameter.item() == 0.5


@every_optimizer
def test_sparse_gradients_are_accepted_exactly_where_the_entry_says_so(entry):
    settings = {**reference_settings(entry), "weight_decay": 0.0}
    if "dense_gradients" in entry.needs:
        with pytest.raises(Exception, match=r"(?i)sparse"):
            take_sparse_step(entry, settings)
    else:
        take_sparse_step(entry, settings)


@every_optimizer
def test_weight_decay_of_sparse_gradients_is_accepted_exactly_where_the_entry_says_so(entry):
    settings = {**reference_settings(entry), "weight_decay": 0.1}
    if entry.needs & {"dense_gradients", "dense_gradients_to_decay"}:
        with pytest.raises(Exception, match=r"(?i)sparse"):
            take_sparse_step(entry, settings)
    else:
        take_sparse_step(entry, settings)


@every_optimizer
def test_the_state_is_as_large_as_the_entry_says(entry):
    side = 64 if entry.most_parameters is None or entry.most_parameters > 64 * 64 else 16
    torch.manual_seed(0)
    weights, scales = nn.Parameter(torch.randn(side, side)), torch.linspace(1, 100, side)
    optimizer = build(entry, reference_settings(entry), [weights])
    for _ in range(2):
        take_step(entry, optimizer, lambda: (scales * weights.square()).sum())
    floats = sum(tensor.numel() for tensor in tensors_in(optimizer.state[weights]) if tensor.ndim)
    assert floats / weights.numel() == pytest.approx(entry.state_floats)


@every_optimizer
def test_an_optimizer_of_the_default_search_needs_nothing_but_torch_and_any_batches(entry):
    from_torch = (entry.around or entry).target.startswith(("torch.optim:", "autoopt."))
    assert (entry.extra is None) == from_torch
    if entry.in_default_search:
        assert from_torch
        assert "sparse_gradients" not in entry.needs
        assert (entry.batches, entry.most_parameters, entry.takes_schedule) == ("any", None, True)


def test_ranks_differ_so_that_a_tie_always_has_a_simpler_side():
    ranks = [entry.rank for entry in OPTIMIZERS.values()]
    assert len(set(ranks)) == len(ranks)


def test_one_name_means_one_thing_in_every_optimizer():
    kinds = {}
    for entry in OPTIMIZERS.values():
        for hyperparameter in entry.hyperparameters:
            meaning = (hyperparameter.kind, hyperparameter.legal)
            assert kinds.setdefault(hyperparameter.name, meaning) == meaning, hyperparameter.name
