"""The graph of a loss: which parameters are used how, as the gradient's way back shows it.

However a user writes a model, autograd sees every product and every softmax of it. So a recurrent cell made of
linear layers and a loop, or attention spelt with ``@`` somewhere inside another package, is recognised here by
what it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

MOST_NODES = 200_000  # of a graph; a longer one is not read. About a second
REPEATS = 3  # a parameter used so often, each time on what came of the time before, is recurrent
_CANDIDATES = 64  # parameters that are looked at for recurrence, the largest first

_PASSES_ON = re.compile(
    r"^(T|Permute|Transpose|View|UnsafeView|ReshapeAlias|AsStrided|Expand|Unsqueeze|Squeeze|Clone|Alias|ToCopy|"
    r"Slice|Select|Split|SplitWithSizes|Chunk|Unbind|Cat|Stack|Repeat|Copy|Contiguous|Unflatten|Flatten)(Backward|$)"
)
_WEIGHS = re.compile(
    r"^(Mul|Div|Add|Sub|Neg|MaskedFill|Where|NativeDropout|FusedDropout|Tril|Max|Amax)Backward"
)
_PRODUCT = re.compile(r"^(Addmm|Mm|Bmm|Baddbmm|Mv|Addmv|Dot|Linear)Backward")
_USES = {
    "cnn": re.compile(r"Conv"),
    "rnn": re.compile(r"Rnn|Lstm|Gru"),
    "embedding": re.compile(r"^(Embedding|EmbeddingBag|IndexSelect|Index|Gather)Backward"),
    "mlp": _PRODUCT,
}


@dataclass(frozen=True)
class Uses:
    """How the parameters of a model were used in one loss; all by name.

    Attributes:
        kinds: ``cnn``, ``rnn``, ``embedding`` or ``mlp``, by the operation that takes the parameter in.
        recurrent: used again and again, each time on what came of the time before, and those used as often.
        attending: make the queries, keys and values of an attention.
    """

    kinds: dict[str, str]
    recurrent: frozenset[str] = frozenset()
    attending: frozenset[str] = frozenset()


def read_uses(loss: Tensor, model: nn.Module) -> Uses | None:
    """Return how a loss uses the model's parameters; ``None`` if its graph is too large to be read.

    Args:
        loss: with its graph, as before ``backward``.
    """
    graph = _Graph.of(loss)
    if graph is None:
        return None
    leaves = graph.leaves()
    names = {name: leaves[id(p)] for name, p in model.named_parameters() if id(p) in leaves}
    takers = {name: list(graph.takers(leaf)) for name, leaf in names.items()}
    kinds = {name: kind for name, nodes in takers.items() if (kind := graph.kind(nodes))}
    attending = graph.attending()
    sizes = {name: p.numel() for name, p in model.named_parameters() if name in names and p.ndim > 1}
    return Uses(
        kinds,
        recurrent=frozenset(_recurrent(graph, takers, sizes)),
        attending=frozenset(name for name, leaf in names.items() if leaf in attending),
    )


def _recurrent(graph: _Graph, takers: dict[str, list[int]], sizes: dict[str, int]) -> Iterator[str]:
    often = {name: nodes for name, nodes in takers.items() if len(nodes) >= REPEATS}
    looked_at = sorted((name for name in often if name in sizes), key=lambda name: -sizes[name])[:_CANDIDATES]
    longest = graph.longest_chains([often[name] for name in looked_at])
    counts = {len(often[name]) for name, length in zip(looked_at, longest, strict=True) if length >= REPEATS}
    for name, nodes in often.items():  # what the first or last step leaves out is used once less
        if any(abs(len(nodes) - count) <= 1 for count in counts):
            yield name


class _Graph:
    """Nodes numbered so that inputs come before what is made of them."""

    def __init__(self, nodes: list[Any], inputs: list[list[int]]) -> None:
        self._nodes = nodes
        self._inputs = inputs
        self._names = [node.name().rpartition("::")[2] for node in nodes]
        self._consumers: list[list[int]] = [[] for _ in nodes]
        for number, sources in enumerate(inputs):
            for source in sources:
                self._consumers[source].append(number)
        self._parameters = {number for number, node in enumerate(nodes) if hasattr(node, "variable")}

    @classmethod
    def of(cls, loss: Tensor) -> _Graph | None:
        """Read the graph behind a loss; ``None`` if it has more than ``MOST_NODES`` nodes."""
        numbers: dict[Any, int] = {}
        nodes: list[Any] = []
        entered = {loss.grad_fn}
        stack: list[tuple[Any, bool]] = [(loss.grad_fn, False)] if loss.grad_fn is not None else []
        while stack:
            node, inputs_done = stack.pop()
            if inputs_done:
                if node not in numbers:
                    numbers[node] = len(nodes)
                    nodes.append(node)
                continue
            entered.add(node)
            if len(entered) > MOST_NODES:
                return None
            stack.append((node, True))
            stack += [(n, False) for n, _ in node.next_functions if n is not None and n not in entered]
        inputs = [[numbers[n] for n, _ in node.next_functions if n is not None] for node in nodes]
        return cls(nodes, inputs)

    def leaves(self) -> dict[int, int]:
        """Return the node of every parameter by the parameter's id."""
        return {id(self._nodes[number].variable): number for number in self._parameters}

    def takers(self, leaf: int) -> Iterator[int]:
        """Yield the nodes that take a parameter in, past views of it."""
        return self._beyond(leaf, self._consumers, _PASSES_ON)

    def kind(self, takers: Iterable[int]) -> str | None:
        """Return what a parameter is for, by the first of its takers that tells."""
        found = {
            kind for node in takers for kind, pattern in _USES.items() if pattern.search(self._names[node])
        }
        return next((kind for kind in _USES if kind in found), None)

    def longest_chains(self, takers: list[list[int]]) -> list[int]:
        """Return for each parameter how many of its takers lie one behind the other, at most."""
        if not takers:
            return []
        here = np.zeros((len(self._nodes), len(takers)), dtype=np.int32)
        for column, nodes in enumerate(takers):
            here[nodes, column] = 1
        for number, sources in enumerate(self._inputs):
            if sources:
                here[number] += here[sources].max(axis=0)
        return [int(length) for length in here.max(axis=0)]

    def attending(self) -> set[int]:
        """Return the leaves of the parameters that make queries, keys and values.

        Attention is a product of two computed values, a softmax of it, and a product of that with a third.
        """
        leaves: set[int] = set()
        for number, name in enumerate(self._names):
            if "Attention" in name:
                leaves |= self._projections([number])
            elif re.match(r"(Safe)?SoftmaxBackward", name):
                scores = [n for n in self._near(number, self._inputs) if self._joins_computed(n)]
                sums = [n for n in self._near(number, self._consumers) if self._joins_computed(n)]
                if scores and sums:
                    leaves |= self._projections([*scores, *sums])
        return leaves

    def _near(self, start: int, neighbours: list[list[int]]) -> Iterator[int]:
        return self._beyond(start, neighbours, _PASSES_ON, _WEIGHS)

    def _joins_computed(self, number: int) -> bool:
        """A product neither of whose two factors is a parameter."""
        factors = self._inputs[number][-2:]
        is_product = _PRODUCT.match(self._names[number]) and len(factors) == 2
        return bool(is_product) and not self._behind(factors) & self._parameters

    def _projections(self, products: list[int]) -> set[int]:
        """Parameters of the nearest layers that feed the products."""
        feeding = {node for product in products for node in self._near(product, self._inputs)}
        layers = [n for n in feeding if _PRODUCT.match(self._names[n]) and not self._joins_computed(n)]
        return self._behind(source for layer in layers for source in self._inputs[layer]) & self._parameters

    def _behind(self, nodes: Iterable[int]) -> set[int]:
        """Return what lies behind nodes that may be mere views of it."""
        found: set[int] = set()
        for node in nodes:
            passed_on = _PASSES_ON.match(self._names[node])
            found.update(self._beyond(node, self._inputs, _PASSES_ON) if passed_on else [node])
        return found

    def _beyond(self, number: int, neighbours: list[list[int]], *through: re.Pattern[str]) -> Iterator[int]:
        """Yield the nearest nodes, in one direction, that are none of those passed through."""
        waiting, seen = list(neighbours[number]), {number}
        while waiting:
            node = waiting.pop()
            if any(pattern.match(self._names[node]) for pattern in through):
                new = [n for n in neighbours[node] if n not in seen]
                seen.update(new)
                waiting += new
            else:
                yield node
