import pytest
import torch
from torch.func import grad, vmap

from autoopt.training.stack.tracing import trace


def loss(w, x):
    return ((w @ x.T).tanh() ** 2).mean() + torch.nn.functional.log_softmax(w, -1)[0]


def test_a_trace_gives_the_same_numbers_to_the_last_bit():
    function = vmap(grad(loss), in_dims=(0, None))
    w, x = torch.randn(5, 7), torch.randn(9, 7)
    traced = trace(lambda w, x: (function(w, x),), [w, x])
    for _ in range(2):
        w = w + 1
        assert torch.equal(traced(w, x)[0], function(w, x))


def test_a_trace_draws_at_every_call_and_tracing_draws_nothing():
    state = torch.get_rng_state()
    traced = trace(lambda w: (w * torch.rand(3), torch.rand(3)), [torch.ones(3)])
    assert torch.equal(torch.get_rng_state(), state)
    (first, other), (second, _) = traced(torch.ones(3)), traced(torch.ones(3))
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_branch_on_a_number_of_a_row_is_refused():
    with pytest.raises(RuntimeError):
        trace(lambda w: (vmap(lambda r: r * 2 if r.sum() > 0 else r)(w),), [torch.ones(2, 3)])
