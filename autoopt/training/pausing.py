"""What of a model and its optimizer must be saved so that another process can train on from there, to the last bit.

torch's ``state_dict`` is not enough: it leaves out buffers that are not persistent and what objects keep in
attributes of their own, and ``Optimizer.load_state_dict`` turns what it loads into the type of the weights.
"""

from __future__ import annotations

import zlib
from collections.abc import Container, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from autoopt.errors import AutooptError
from autoopt.training.attributes import changes, note, plain

BOOKKEEPING = frozenset(vars(nn.Module())) - {"training"}  # of torch, in every module
STATE = ("state", "param_groups")


class Pausable:
    """A model and its optimizer, before their first step.

    Frozen weights are saved only if they have changed: those of a pretrained model are large, and made again.

    Args:
        model: fresh.
        optimizer: of its parameters.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        self._model, self._optimizer = model, optimizer
        self._parts = {id(part) for part in (*model.modules(), *model.parameters(), *model.buffers())}
        self._trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
        self._parts |= self._trained
        self._frozen = {name: _checksum(p) for name, p in self._still()}
        self._modules = {name: note(_own(module), self._parts) for name, module in model.named_modules()}
        self._notes = _note_optimizer(optimizer, self._parts)

    def state(self) -> dict[str, Any]:
        """Return all that training has changed, as plain data and tensors: not copies, but what it trains on.

        Raises:
            AutooptError: something has changed, or may have, that cannot be saved.
        """
        named = dict(self._model.named_parameters())
        moved = {name for name, p in self._still() if _checksum(p) != self._frozen.get(name)}
        weights = {n: p.detach() for n, p in named.items() if id(p) in self._trained or n in moved}
        try:
            modules = {
                name: found
                for name, module in self._model.named_modules()
                if (found := changes(_own(module), self._modules.get(name, {}), self._parts))
            }
        except AutooptError as error:
            raise AutooptError(f"the model keeps {error}") from error
        try:
            optimizer = _optimizer_state(self._optimizer, self._notes, self._parts)
        except AutooptError as error:
            raise AutooptError(f"{type(self._optimizer).__name__} keeps {error}") from error
        buffers = dict(self._model.named_buffers())
        return {"weights": weights, "buffers": buffers, "modules": modules, "optimizer": optimizer}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Any]) -> None:
        """Bring the fresh model and optimizer to what ``state`` returned of others.

        Raises:
            AutooptError: they do not fit.
        """
        parameters = dict(self._model.named_parameters())
        modules = dict(self._model.named_modules())
        if not set(state["weights"]) <= set(parameters) or not set(state["modules"]) <= set(modules):
            raise AutooptError("the model has other layers now")
        for name, weight in state["weights"].items():
            if weight.shape != parameters[name].shape:
                raise AutooptError(f"the weights {name!r} have another shape now")
            parameters[name].data.copy_(weight)
        for name, buffer in state["buffers"].items():
            _set_buffer(modules, name, buffer)
        for name, found in state["modules"].items():
            modules[name].__dict__.update(found)
        _restore_optimizer(self._optimizer, state["optimizer"])

    def _still(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the weights that the optimizer does not train."""
        return ((n, p) for n, p in self._model.named_parameters() if id(p) not in self._trained)


def _own(module: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if name not in BOOKKEEPING}


def _checksum(tensor: Tensor) -> int:
    numbers: Any = tensor.detach().to("cpu").contiguous().flatten().view(torch.uint8).numpy()
    return zlib.crc32(numbers)


def _set_buffer(modules: Mapping[str, nn.Module], name: str, value: Tensor) -> None:
    owner, _, own_name = name.rpartition(".")
    if owner not in modules:
        raise AutooptError("the model has other layers now")
    held = modules[owner]._buffers.get(own_name)
    if held is not None and (held.shape, held.dtype) == (value.shape, value.dtype):
        held.copy_(value)  # others may share it
    else:
        modules[owner]._buffers[own_name] = value


def _note_optimizer(optimizer: Optimizer, parts: Container[int]) -> dict[str, Any]:
    inner = {name: _note_optimizer(each, parts) for name, each in _inner(optimizer)}
    groups = [note(_settings(group), parts) for group in optimizer.param_groups]
    return {"attributes": note(_own_of(optimizer), parts), "groups": groups, "inner": inner}


def _optimizer_state(optimizer: Optimizer, noted: Mapping[str, Any], parts: Container[int]) -> dict[str, Any]:
    """Return the state of the parameters in the order of the groups, the groups' settings, and attributes."""
    groups = optimizer.param_groups
    states = [plain(_of(optimizer.state.get(p)), parts) for group in groups for p in group["params"]]
    return {
        "states": states,
        "common": {k: plain(_of(v), parts) for k, v in optimizer.state.items() if not isinstance(k, Tensor)},
        "groups": [changes(_settings(g), known, parts) for g, known in zip(groups, noted["groups"], strict=True)],
        "attributes": changes(_own_of(optimizer), noted["attributes"], parts),
        "inner": {
            name: _optimizer_state(each, noted["inner"][name], parts)
            for name, each in _inner(optimizer)
            if each.state is not optimizer.state
        },
    }  # fmt: skip


def _restore_optimizer(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if len(parameters) != len(state["states"]) or len(optimizer.param_groups) != len(state["groups"]):
        raise AutooptError("the optimizer has other parameters now")
    for parameter, found in zip(parameters, state["states"], strict=True):
        if found is not None:
            optimizer.state[parameter] = found
    for key, found in state["common"].items():
        optimizer.state[key] = found
    for group, settings in zip(optimizer.param_groups, state["groups"], strict=True):
        group.update(settings)
    optimizer.__dict__.update(state["attributes"])
    inner = dict(_inner(optimizer))
    for name, found in state["inner"].items():
        _restore_optimizer(inner[name], found)


def _of(state: Any) -> Any:
    return dict(state) if isinstance(state, dict) else state


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}


def _own_of(optimizer: Optimizer) -> dict[str, Any]:
    found = {n: v for n, v in vars(optimizer).items() if n not in STATE and not n.startswith("_optimizer_")}
    inner = {name.partition(".")[0] for name, _ in _inner(optimizer)}
    return {name: value for name, value in found.items() if name not in inner}


def _inner(optimizer: Optimizer) -> Iterator[tuple[str, Optimizer]]:
    """Yield the optimizers that one holds, by the name of its attribute, and their places in a list."""
    for name, value in vars(optimizer).items():
        if isinstance(value, Optimizer):
            yield name, value
        elif isinstance(value, list | tuple):
            flat = [each for item in value for each in (item if isinstance(item, tuple) else (item,))]
            yield from ((f"{name}.{k}", each) for k, each in enumerate(flat) if isinstance(each, Optimizer))
