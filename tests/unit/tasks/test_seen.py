"""What one batch shows: cells and attention written by hand, autoencoders, gradients that are zero."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoopt.tasks import graph
from autoopt.tasks.graph import Uses, read_uses
from autoopt.tasks.load import load_task
from autoopt.tasks.profile import TaskProfile, profile_model, profile_task
from autoopt.tasks.seen import Seen, see_batch

ROOT = Path(__file__).parents[3]
ARCHITECTURES = {
    "lstm": ("rnn", "regression", {"has_recurrence"}),
    "mlp_mixer": ("mlp", "classification", {"has_convolution", "has_layer_norm", "has_residual"}),
    "resnet": ("resnet", "classification", {"has_batch_norm", "has_convolution", "has_residual"}),
    "transformer": ("attention", "language_model", {"has_layer_norm", "has_attention", "has_residual"}),
    "unet": ("cnn", "classification", {"has_convolution"}),
}
STUDIES = {
    "charlm_transformer": "attention", "digits_cnn": "cnn", "digits_mlp": "mlp", "embedding_sparse": "embedding",
    "sequence_gru": "rnn", "tabular_regression": "mlp",
}  # fmt: skip


def facts(profile: TaskProfile) -> set[str]:
    return {name for name, value in vars(profile).items() if value is True}


def uses_of(model: nn.Module, x: Tensor) -> Uses:
    found = read_uses(model(x).sum(), model)
    assert found is not None
    return found


class Loop(nn.Module):
    """A recurrent cell of raw matrices; the inputs of all steps are multiplied at once, before the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Parameter(torch.randn(3, 8) / 3)
        self.back = nn.Parameter(torch.randn(8, 8) / 8)

    def forward(self, x: Tensor) -> Tensor:
        inputs, state = x @ self.inner, x.new_zeros(len(x), 8)
        for step in range(x.shape[1]):
            state = torch.tanh(inputs[:, step] + state @ self.back)
        return state


class Twin(nn.Module):
    """One encoder for five inputs side by side: used often, but never on its own output."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.encoder(x[:, k]) for k in range(5)]).prod(0)


def heads(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    mask = torch.ones(q.shape[1], q.shape[1]).tril() == 0
    scores = torch.einsum("btd,bsd->bts", q, k) / math.sqrt(q.shape[-1])
    return F.dropout(scores.masked_fill(mask, -1e9).softmax(-1), 0.1) @ v


class Hidden(nn.Module):
    """Attention out of sight: a function handed in from elsewhere, in a class that says nothing."""

    def __init__(self, layers: int = 1) -> None:
        super().__init__()
        self.way: Callable[[Tensor, Tensor, Tensor], Tensor] = heads
        self.q, self.k, self.v, self.out = (nn.Linear(4, 4) for _ in range(4))
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.layers):
            x = self.out(self.way(self.q(x), self.k(x), self.v(x)))
        return x


class Gate(nn.Module):
    """A softmax that weighs two experts, without attention."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.experts = nn.Linear(4, 2), nn.ModuleList([nn.Linear(4, 3), nn.Linear(4, 3)])

    def forward(self, x: Tensor) -> Tensor:
        shares = self.gate(x).softmax(-1)
        return sum(shares[:, k, None] * expert(x) for k, expert in enumerate(self.experts))  # type: ignore[return-value]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_public_architectures_written_in_plain_torch_are_recognised(name: str) -> None:
    family, kind, true = ARCHITECTURES[name]

    profile = profile_task(load_task(ROOT / "studies" / "architectures" / f"{name}.py"))

    assert (profile.family, profile.task_kind) == (family, kind)
    assert facts(profile) == true


def test_every_architecture_is_known_here() -> None:
    assert {path.stem for path in (ROOT / "studies" / "architectures").glob("*.py")} == set(ARCHITECTURES)


@pytest.mark.parametrize("name", STUDIES)
def test_the_studies_are_recognised(name: str) -> None:
    profile = profile_task(load_task(ROOT / "studies" / f"{name}.py"))

    assert profile.family == STUDIES[name]
    assert not profile.pretrained


def test_a_loop_over_time_is_recurrent_even_with_raw_matrices() -> None:
    uses = uses_of(Loop(), torch.randn(2, 10, 3))

    assert uses.recurrent == {"back"}
    assert uses.kinds == {"inner": "mlp", "back": "mlp"}


def test_a_model_of_raw_matrices_has_a_family_by_what_it_does(write_task: Any) -> None:
    text = """
import torch
from torch import nn
class Raw(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(4, 3))
    def forward(self, x):
        return x @ self.w
model = Raw
train_data = (torch.randn(60, 4), torch.arange(60) % 3)
"""
    assert profile_task(load_task(write_task(text=text))).family == "mlp"


def test_weights_shared_side_by_side_are_not_recurrent() -> None:
    assert uses_of(Twin(), torch.randn(2, 5, 3)).recurrent == frozenset()


def test_attention_is_found_where_no_name_and_no_code_gives_it_away() -> None:
    uses = uses_of(Hidden(), torch.randn(2, 5, 4))

    assert uses.attending == {f"{layer}.{part}" for layer in "qkv" for part in ("weight", "bias")}


def test_a_softmax_between_experts_is_no_attention() -> None:
    assert uses_of(Gate(), torch.randn(6, 4)).attending == frozenset()


def test_one_attention_layer_gone_through_many_times_is_not_recurrent() -> None:
    model = Hidden(layers=4)
    uses = uses_of(model, torch.randn(2, 5, 4))

    profile = profile_model(model, Seen(uses, 0.0, reconstructs=False))

    assert uses.recurrent
    assert (profile.family, profile.has_recurrence) == ("attention", False)


def test_a_graph_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "MOST_NODES", 20)

    assert read_uses(Loop()(torch.randn(2, 10, 3)).sum(), Loop()) is None


AUTOENCODER = """
import torch
from torch import nn
X = torch.randn(60, 6) @ torch.randn(6, 16)
train_data = {data}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(16, 4), nn.Linear(4, 16)
    def forward(self, x):
        return self.outer(torch.tanh(self.inner(x)))
model = Net
{more}
"""
STEP = """
class Rows(torch.utils.data.Dataset):
    def __len__(self): return 60
    def __getitem__(self, k): return X[k]
train_data = Rows()
def step(model, batch):
    return (model(batch) - batch).square().mean()
"""


@pytest.mark.parametrize(
    ("data", "more", "family"),
    [
        ("(X, X.clone())", "", "autoencoder"),
        ("(X + 0.1 * torch.randn(60, 16), X)", "", "autoencoder"),
        ("(X, 3 * X + 1)", "", "autoencoder"),
        ("None", STEP, "autoencoder"),
        ("(X, X.roll(1, 0))", "", "mlp"),
        ("(X, torch.arange(60) % 16)", "", "mlp"),
    ],
    ids=["itself", "denoised", "scaled", "no target at all", "another row", "classes"],
)
def test_giving_back_the_input_makes_an_autoencoder(
    write_task: Any, data: str, more: str, family: str
) -> None:
    profile = profile_task(load_task(write_task(text=AUTOENCODER.format(data=data, more=more))))

    assert profile.family == family
    assert (profile.task_kind == "reconstruction") == (family == "autoencoder")


def test_words_that_do_not_occur_leave_gradients_at_zero(write_task: Any) -> None:
    text = """
import torch
from torch import nn
words = torch.zeros(64, 100)
words[torch.arange(64), torch.arange(64) % 10] = 1.0
train_data, batch_size = (words, torch.arange(64) % 2), 32
def model(): return nn.Linear(100, 2)
"""
    profile = profile_task(load_task(write_task(text=text)))

    assert profile.zero_gradients == pytest.approx(180 / 202)


def test_looking_leaves_the_random_state_and_the_data_as_they_were(write_task: Any) -> None:
    task = load_task(write_task())
    before = [t.clone() for batch in task.train.batches(100) for t in batch]
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]

    profile_task(task)

    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]  # type: ignore[index,union-attr]
    assert all(
        torch.equal(a, b)
        for a, b in zip(before, [t for c in task.train.batches(100) for t in c], strict=True)
    )


def test_code_that_fails_on_a_batch_leaves_what_the_modules_tell(write_task: Any) -> None:
    def fail(model: nn.Module, batch: Any) -> Any:
        raise RuntimeError("no more")

    broken = replace(load_task(write_task()), batch_loss=fail)

    assert see_batch(broken) is None
    assert (profile_task(broken).family, profile_task(broken).zero_gradients) == ("mlp", None)
