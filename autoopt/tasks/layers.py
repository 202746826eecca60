"""What a model is made of, read off its modules: by their types, their names, and the code of ``forward``.

Nothing is run, so a user's code has no chance to fail or to change anything. What it does when it is run,
``graph`` tells.
"""

from __future__ import annotations

import dis
import re
from collections.abc import Iterator
from types import CodeType, FunctionType

from torch import nn
from torch.nn.parameter import is_lazy

from autoopt.tasks.keras_model import keras_kinds

_NOT_COMPUTED = ("LOAD_CONST", "LOAD_SMALL_INT", "LOAD_ATTR", "LOAD_GLOBAL")


def kinds_by_module(model: nn.Module) -> dict[str, str]:
    """Return what each parameter is for, by name, as far as modules tell.

    ``cnn``, ``rnn``, ``embedding``, ``mlp`` by the type of the layer; ``attention`` for all inside a module
    that attends, whatever it is made of, and around one without parameters of its own. Convolutions that cut
    an image into patches, each pixel in one of them, are dense layers unless there are others too.
    """
    types: dict[str, tuple[type[nn.Module], ...]] = {
        "cnn": (nn.modules.conv._ConvNd,),
        "rnn": (nn.RNNBase, nn.RNNCellBase),
        "embedding": (nn.Embedding, nn.EmbeddingBag),
        "mlp": (nn.Linear, nn.Bilinear),
    }
    modules = dict(model.named_modules())
    convolves = any(isinstance(m, types["cnn"]) and not _cuts_patches(m) for m in modules.values())
    kinds: dict[str, str] = {}
    attending: list[str] = []
    for name, module in modules.items():
        kind = next((k for k, classes in types.items() if isinstance(module, classes)), "")
        if kind == "cnn" and not convolves:
            kind = "mlp"
        if kind:
            kinds |= dict.fromkeys(_inner(name, module), kind)
        elif attends(module):
            attending.append(name)
    for name in attending:
        around = _nearest_with_parameters(name, modules)
        kinds |= dict.fromkeys(_inner(around, modules[around]), "attention")
    return kinds | keras_kinds(model)


def _inner(name: str, module: nn.Module) -> list[str]:
    return [f"{name}.{inner}" if name else inner for inner, _ in module.named_parameters()]


def _cuts_patches(module: nn.Module) -> bool:
    """A convolution whose windows do not overlap: the same dense layer on every patch, or every pixel."""
    kernel, stride = getattr(module, "kernel_size", None), getattr(module, "stride", None)
    return kernel == stride or (kernel is not None and set(kernel) == {1})


def _nearest_with_parameters(name: str, modules: dict[str, nn.Module]) -> str:
    while name and next(modules[name].parameters(), None) is None:
        name = name.rpartition(".")[0]
    return name


def size(parameter: nn.Parameter) -> int:
    """Return the elements of a parameter; a lazy one has none before the first batch."""
    return 0 if is_lazy(parameter) else parameter.numel()


def has_vocabulary_head(model: nn.Module) -> bool:
    """Return whether the model gives as many numbers as its lookup table has entries: it predicts tokens."""
    entries = {m.num_embeddings for m in model.modules() if isinstance(m, nn.Embedding)}
    return any(isinstance(m, nn.Linear) and m.out_features in entries for m in model.modules())


def attends(module: nn.Module) -> bool:
    """Return whether a module is attention by type, by class name, or by hand: a softmax between two products."""
    if isinstance(module, nn.MultiheadAttention) or re.search(
        r"attention$|attn$", type(module).__name__.lower()
    ):
        return True
    names = [str(step.argval) for step in _instructions(module) if step.opname != "LOAD_CONST"]
    operators = [step.argrepr for step in _instructions(module) if step.opname == "BINARY_OP"]
    products = sum(names.count(name) for name in ("matmul", "bmm", "einsum", "baddbmm")) + operators.count(
        "@"
    )
    return "scaled_dot_product_attention" in names or ("softmax" in names and products >= 2)


def adds_its_input(module: nn.Module) -> bool:
    """Return whether a block holding layers adds two computed values (no constant, no attribute): a skip."""
    if isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
        return True
    if not any(isinstance(m, nn.Linear | nn.modules.conv._ConvNd) for m in module.modules()):
        return False
    before = ""
    for step in _instructions(module):
        if step.opname == "BINARY_OP" and step.argrepr in ("+", "+=") and before not in _NOT_COMPUTED:
            return True
        if step.argval in ("add", "add_"):
            return True
        if step.opname != "CACHE":
            before = step.opname
    return False


def _instructions(module: nn.Module) -> Iterator[dis.Instruction]:
    """The bytecode of ``forward``, and of the methods and same-file functions that it reaches.

    Modules of torch itself are known by their type, and what is not Python (scripted modules) has nothing to
    show.
    """
    owner = type(module)
    if owner.__module__.startswith("torch.nn."):
        return
    waiting, seen = ["forward"], {"forward"}
    while waiting:
        code = _code(owner, waiting.pop())
        if code is None:
            continue
        yield from dis.get_instructions(code)
        found = {name for name in code.co_names if name not in seen}
        waiting.extend(sorted(found))
        seen |= found


def _code(owner: type, name: str) -> CodeType | None:
    """Code of a method of the class, or of a function in the file where its ``forward`` is."""
    function = getattr(owner, name, None)
    if not isinstance(function, FunctionType):
        around = getattr(getattr(owner, "forward", None), "__globals__", {})
        function = around.get(name)
        if not isinstance(function, FunctionType) or function.__module__ != owner.__module__:
            return None
    return None if function.__module__.startswith("torch.nn.") else function.__code__
