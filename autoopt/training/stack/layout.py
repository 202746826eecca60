"""Where the tensors of a model lie in a row: weights in one line, what is not trained beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Layout:
    """The tensors of a model by name, in the order in which a row holds them.

    Attributes:
        names: of the trained parameters; those that weight decay acts on (matrices and more) come first.
        shapes: theirs.
        decayed: how many numbers of a row belong to those first ones.
        fixed: names of the buffers and of the frozen parameters.
    """

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    decayed: int
    fixed: tuple[str, ...]

    @classmethod
    def of(cls, model: nn.Module) -> Layout:
        """Read the layout of a model."""
        trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        trained.sort(key=lambda pair: pair[1].ndim < 2)  # stable: within both kinds as the model has them
        frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
        buffers = [n for n, _ in model.named_buffers()]
        return cls(
            tuple(n for n, _ in trained),
            tuple(p.shape for _, p in trained),
            sum(p.numel() for _, p in trained if p.ndim >= 2),
            (*buffers, *frozen),
        )

    @property
    def places(self) -> list[tuple[int, int]]:
        """Start and end of every trained parameter in the row."""
        ends, end = [], 0
        for shape in self.shapes:
            ends.append((end, end + math.prod(shape)))
            end += math.prod(shape)
        return ends

    def weights_of(self, model: nn.Module) -> Tensor:
        """Return the trained parameters of a model in one line, a copy."""
        found = dict(model.named_parameters())
        return torch.cat([found[name].detach().flatten() for name in self.names])

    def fixed_of(self, model: nn.Module) -> list[Tensor]:
        """Return copies of the buffers and frozen parameters of a model."""
        found = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        return [found[name].detach().clone() for name in self.fixed]

    def views(self, rows: Tensor) -> list[Tensor]:
        """Return the parameters of rows (K, P) as views, each (K, *shape)."""
        pairs = zip(self.places, self.shapes, strict=True)
        return [rows[:, start:end].view(len(rows), *shape) for (start, end), shape in pairs]

    def looked_at(self, sample: int) -> Tensor:
        """Return the places in a row of about ``sample`` numbers, of all parameters about equally many."""
        share = max(1, sample // max(1, len(self.names)))
        places = [
            torch.arange(start, start + _first(shape, share))
            for (start, _), shape in zip(self.places, self.shapes, strict=True)
        ]
        return torch.cat(places)


def _first(shape: Sequence[int], share: int) -> int:
    """Return how many numbers ``share`` stands for: those of the first rows, as the serial observer takes them."""
    count = math.prod(shape)
    if count <= share or len(shape) < 2:
        return min(count, share)
    rows = max(1, share * shape[0] // count)
    return min(share, rows * (count // shape[0]))
