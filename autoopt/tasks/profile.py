"""TaskProfile: what kind of training problem a task is, read from its modules and its facts.

Nothing is trained and no batch is looked at: the family comes from module types, and where a user wrote
attention or skip connections by hand, from the instructions of ``forward``. What hides deeper than that (a
recurrent cell written as a Python loop, attention inside another package's functions) is not seen.
"""

from __future__ import annotations

import dis
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

    from autoopt.tasks.task import Task

Family = Literal["mlp", "cnn", "resnet", "rnn", "attention", "embedding", "mixture", "other"]
TaskKind = Literal["classification", "regression", "language_model", "other"]

_TITLES: dict[str, str] = {
    "mlp": "multilayer perceptron",
    "cnn": "convolutional network",
    "resnet": "residual convolutional network with batch norm",
    "rnn": "recurrent network",
    "attention": "attention network",
    "embedding": "embedding model",
    "mixture": "mixture of several families",
    "other": "network of an unknown family",
}


@dataclass(frozen=True)
class TaskProfile:
    """What advice needs to know of a task.

    Attributes:
        family: ``resnet`` is convolution with batch norm and skip connections; ``embedding`` a model most of
            whose parameters are lookup tables; ``mixture`` one where convolution, recurrence and attention
            share the parameters (none of them has three quarters).
        n_parameters: of the whole model, shared ones counted once; ``n_trainable`` those that get gradients.
        n_train: rows of training data; ``None`` if the data do not say.
        steps_per_epoch: training batches in an epoch at the task's own batch size.
        task_kind: what is predicted; ``other`` if neither loss, metric nor model tells.
        sparse_gradients: some parameter gets sparse gradients, which many optimizers refuse.
        has_residual: a block adds its input, or a projection of it, to its output.
        pretrained: the model says that its weights were loaded; ``False`` if it says nothing.
    """

    family: Family
    n_parameters: int
    n_trainable: int
    n_train: int | None = None
    steps_per_epoch: int = 1
    task_kind: TaskKind = "other"
    has_batch_norm: bool = False
    has_layer_norm: bool = False
    sparse_gradients: bool = False
    has_recurrence: bool = False
    has_attention: bool = False
    has_convolution: bool = False
    has_residual: bool = False
    pretrained: bool = False

    def __str__(self) -> str:
        rows = "" if self.n_train is None else f", {self.n_train:,} training rows"
        sparse = ", sparse gradients" if self.sparse_gradients else ""
        loaded = ", pre-trained" if self.pretrained else ""
        kind = "" if self.task_kind == "other" else f", {self.task_kind.replace('_', ' ')}"
        return f"{_TITLES[self.family]}, {self.n_parameters:,} parameters{loaded}{sparse}{kind}{rows}"


def profile_task(task: Task) -> TaskProfile:
    """Say what kind of problem a task is, without training it.

    Builds the model once, with the caller's random state left as it was.
    """
    import torch

    with task.surroundings(), torch.random.fork_rng(devices=[]):
        model = task.make_model()
    return profile_model(
        model,
        loss_name=task.loss_name,
        metric_name=task.metric.name if task.metric else "",
        n_train=task.train.rows,
        steps_per_epoch=task.train.steps_per_epoch(task.batch_size, drop_single=task.has_batch_norm),
        sparse_gradients=task.sparse_gradients,
    )


def profile_model(
    model: nn.Module,
    *,
    loss_name: str = "",
    metric_name: str = "",
    n_train: int | None = None,
    steps_per_epoch: int = 1,
    sparse_gradients: bool = False,
) -> TaskProfile:
    """Say what kind of network a model is; the task's facts are passed through.

    >>> from torch import nn
    >>> profile_model(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)), loss_name="mse_loss").family
    'mlp'
    """
    from torch import nn

    modules = dict(model.named_modules())
    kinds = list(modules.values())
    layers = _parameters_by_layer(modules)
    batch_norm = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in kinds)
    residual = any(_adds_its_input(m) for m in kinds)
    sparse = any(isinstance(m, nn.Embedding | nn.EmbeddingBag) and m.sparse for m in kinds)
    counts = {id(p): (_size(p), p.requires_grad) for p in model.parameters()}
    return TaskProfile(
        family=_family(layers, batch_norm and residual),
        n_parameters=sum(size for size, _ in counts.values()),
        n_trainable=sum(size for size, trained in counts.values() if trained),
        n_train=n_train,
        steps_per_epoch=steps_per_epoch,
        task_kind=_task_kind(model, loss_name, metric_name, layers),
        has_batch_norm=batch_norm,
        has_layer_norm=any(re.search("layernorm|rmsnorm", type(m).__name__.lower()) for m in kinds),
        sparse_gradients=sparse_gradients or sparse,
        has_recurrence="rnn" in layers,
        has_attention="attention" in layers,
        has_convolution="cnn" in layers,
        has_residual=residual,
        pretrained=bool(getattr(getattr(model, "config", None), "name_or_path", "")),
    )


def _parameters_by_layer(modules: dict[str, nn.Module]) -> dict[str, int]:
    """Parameters in layers of each kind; a kind without parameters of its own counts those around it."""
    from torch import nn

    types: dict[str, tuple[type, ...]] = {
        "cnn": (nn.modules.conv._ConvNd,),
        "rnn": (nn.RNNBase, nn.RNNCellBase),
        "embedding": (nn.Embedding, nn.EmbeddingBag),
        "mlp": (nn.Linear, nn.Bilinear),
    }
    sizes: dict[str, int] = {}
    attending: list[str] = []
    for name, module in modules.items():
        if any(not outer or name.startswith(f"{outer}.") for outer in attending):
            continue  # already counted as attention, whatever it is made of
        if _attends(module):
            attending.append(name)
            kind, module = "attention", _nearest_with_parameters(name, modules)
        else:
            kind = next((k for k, classes in types.items() if isinstance(module, classes)), "")
        if kind:
            sizes[kind] = sizes.get(kind, 0) + sum(_size(p) for p in module.parameters())
    return sizes


def _nearest_with_parameters(name: str, modules: dict[str, nn.Module]) -> nn.Module:
    while name and next(modules[name].parameters(), None) is None:
        name = name.rpartition(".")[0]
    return modules[name]


def _size(parameter: nn.Parameter) -> int:
    """Elements of a parameter; a lazy one has none before the first batch."""
    from torch.nn.parameter import is_lazy

    return 0 if is_lazy(parameter) else parameter.numel()


def _family(sizes: dict[str, int], residual: bool) -> Family:
    deep = {kind: sizes[kind] for kind in ("cnn", "rnn", "attention") if kind in sizes}
    if deep:
        main = max(deep, key=lambda kind: deep[kind])
        if len(deep) > 1 and deep[main] < 0.75 * sum(deep.values()):
            return "mixture"
        if main == "cnn":
            return "resnet" if residual else "cnn"
        return "rnn" if main == "rnn" else "attention"
    dense, tables = sizes.get("mlp", 0), sizes.get("embedding", 0)
    if tables > dense:
        return "embedding"
    return "mlp" if "mlp" in sizes else "other"


def _task_kind(model: nn.Module, loss_name: str, metric_name: str, layers: dict[str, int]) -> TaskKind:
    """Read the kind off the loss, then the metric, then the model's class name."""
    tokens = ("rnn" in layers or "attention" in layers) and _has_vocabulary_head(model)
    name = type(model).__name__.lower()
    for text in (loss_name, metric_name):
        plain = re.sub("[^a-z0-9]", "", text.lower())
        if re.search("mse|l1|huber|mae|gaussiannll|poisson|quantile|^r2|meansquared|meanabsolute", plain):
            return "regression"
        if "perplexity" in plain or "causallm" in name or "lmhead" in name:
            return "language_model"
        if re.search("entropy|bce|nll|margin|hinge|focal|accuracy|f1|auc", plain):
            return "language_model" if tokens else "classification"
    if "classif" in name:
        return "classification"
    return "language_model" if tokens else "other"


def _has_vocabulary_head(model: nn.Module) -> bool:
    """The model gives as many numbers as its lookup table has entries: it predicts tokens."""
    from torch import nn

    entries = {m.num_embeddings for m in model.modules() if isinstance(m, nn.Embedding)}
    return any(isinstance(m, nn.Linear) and m.out_features in entries for m in model.modules())


def _attends(module: nn.Module) -> bool:
    """Attention by type, by class name, or by hand: a softmax between two matrix products."""
    from torch import nn

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


def _adds_its_input(module: nn.Module) -> bool:
    """A skip connection: a block holding layers adds two computed values (no constant, no attribute)."""
    from torch import nn

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


_NOT_COMPUTED = ("LOAD_CONST", "LOAD_SMALL_INT", "LOAD_ATTR", "LOAD_GLOBAL")


def _instructions(module: nn.Module) -> Iterator[dis.Instruction]:
    """The bytecode of ``forward``, and of the methods and same-file functions that it reaches.

    Read and not run, so a user's code has no chance to fail or to change anything. Modules of torch itself
    are known by their type, and what is not Python (scripted modules) has nothing to show.
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
