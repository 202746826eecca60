"""What profile_model and profile_task recognise, on small models of every family."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoopt.tasks.profile import TaskProfile, profile_model, profile_task


class ConvBlock(nn.Sequential):
    def __init__(self, width: int = 8) -> None:
        super().__init__(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())


class Plain(nn.Module):
    """A convolutional network with batch norm and no skip connections."""

    def __init__(self, block: Callable[[], nn.Module] = ConvBlock) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3)
        self.body = nn.Sequential(block(), block())
        self.scale = nn.Parameter(torch.ones(1))
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x) + self.scale).mean((2, 3)) + 1e-6)


class Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = ConvBlock()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.inner(x))


class SkipInHelper(Skip):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner_forward(x)

    def inner_forward(self, x: Tensor) -> Tensor:
        out = self.inner(x)
        out += x
        return F.relu(out)


class Recurrent(nn.Module):
    def __init__(self, cell: type[nn.Module] = nn.GRU, vocabulary: int = 20, outputs: int = 20) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, 8)
        self.cell = cell(8, 16)
        self.head = nn.Linear(16, outputs)


class ByHand(nn.Module):
    """Attention with a name that says nothing, written in one of several ways."""

    def __init__(self, way: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.three = nn.Linear(16, 48)
        self.out = nn.Linear(16, 16)
        self.mix = Mixer(way)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(self.mix(*self.three(x).chunk(3, dim=-1)))


class Mixer(nn.Module):
    """Has no parameters of its own."""

    def __init__(self, way: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.way = way


class Fused(Mixer):
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v)


class Products(Mixer):
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return torch.softmax(q @ k.transpose(-1, -2), dim=-1) @ v


def weigh(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.bmm(torch.bmm(q, k.transpose(-1, -2)).softmax(-1), v)


class Borrowed(Mixer):
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return weigh(q, k, v)


class Factorisation(nn.Module):
    def __init__(self, sparse: bool = False) -> None:
        super().__init__()
        self.users = nn.Embedding(50, 8, sparse=sparse)
        self.items = nn.Embedding(40, 8, sparse=sparse)

    def forward(self, pairs: Tensor) -> Tensor:
        return (self.users(pairs[:, 0]) * self.items(pairs[:, 1])).sum(1)


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return nn.Sequential(nn.Embedding(30, 16), nn.TransformerEncoder(layer, 2), nn.Linear(16, 30))


def captioner() -> nn.Module:
    """Convolution and recurrence with about as many parameters each."""
    return nn.Sequential(nn.Conv2d(3, 32, 3), nn.Conv2d(32, 32, 3), nn.GRU(32, 48))


@pytest.mark.parametrize(
    ("build", "family"),
    [
        (perceptron, "mlp"),
        (Plain, "cnn"),
        (lambda: Plain(Skip), "resnet"),
        (lambda: Plain(SkipInHelper), "resnet"),
        (Recurrent, "rnn"),
        (lambda: Recurrent(nn.LSTM), "rnn"),
        (lambda: Recurrent(nn.GRUCell), "rnn"),
        (transformer, "attention"),
        (Factorisation, "embedding"),
        (captioner, "mixture"),
        (lambda: nn.Sequential(nn.BatchNorm1d(3)), "other"),
    ],
)
def test_each_family_is_recognised(build: Callable[[], nn.Module], family: str) -> None:
    assert profile_model(build()).family == family


@pytest.mark.parametrize("mixer", [Fused, Products, Borrowed])
def test_attention_written_by_hand_is_recognised(mixer: type[Mixer]) -> None:
    model = ByHand(weigh)
    model.mix = mixer(weigh)

    profile = profile_model(model)

    assert (profile.family, profile.has_attention, profile.has_residual) == ("attention", True, True)


def test_a_softmax_at_the_end_is_no_attention() -> None:
    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4, 3))
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return torch.softmax(self.layer(x) @ self.weight, dim=1)

    assert profile_model(Classifier()).family == "mlp"


def test_adding_a_constant_or_a_parameter_is_no_skip_connection() -> None:
    assert not profile_model(Plain()).has_residual


def test_a_patch_convolution_does_not_make_a_vision_transformer_a_mixture() -> None:
    model = nn.Sequential(nn.Conv2d(1, 16, 4, stride=4), transformer())

    assert profile_model(model).family == "attention"


def test_norms_are_told_apart() -> None:
    batch, layer = profile_model(perceptron()), profile_model(transformer())

    assert (batch.has_batch_norm, batch.has_layer_norm) == (True, False)
    assert (layer.has_batch_norm, layer.has_layer_norm) == (False, True)


def test_shared_frozen_and_lazy_parameters_are_counted_right() -> None:
    first = nn.Linear(4, 4, bias=False)
    frozen = nn.Linear(4, 2, bias=False).requires_grad_(False)

    profile = profile_model(nn.Sequential(first, first, frozen, nn.LazyLinear(3)))

    assert (profile.n_parameters, profile.n_trainable) == (24, 16)


def test_sparse_tables_are_seen_in_the_model() -> None:
    assert profile_model(Factorisation(sparse=True)).sparse_gradients
    assert not profile_model(Factorisation()).sparse_gradients


def test_a_scripted_model_is_taken_quietly_for_what_its_parts_show() -> None:
    class Opaque(nn.Module):
        forward = cast(Any, None)

    assert profile_model(nn.Sequential(Opaque(), nn.Linear(2, 2))).family == "mlp"


@pytest.mark.parametrize(
    ("loss", "metric", "kind"),
    [
        ("cross_entropy", "", "classification"),
        ("BCEWithLogitsLoss", "", "classification"),
        ("cross-entropy (inferred)", "", "classification"),
        ("mse_loss", "", "regression"),
        ("SmoothL1Loss", "", "regression"),
        ("GaussianNLLLoss", "", "regression"),
        ("own_loss", "accuracy", "classification"),
        ("own_loss", "", "other"),
    ],
)
def test_the_loss_tells_the_kind_of_task_then_the_metric(loss: str, metric: str, kind: str) -> None:
    assert profile_model(perceptron(), loss_name=loss, metric_name=metric).task_kind == kind


def test_a_sequence_model_that_predicts_its_vocabulary_is_a_language_model() -> None:
    assert profile_model(Recurrent(), loss_name="cross_entropy").task_kind == "language_model"
    assert profile_model(Recurrent(outputs=3), loss_name="cross_entropy").task_kind == "classification"
    assert profile_model(transformer()).task_kind == "language_model"


def test_the_facts_of_the_task_reach_the_profile_and_the_random_state_stays() -> None:
    samples = SimpleNamespace(
        rows=1000, steps_per_epoch=lambda size, *, drop_single: 1000 // size + drop_single
    )
    task = SimpleNamespace(
        make_model=perceptron, loss_name="mse_loss", metric=None, train=samples, batch_size=100,
        has_batch_norm=True, sparse_gradients=False, surroundings=nullcontext,
    )  # fmt: skip
    before = torch.get_rng_state()

    profile = profile_task(cast(Any, task))

    assert (profile.n_train, profile.steps_per_epoch, profile.task_kind) == (1000, 11, "regression")
    assert torch.equal(before, torch.get_rng_state())


def test_a_model_that_says_where_it_was_loaded_from_is_pretrained() -> None:
    fresh, loaded = perceptron(), perceptron()
    fresh.config = cast(Any, SimpleNamespace(name_or_path=""))
    loaded.config = cast(Any, SimpleNamespace(name_or_path="some/model"))

    assert [profile_model(model).pretrained for model in (fresh, loaded)] == [False, True]


def test_a_profile_reads_as_a_line() -> None:
    profile = TaskProfile("resnet", 1_234_567, 1_234_567, n_train=1437, task_kind="classification")

    assert str(profile) == (
        "residual convolutional network with batch norm, 1,234,567 parameters, classification, "
        "1,437 training rows"
    )
