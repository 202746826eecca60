"""TaskProfile: what kind of training problem a task is, read from its modules, its facts and one batch.

Nothing is trained. The family comes from the types of the modules and, where a user wrote a recurrent cell,
attention or a layer by hand, from what the gradient of one real batch shows (``graph``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

    from autoopt.tasks.gradient_noise import GradientFacts
    from autoopt.tasks.graph import Uses
    from autoopt.tasks.seen import Seen
    from autoopt.tasks.task import Task

Family = Literal["mlp", "cnn", "resnet", "rnn", "attention", "embedding", "autoencoder", "mixture", "other"]
TaskKind = Literal["classification", "regression", "language_model", "reconstruction", "other"]

_TITLES: dict[str, str] = {
    "mlp": "multilayer perceptron",
    "cnn": "convolutional network",
    "resnet": "residual convolutional network with batch norm",
    "rnn": "recurrent network",
    "attention": "attention network",
    "embedding": "embedding model",
    "autoencoder": "autoencoder",
    "mixture": "mixture of several families",
    "other": "network of an unknown family",
}


MOSTLY = 0.5  # a model with such a share of loaded weights counts as pre-trained


@dataclass(frozen=True)
class TaskProfile:
    """What advice needs to know of a task.

    Attributes:
        family: ``resnet`` is convolution with batch norm and skip connections; ``embedding`` a model most of
            whose parameters are lookup tables; ``mixture`` one where convolution, recurrence and attention
            share the parameters (none of them has three quarters); ``autoencoder`` a perceptron or
            convolutional network that gives back its input.
        n_parameters: of the whole model, shared ones counted once; ``n_trainable`` those that get gradients.
        n_train: rows of training data; ``None`` if the data do not say.
        steps_per_epoch: training batches in an epoch at the task's own batch size.
        task_kind: what is predicted; ``other`` if neither loss, metric nor model tells.
        sparse_gradients: some parameter gets sparse gradients, which many optimizers refuse.
        has_convolution: some layer is a convolution, if only one that cuts an image into patches.
        has_residual: a block adds its input, or a projection of it, to its output.
        pretrained: most weights were loaded: the model says so, or gets them whatever the seed.
        zero_gradients: share of the weights whose gradient in a batch is exactly zero, 0 to 1; ``None`` if no
            batch was looked at.
        sparse_data: share of those that other batches do move, so that the data are sparse and not the units
            dead. This and what follows are ``None`` unless ``measure_gradients`` was asked.
        noise_scale: rows of a batch whose gradient is as much noise as signal.
        noise_to_batch: the same as a multiple of the task's batch size.
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
    zero_gradients: float | None = None
    sparse_data: float | None = None
    noise_scale: float | None = None
    noise_to_batch: float | None = None

    def __str__(self) -> str:
        rows = "" if self.n_train is None else f", {self.n_train:,} training rows"
        sparse = ", sparse gradients" if self.sparse_gradients else ""
        loaded = ", pre-trained" if self.pretrained else ""
        frozen = "" if self.n_trainable == self.n_parameters else f" ({self.n_trainable:,} trainable)"
        kind = "" if self.task_kind == "other" else f", {self.task_kind.replace('_', ' ')}"
        return f"{_TITLES[self.family]}, {self.n_parameters:,} parameters{frozen}{loaded}{sparse}{kind}{rows}"


def profile_task(task: Task, gradients: GradientFacts | None = None) -> TaskProfile:
    """Say what kind of problem a task is, without training it.

    Builds the model a few times and puts one batch through it and back, with the caller's random state left
    as it was. Where the user's code fails on that, what the modules tell must do.

    Args:
        gradients: what ``measure_gradients`` found, where someone has the seconds for it.
    """
    from autoopt.tasks.pretrained import loaded_share
    from autoopt.tasks.randomness import OwnRandomness
    from autoopt.tasks.seen import see_batch

    with task.surroundings(), OwnRandomness(0):
        model = task.make_model()
        loaded = loaded_share(task.make_model)
    profile = profile_model(
        model,
        see_batch(task),
        loss_name=task.loss_name,
        metric_name=task.metric.name if task.metric else "",
        n_train=task.train.rows,
        steps_per_epoch=task.train.steps_per_epoch(task.batch_size, drop_single=task.has_batch_norm),
        sparse_gradients=task.sparse_gradients,
        pretrained=loaded >= MOSTLY,
    )
    if gradients is None:
        return profile
    rows = task.train.fixed_batch_size or task.batch_size
    return replace(
        profile,
        zero_gradients=gradients.zero_gradients,
        sparse_data=gradients.sparse_data,
        noise_scale=gradients.noise_scale,
        noise_to_batch=gradients.noise_scale / rows,
    )


def profile_model(
    model: nn.Module,
    seen: Seen | None = None,
    *,
    loss_name: str = "",
    metric_name: str = "",
    n_train: int | None = None,
    steps_per_epoch: int = 1,
    sparse_gradients: bool = False,
    pretrained: bool = False,
) -> TaskProfile:
    """Say what kind of network a model is; the task's facts are passed through.

    Args:
        seen: what a batch through the model has shown; without it, cells written by hand are not recognised.

    >>> from torch import nn
    >>> profile_model(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)), loss_name="mse_loss").family
    'mlp'
    """
    from torch import nn

    from autoopt.tasks.layers import adds_its_input, size

    modules = list(model.modules())
    uses = seen.uses if seen else None
    kinds = _kinds(model, uses)
    layers: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        if name in kinds:
            layers[kinds[name]] = layers.get(kinds[name], 0) + size(parameter)
    batch_norm = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in modules)
    residual = any(adds_its_input(m) for m in modules if not _holds(m, model, uses))
    sparse = any(isinstance(m, nn.Embedding | nn.EmbeddingBag) and m.sparse for m in modules)
    rebuilds = bool(seen and seen.reconstructs) or _says_it_rebuilds(model)
    return TaskProfile(
        family=_family(layers, batch_norm and residual, rebuilds),
        n_parameters=sum(size(p) for p in model.parameters()),
        n_trainable=sum(size(p) for p in model.parameters() if p.requires_grad),
        n_train=n_train,
        steps_per_epoch=steps_per_epoch,
        task_kind="reconstruction" if rebuilds else _task_kind(model, loss_name, metric_name, layers),
        has_batch_norm=batch_norm,
        has_layer_norm=any(re.search("layernorm|rmsnorm", type(m).__name__.lower()) for m in modules),
        sparse_gradients=sparse_gradients or sparse,
        has_recurrence="rnn" in layers,
        has_attention="attention" in layers,
        has_convolution="cnn" in layers or any(isinstance(m, nn.modules.conv._ConvNd) for m in modules),
        has_residual=residual,
        pretrained=pretrained or bool(getattr(getattr(model, "config", None), "name_or_path", "")),
        zero_gradients=seen.zero_gradients if seen else None,
    )


def _kinds(model: nn.Module, uses: Uses | None) -> dict[str, str]:
    """What each parameter is for, by name: as its module tells, and where that is mute, as it was used."""
    from autoopt.tasks.layers import kinds_by_module

    kinds = kinds_by_module(model)
    if uses is None:
        return kinds
    kinds = {**uses.kinds, **kinds}
    kinds |= {name: "attention" for name in uses.attending if kinds[name] == "mlp"}
    # a transformer that goes through one and the same layer several times is deep, not recurrent
    if not any(kinds.get(name) == "attention" for name in uses.recurrent):
        kinds |= {name: "rnn" for name in uses.recurrent if kinds.get(name) in ("mlp", "cnn")}
    return kinds


def _holds(module: nn.Module, model: nn.Module, uses: Uses | None) -> bool:
    """The module has recurrent weights, so that what it adds up are the parts of a cell."""
    if uses is None or not uses.recurrent:
        return False
    recurrent = {id(p) for name, p in model.named_parameters() if name in uses.recurrent}
    return any(id(p) in recurrent for p in module.parameters())


def _says_it_rebuilds(model: nn.Module) -> bool:
    return bool(re.search(r"auto_?encoder|^vae|vae$", type(model).__name__.lower()))


def _family(sizes: dict[str, int], residual: bool, rebuilds: bool) -> Family:
    family = _network_family(sizes, residual)
    return "autoencoder" if rebuilds and family in ("mlp", "cnn", "resnet", "other") else family


def _network_family(sizes: dict[str, int], residual: bool) -> Family:
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
    from autoopt.tasks.layers import has_vocabulary_head

    tokens = ("rnn" in layers or "attention" in layers) and has_vocabulary_head(model)
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
