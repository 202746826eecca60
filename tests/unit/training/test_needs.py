"""What a run needs, against what can be counted by hand."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from autoopt.recipe import Recipe
from autoopt.tasks.loaders import DatasetSamples, LoaderSettings
from autoopt.tasks.read import Reading, read_samples
from autoopt.training import needs as needs_module
from autoopt.training.needs import FirstBatches, Needs, advice, describe_data, measure_needs

from .examples import make_net, make_rows, make_task

ADAM = Recipe("adam", {"lr": 1e-3})
PARAMETERS = 6 * 8 + 8 + 8 * 3 + 3


def test_weights_gradients_and_state_are_those_of_the_model():
    found = measure_needs(make_task(), ADAM, "cpu")
    assert found.weights == found.gradients == 4 * PARAMETERS
    # two numbers a weight, and a count for each of four parameters
    assert found.state == 2 * 4 * PARAMETERS + 4 * 4


def test_activations_are_what_the_backward_pass_needs():
    """Of 16 rows: the inputs, both sides of the ReLU as one, log-probabilities, classes and a weight of the loss."""
    plain = measure_needs(make_task(), ADAM, "cpu").activations
    assert 16 * (6 + 8 + 3) * 4 + 16 * 8 <= plain <= 16 * (6 + 8 + 8 + 3 + 3) * 4 + 16 * 8 + 64
    halves = measure_needs(make_task(batch_size=8), ADAM, "cpu").activations
    assert halves == pytest.approx(plain / 2, rel=0.05)


def test_frozen_parameters_take_no_gradient_and_no_state():
    def frozen():
        net = make_net()
        net[0].requires_grad_(False)
        return net

    found = measure_needs(make_task(frozen), ADAM, "cpu")
    assert (found.weights, found.gradients) == (4 * PARAMETERS, 4 * (8 * 3 + 3))


def test_an_epoch_takes_as_long_as_its_steps_and_the_evaluation():
    found = measure_needs(make_task(), ADAM, "cpu")
    assert found.seconds_step > 0
    assert found.seconds_epoch == pytest.approx(4 * found.seconds_step + found.seconds_evaluation)


def test_adding_up_gradients_makes_fewer_steps_of_the_same_memory():
    plain, added = (measure_needs(make_task(accumulate=n), ADAM, "cpu") for n in (1, 4))
    assert added.activations == plain.activations
    assert added.seconds_epoch == pytest.approx(added.seconds_step + added.seconds_evaluation)


def test_a_task_for_which_there_is_no_memory_gets_advice_and_not_a_crash():
    def greedy(model, batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    task = make_task(batch_loss=greedy)
    found = measure_needs(task, ADAM, "cpu")
    assert not found.fits
    told = advice(found, task)
    assert told[0].startswith("--batch-size 4 --accumulate 4 makes the same steps")
    assert any("--precision bf16" in line for line in told)


def test_other_errors_are_the_users_own():
    def wrong(model, batch):
        raise KeyError("labels")

    with pytest.raises(KeyError):
        measure_needs(make_task(batch_loss=wrong), ADAM, "cpu")


def test_where_the_state_is_the_load_optimizers_with_less_are_named(monkeypatch):
    found = Needs("", 1.0, 1.0, 1.0, weights=10, gradients=10, state=20, activations=1, free=30)
    (told,) = advice(found, make_task())
    assert told.startswith("--optimizers sgd,lion")
    assert advice(Needs("", 1.0, 1.0, 1.0, 10, 10, 20, 1, free=100), make_task()) == []


def test_an_epoch_of_first_batches_ends_after_them():
    short = FirstBatches(make_rows(50), 2)
    assert short.steps_per_epoch(8) == len(list(short.batches(8))) == 2
    assert FirstBatches(make_rows(50), 99).steps_per_epoch(8) == 7


def test_data_are_described_by_how_their_batches_are_made():
    dataset = TensorDataset(torch.zeros(8, 3), torch.zeros(8, dtype=torch.long))
    listed = DatasetSamples([(torch.zeros(3), 0)], LoaderSettings(num_workers=2))
    assert describe_data(make_rows(50)) == "held as tensors (0.0016 MB)"
    assert describe_data(listed) == "loaded row by row by a DataLoader with 2 workers"
    own = DataLoader(dataset, sampler=torch.utils.data.WeightedRandomSampler([1.0] * 8, 8))
    read = read_samples(own, Reading("train_data", 4), [])
    assert describe_data(read) == "from the DataLoader as it is"


def test_the_probe_leaves_models_without_batches_to_spare_alone():
    """A data set of fewer batches than are timed."""
    found = measure_needs(make_task(train=make_rows(20)), ADAM, "cpu")
    assert needs_module.STEPS > 2
    assert found.seconds_step > 0


def test_a_module_that_keeps_nothing_for_the_backward_pass_counts_less():
    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = make_net()

        def forward(self, x):
            return torch.utils.checkpoint.checkpoint(self.net, x, use_reentrant=False)

    plain, kept = (measure_needs(make_task(m), ADAM, "cpu").activations for m in (make_net, Checkpointed))
    assert kept < plain
