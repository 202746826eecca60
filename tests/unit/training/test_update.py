"""Which parameters are moved together, and which are left to torch."""

import copy
import gc
import weakref

import pytest
import torch
from torch import nn

from autoopt.training.update import Update


def begin(model, **settings):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1, **settings)
    return optimizer, Update(optimizer, model.buffers())


def take_steps(model, update, steps=3):
    for _ in range(steps):
        model.zero_grad()
        model(torch.ones(2, 4)).square().sum().backward()
        update.take_gradients()
        update.move()


def lies_flat(model):
    return len({p.untyped_storage().data_ptr() for p in model.parameters()}) == 1


def test_parameters_lie_in_one_vector_and_stay_the_same_objects():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    before = list(model.parameters())
    take_steps(model, begin(model)[1])
    assert lies_flat(model)
    assert all(a is b for a, b in zip(before, model.parameters(), strict=True))


def test_each_parameter_begins_where_torch_would_put_it():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 5))
    take_steps(model, begin(model)[1])
    assert {p.data_ptr() % 64 for p in model.parameters()} == {0}


def test_a_parameter_that_shares_memory_with_a_buffer_keeps_doing_so():
    model = nn.Linear(4, 3)
    model.register_buffer("mirror", model.weight.detach())
    take_steps(model, begin(model)[1])
    assert torch.equal(model.mirror, model.weight)
    assert not lies_flat(model)


def test_parameters_that_share_memory_with_each_other_keep_doing_so():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight.data = model[0].weight.data
    take_steps(model, begin(model)[1])
    assert torch.equal(model[0].weight, model[1].weight)


def test_weights_that_the_model_changes_itself_are_taken_as_they_are():
    class Clipped(nn.Linear):
        def forward(self, x):
            with torch.no_grad():
                self.weight.clamp_(-0.2, 0.2)
            return super().forward(x)

    model = nn.Sequential(Clipped(4, 4), nn.Linear(4, 1))
    _, update = begin(model)
    take_steps(model, update)
    with torch.no_grad():
        model(torch.ones(1, 4))
    assert model[0].weight.abs().max() <= 0.2


def test_the_norm_comes_with_gradients_that_lie_in_one_vector():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    _, update = begin(model)
    take_steps(model, update)
    model(torch.ones(2, 4)).square().sum().backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    assert update.take_gradients() == pytest.approx(float(expected))


@pytest.mark.parametrize("settings", [{"amsgrad": True}, {"maximize": True}])
def test_settings_with_another_arithmetic_are_left_to_torch(settings):
    model = nn.Linear(4, 3)
    optimizer, update = begin(model, **settings)
    seen = []
    optimizer.register_step_post_hook(lambda *_: seen.append(1))
    take_steps(model, update)
    assert len(seen) == 3


def test_sparse_gradients_are_left_to_torch():
    model = nn.Embedding(5, 3, sparse=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    update, before = Update(optimizer), model.weight.detach().clone()
    with torch.sparse.check_sparse_tensor_invariants(enable=False):
        for _ in range(3):
            model.zero_grad()
            model(torch.tensor([1, 1])).sum().backward()
            assert update.take_gradients() is None
            update.move()
    assert torch.equal(model.weight[0], before[0])
    assert (model.weight[1] < before[1]).all()


def test_other_classes_take_their_own_steps():
    class Mine(torch.optim.SGD):
        def step(self, closure=None):
            self.taken = getattr(self, "taken", 0) + 1

    model = nn.Linear(4, 3)
    optimizer = Mine(model.parameters())
    take_steps(model, Update(optimizer))
    assert optimizer.taken == 3


def test_a_rest_makes_no_other_vector_where_nothing_was_moved():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    _, update = begin(model)
    take_steps(model, update)
    before = model[0].weight.data_ptr()
    update.rest()
    take_steps(model, update)
    assert model[0].weight.data_ptr() == before


def test_after_a_rest_weights_and_state_are_taken_from_where_they_are_then():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    twin = copy.deepcopy(model)
    (optimizer, update), (_, undisturbed) = begin(model), begin(twin)
    for net, taking in ((model, update), (twin, undisturbed)):
        take_steps(net, taking)
        taking.rest()
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
        optimizer.state[parameter] = copy.deepcopy(optimizer.state[parameter])
    take_steps(model, update), take_steps(twin, undisturbed)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))
    assert lies_flat(model)


def test_what_is_let_go_of_can_be_freed():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    optimizer, update = begin(model)
    take_steps(model, update)
    vector = weakref.ref(optimizer.state[model[0].weight]["exp_avg"]._base)
    optimizer.state.clear()
    assert vector() is not None
    update.let_go()
    gc.collect()
    assert vector() is None


@pytest.mark.parametrize("before", [False, True])
def test_how_small_numbers_are_taken_comes_back_as_it_was(before):
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    torch.set_flush_denormal(before)
    try:
        take_steps(model, begin(model)[1])
        smallest = torch.tensor(torch.finfo(torch.float32).tiny) / 2
        assert (smallest.item() == 0.0) is before
    finally:
        torch.set_flush_denormal(False)
