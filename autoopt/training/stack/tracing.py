"""A function of tensors as the plain list of tensor operations that it comes to, for shapes that stay the same.

``torch.func`` finds out at every call which operations a function of many rows takes, and on small models that costs
more than the operations. Here it is found out once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._functorch.compile_utils import fx_graph_cse
from torch.func import functionalize
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel

Traced = Callable[..., tuple[Tensor, ...]]

_aten = torch.ops.aten
_COPIES_NOTHING = (_aten.detach.default, _aten.alias.default)
_KEEPS_SHAPE = (
    _aten.clone.default,  # nothing is written to in what is functional
    _aten.expand.default,
    _aten.view.default,
    _aten._unsafe_view.default,
    _aten.reshape.default,
)


def trace(function: Callable[..., Sequence[Tensor]], examples: Sequence[Tensor]) -> Traced:
    """Return the operations of a function as a function; the numbers are the same to the last bit.

    What the function does in Python is done once, here: a branch taken, a number drawn outside of torch and an
    attribute set stay as they are now.

    Args:
        function: of tensors, to a sequence of tensors; its arguments are not changed.
        examples: arguments of the shapes, types and strides that it will get.

    Raises:
        Exception: whatever the function raises, and what ``torch.func`` refuses.
    """
    cards = [t.device for t in examples if t.device.type == "cuda"][:1]
    # finding out draws random numbers, of which nothing must be seen afterwards; and fused attention has no rule
    # for many rows, it would be done for one after the other
    with torch.random.fork_rng(cards), warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
        warnings.simplefilter("ignore")
        module = make_fx(functionalize(function))(*examples)
    _leave_out_idle(module)
    module.eval()
    forward: Traced = module.forward
    return forward


def _leave_out_idle(module: fx.GraphModule) -> None:
    """Take out operations that give what they get, and those that were there before."""
    for node in list(module.graph.nodes):
        if (source := _stands_for(node)) is not None:
            node.replace_all_uses_with(source)
    module.graph.eliminate_dead_code()
    graph = fx_graph_cse(module.graph)
    for number, node in enumerate(list(graph.nodes)):
        if node.op == "call_function" and node.target is _aten.scalar_tensor.default:
            name = f"constant_{number}"
            module.register_buffer(name, node.target(*node.args, **node.kwargs), persistent=False)
            with graph.inserting_before(node):
                node.replace_all_uses_with(graph.get_attr(name))
    graph.eliminate_dead_code()
    module.graph = graph
    module.recompile()


def _stands_for(node: fx.Node) -> fx.Node | None:
    """Return the node whose value an operation gives on as it is, or ``None``."""
    if node.op != "call_function" or not node.args or not isinstance(node.args[0], fx.Node):
        return None
    source, target = node.args[0], node.target
    if target in _COPIES_NOTHING:
        return source
    if target in _KEEPS_SHAPE and _layout(source) == _layout(node):
        return source
    if target is _aten.mul.Scalar and node.args[1] == 1 and _layout(source) == _layout(node):
        return source
    twice = target is _aten.transpose.int and source.target is _aten.transpose.int
    if twice and set(node.args[1:]) == set(source.args[1:]):
        first = source.args[0]
        return first if isinstance(first, fx.Node) else None
    return None


def _layout(node: fx.Node) -> Any:
    value = node.meta.get("tensor_meta")
    return None if value is None else (value.shape, value.stride, value.dtype)
