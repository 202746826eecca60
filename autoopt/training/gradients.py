"""The norm of a whole gradient, and clipping by it or by value, for dense and sparse gradients alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm


@torch.no_grad()
def gradient_norm(gradients: Iterable[Tensor]) -> Tensor:
    """Return the 2-norm of all gradients taken as one vector; 0 when there are none.

    A sparse gradient may name a row several times; its entries are added up first, as the optimizer does.
    """
    # torch has no norm of a sparse tensor
    return get_total_norm([g.coalesce().values() if g.is_sparse else g for g in gradients])


@torch.no_grad()
def gradient_norms(gradients: Sequence[Tensor]) -> list[Tensor]:
    """Return the 2-norm of each gradient; a row that a sparse one names several times is added up first."""
    dense = [g.coalesce().values() if g.is_sparse else g for g in gradients]
    return (
        [torch.linalg.vector_norm(g) for g in dense] if len(dense) < 3 else list(torch._foreach_norm(dense))
    )


def clip_gradients(parameters: Sequence[Tensor], limit: float) -> Tensor:
    """Scale the gradients so that their common 2-norm is at most ``limit``; return the norm before that."""
    if not any(p.grad is not None and p.grad.is_sparse for p in parameters):
        return clip_grad_norm_(parameters, limit)
    norm = gradient_norm(p.grad for p in parameters if p.grad is not None)
    clip_grads_with_norm_(parameters, limit, norm)
    return norm


@torch.no_grad()
def clip_values(parameters: Sequence[Tensor], limit: float) -> Tensor:
    """Cut every number of the gradients off at ``limit`` and −``limit``; return their common 2-norm before that."""
    norm = gradient_norm(p.grad for p in parameters if p.grad is not None)
    sparse = [p for p in parameters if p.grad is not None and p.grad.is_sparse]
    for parameter in sparse:
        assert parameter.grad is not None
        parameter.grad = parameter.grad.coalesce()  # the entries of a row add up before they are cut
        parameter.grad.values().clamp_(-limit, limit)
    if dense := [p for p in parameters if p.grad is not None and not p.grad.is_sparse]:
        clip_grad_value_(dense, limit)
    return norm
