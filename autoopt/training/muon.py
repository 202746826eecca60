"""MuonAdamW: Muon for a model's hidden matrices, AdamW for the rest.

Exported code holds this file's source, so its lines fit a terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """Return the weights that Muon is for: matrices between other layers.

    Embeddings are none, nor the last matrix of the model, which is taken for
    the output layer; where it shares its weights with an embedding, these are
    left out once. Kernels of convolutions have more than two dimensions and
    are no matrices.
    """
    hidden: list[nn.Parameter] = []
    apart: list[nn.Parameter] = []
    last: nn.Parameter | None = None
    for module in model.modules():
        embeds = isinstance(module, (nn.Embedding, nn.EmbeddingBag))
        for parameter in module.parameters(recurse=False):
            if parameter.ndim == 2:
                (apart if embeds else hidden).append(parameter)
                last = parameter
    left_out = {id(parameter) for parameter in (*apart, last)}
    found = {id(p): p for p in hidden if p.requires_grad}
    return [p for name, p in found.items() if name not in left_out]


class MuonAdamW(Optimizer):
    """torch's Muon for some groups, torch's AdamW for the others, one rate.

    Muon's steps are scaled to the size of AdamW's (Liu et al., 2025), so that
    one rate serves both. Learning-rate schedulers see one optimizer with one
    list of groups.

    Args:
        params: tensors, or groups of them; a group with ``use_muon`` true
            must hold matrices alone. Where it is not said, matrices are moved
            by Muon and everything else by AdamW.
        lr: learning rate of both.
        weight_decay: decoupled, of both.
        momentum: of Muon, with Nesterov's look-ahead.
        betas: of AdamW.

    Raises:
        ValueError: a number makes no sense, or Muon is to move no matrix.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"Invalid momentum value: {momentum}")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "betas": betas,
        }
        super().__init__(_split(list(params)), defaults)
        # the two get the same dictionaries and complete them, so that a
        # scheduler's rates reach both
        self._parts: list[tuple[bool, Optimizer]] = []
        scaling = "match_rms_adamw"
        if muon := self._groups(use_muon=True):
            self._parts.append((True, Muon(muon, adjust_lr_fn=scaling)))
        if adamw := self._groups(use_muon=False):
            self._parts.append((False, AdamW(adamw)))

    def _groups(self, *, use_muon: bool) -> list[dict[str, Any]]:
        return [g for g in self.param_groups if g["use_muon"] == use_muon]

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step; a closure, if given, computes the loss first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for use_muon, part in self._parts:
            # anew at every step: loading a state replaces the groups
            part.param_groups = self._groups(use_muon=use_muon)
            part.state = self.state
            part.step()
        return loss


def _split(params: list[Any]) -> list[dict[str, Any]]:
    """Return groups each of which says whether Muon is to move it."""
    if not params or not isinstance(params[0], dict):
        params = [{"params": params}]
    groups: list[dict[str, Any]] = []
    for group in params:
        members = list(group["params"])
        if "use_muon" in group:
            groups.append({**group, "params": members})
            continue
        for use_muon in (True, False):
            chosen = [p for p in members if (p.ndim == 2) == use_muon]
            groups.append({**group, "params": chosen, "use_muon": use_muon})
    return [group for group in groups if group["params"]]
