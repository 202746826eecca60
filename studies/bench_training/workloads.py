"""What is trained in the benchmark: seven kinds of model on which small machines spend their time differently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from autoopt.tasks.make import make_task
from autoopt.tasks.task import Task

Rows = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Workload:
    """A model with its data.

    Attributes:
        letter: by which reports refer to it.
        data: gives all rows; the last fifth is for validation.
    """

    letter: str
    says: str
    model: Callable[[], nn.Module]
    data: Callable[[], Rows]
    batch_size: int
    epochs: int

    @property
    def train(self) -> Rows:
        X, y = self.data()
        return X[: -(len(X) // 5)], y[: -(len(X) // 5)]

    @property
    def valid(self) -> Rows:
        X, y = self.data()
        return X[-(len(X) // 5) :], y[-(len(X) // 5) :]


class GatedReader(nn.Module):
    """A recurrent layer whose last output is classified."""

    def __init__(self, layer: type[nn.GRU] | type[nn.LSTM]) -> None:
        super().__init__()
        self.layer = layer(28, 64, batch_first=True)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0][:, -1])


class Residual(nn.Module):
    """Two convolutions with batch norm beside a skip connection, which widens by channels of zeros."""

    def __init__(self, narrow: int, wide: int) -> None:
        super().__init__()
        self.stride, self.widen = (1 if narrow == wide else 2), wide - narrow
        self.first = nn.Conv2d(narrow, wide, 3, self.stride, 1, bias=False)
        self.second = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(wide), nn.BatchNorm2d(wide)

    def forward(self, x: Tensor) -> Tensor:
        inside = self.norm2(self.second(self.norm1(self.first(x)).relu()))
        beside = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.widen))
        return (inside + beside).relu()


class Characters(nn.Module):
    """A transformer of two blocks, 64 wide, that reads 64 characters."""

    def __init__(self) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(64, 64), nn.Parameter(0.02 * torch.randn(64, 64))
        block = nn.TransformerEncoderLayer(64, 4, 256, 0.0, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head = nn.Linear(64, 64)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(64))

    def forward(self, codes: Tensor) -> Tensor:
        return self.head(
            self.blocks(self.letters(codes) + self.places, mask=self.mask, is_causal=True)
        ).movedim(-1, 1)


def mlp(*widths: int) -> Callable[[], nn.Module]:
    """Return what makes a perceptron with layers of these widths."""

    def make() -> nn.Module:
        layers = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(*layers[:-1])

    return make


def small_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(288, 10),
    )  # fmt: skip


def resnet8() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        Residual(16, 16), Residual(16, 32), Residual(32, 64),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


@lru_cache
def digits() -> Rows:
    """The 1,797 handwritten digits of scikit-learn."""
    X, y = load_digits(return_X_y=True)
    return torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)


@lru_cache
def made(rows: int, *shape: int) -> Rows:
    """Ten kinds of noisy patterns."""
    draw = torch.Generator().manual_seed(rows)
    y = torch.randint(10, (rows,), generator=draw)
    patterns = torch.randn(10, *shape, generator=draw)
    return 0.3 * patterns[y] + torch.randn(rows, *shape, generator=draw), y


@lru_cache
def text(rows: int, length: int = 64) -> Rows:
    """Made text of 64 letters: most are a fixed step behind the one before."""
    draw = torch.Generator().manual_seed(rows)
    steps = torch.randint(1, 4, (rows, length + 1), generator=draw)
    codes = steps.cumsum(1) % 64
    return codes[:, :-1], codes[:, 1:]


WORKLOADS = {
    "digits_mlp": Workload("a", "perceptron 64-128-10, 64 rows a batch", mlp(64, 128, 10), digits, 64, 12),
    "mlp_784": Workload(
        "b",
        "perceptron 784-256-256-10, 128 rows a batch",
        mlp(784, 256, 256, 10),
        lambda: made(6400, 784),
        128,
        3,
    ),
    "small_cnn": Workload(
        "c", "two convolutions on 28 × 28, 64 rows a batch", small_cnn, lambda: made(1600, 1, 28, 28), 64, 3
    ),
    "resnet8": Workload(
        "d",
        "ResNet-8 with batch norm on 32 × 32, 64 rows a batch",
        resnet8,
        lambda: made(640, 3, 32, 32),
        64,
        2,
    ),
    "gru": Workload(
        "e",
        "GRU of 64, 28 steps, 64 rows a batch",
        lambda: GatedReader(nn.GRU),
        lambda: made(1600, 28, 28),
        64,
        3,
    ),
    "lstm": Workload(
        "e",
        "LSTM of 64, 28 steps, 64 rows a batch",
        lambda: GatedReader(nn.LSTM),
        lambda: made(1600, 28, 28),
        64,
        3,
    ),
    "char_transformer": Workload(
        "f",
        "transformer of two blocks, 64 wide, 32 rows of 64 letters a batch",
        Characters,
        lambda: text(800),
        32,
        2,
    ),
    "mlp_1024": Workload(
        "g",
        "perceptron 784-1024-1024-1024-10, 128 rows a batch",
        mlp(784, 1024, 1024, 1024, 10),
        lambda: made(1600, 784),
        128,
        2,
    ),
}


@lru_cache
def task_of(name: str) -> Task:
    """Return a workload as the task that a user would give."""
    workload = WORKLOADS[name]
    return make_task(model=workload.model, train_data=workload.train, val_data=workload.valid,
                     loss="cross_entropy", metric=accuracy, metric_direction="maximize", objective="loss",
                     batch_size=workload.batch_size, epochs=workload.epochs, name=name)  # fmt: skip


def accuracy(output: Tensor, target: Tensor) -> Tensor:
    return (output.argmax(1) == target).float().mean()
