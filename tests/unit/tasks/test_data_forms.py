"""Every form in which data may come."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)

from autoopt.errors import TaskError
from autoopt.tasks.loaders import DatasetSamples, LoaderSamples
from autoopt.tasks.make import make_task
from autoopt.tasks.samples import TensorSamples

X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(60) % 3


def net() -> nn.Module:
    return nn.Linear(4, 3)


def task_of(train_data, **more):
    return make_task(model=more.pop("model", net), train_data=train_data, **more)


class Rows(Dataset):
    """A map-style dataset that is not in memory as tensors."""

    def __len__(self):
        return 60

    def __getitem__(self, row):
        return X[row], Y[row]


class Stream(IterableDataset):
    def __init__(self, rows=60):
        self.rows = rows

    def __iter__(self):
        return iter([(X[row % 60], Y[row % 60]) for row in range(self.rows)])


def first(samples, size=64):
    return next(iter(samples.batches(size)))


def test_arrays_in_double_precision_take_the_models_type():
    task = task_of((X.double().numpy(), Y.numpy().astype(np.int16)))
    inputs, target = first(task.train)
    assert (inputs.dtype, target.dtype) == (torch.float32, torch.int64)


def test_arrays_follow_a_model_in_double_precision():
    task = task_of((X.numpy(), Y.numpy()), model=lambda: nn.Linear(4, 3).double())
    assert first(task.train)[0].dtype == torch.float64


def test_read_only_strided_and_foreign_endian_arrays_are_taken():
    array = np.broadcast_to(X.numpy()[::-1, ::-1].astype(">f8"), (60, 4))
    assert task_of((array, Y.numpy().astype(np.uint16)[::-1])).train.rows == 48


def test_plain_lists_of_numbers_are_taken():
    assert task_of((X.tolist(), Y.tolist())).train.rows == 48


def test_data_frames_are_taken_by_their_numpy_form(monkeypatch):
    monkeypatch.delitem(sys.modules, "pandas", raising=False)  # other tests may have imported it
    frame = SimpleNamespace(to_numpy=lambda: X.double().numpy(), columns=["a"])
    series = SimpleNamespace(to_numpy=lambda: Y.numpy())
    task = task_of((frame, series))
    assert first(task.train)[0].dtype == torch.float32
    assert "pandas" not in sys.modules


def test_several_inputs_go_to_the_model_in_order():
    class Two(nn.Linear):
        def forward(self, first, second):
            assert second.dtype == torch.int64
            return super().forward(first) + second[:, None]

    task = task_of((X, Y, Y), model=lambda: Two(4, 3))
    assert task.loss_name == "cross_entropy"


def test_integer_inputs_are_cast_when_the_model_takes_floats_only():
    task = task_of((torch.randint(0, 17, (60, 4), dtype=torch.uint8), Y))
    assert first(task.train)[0].dtype == torch.float32
    assert any("integer inputs" in note and "float32" in note for note in task.notes)


def test_short_integers_become_int64_for_an_embedding():
    task = task_of(
        (np.ones((60, 4), dtype=np.uint8), Y),
        model=lambda: nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(12, 3)),
    )
    assert first(task.train)[0].dtype == torch.int64


def test_integer_inputs_that_the_model_takes_are_left_alone():
    task = task_of(
        (np.ones((60, 4), dtype=np.int32), Y),
        model=lambda: nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(12, 3)),
    )
    assert first(task.train)[0].dtype == torch.int32


def test_a_tensor_dataset_is_sliced_and_its_own_types_are_left_alone():
    task = task_of(
        TensorDataset(X.double(), Y), model=lambda: net().double(), val_data=TensorDataset(X.double(), Y)
    )
    assert isinstance(task.train, TensorSamples)
    assert first(task.train)[0].dtype == torch.float64


def test_parts_of_a_tensor_dataset_are_sliced():
    train, valid = random_split(TensorDataset(X, Y), [50, 10])
    task = task_of(train, val_data=valid)
    assert (task.train.rows, task.valid.rows) == (50, 10)
    assert torch.equal(first(task.train)[0], X[list(train.indices)])


def test_a_map_style_dataset_is_shuffled_by_the_seed_alone():
    task = task_of(Rows(), val_data=Rows())
    assert isinstance(task.train, DatasetSamples)
    torch.manual_seed(1)
    once = [batch[1].tolist() for batch in task.train.batches(16, shuffle_seed=4)]
    torch.manual_seed(2)
    assert once == [batch[1].tolist() for batch in task.train.batches(16, shuffle_seed=4)]
    assert once != [batch[1].tolist() for batch in task.train.batches(16, shuffle_seed=5)]


def test_a_list_of_rows_is_a_dataset():
    assert task_of([(x, int(y)) for x, y in zip(X, Y, strict=True)]).train.rows == 48


def test_a_function_of_a_dataset_class_is_called():
    assert task_of(Rows).train.rows == 48


def test_random_changes_to_rows_follow_the_seed():
    class Noisy(Rows):
        def __getitem__(self, row):
            return X[row] + torch.rand(()) + np.random.rand(), Y[row]

    task = task_of(Noisy(), val_data=(X, Y))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    once = torch.cat([x for x, _ in task.train.batches(16, shuffle_seed=4)])
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(once, torch.cat([x for x, _ in task.train.batches(16, shuffle_seed=4)]))


def test_a_loader_gives_its_batch_size_and_collate_function():
    def collate(rows):
        return torch.stack([x for x, _ in rows]) * 0 + 7, torch.stack([y for _, y in rows])

    task = task_of(DataLoader(Rows(), batch_size=10, shuffle=True, collate_fn=collate, drop_last=True))
    assert task.batch_size == 10
    assert task.train.fixed_batch_size is None
    assert float(first(task.train, 5)[0].min()) == 7
    assert task.train.steps_per_epoch(10) == 4  # of 48 rows
    assert task.valid.rows == 12


def test_drop_last_holds_in_training_only():
    task = task_of(
        DataLoader(Rows(), batch_size=16, shuffle=True, drop_last=True),
        val_data=DataLoader(Rows(), 16, drop_last=True),
    )
    assert [len(y) for _, y in task.train.batches(16, shuffle_seed=0)] == [16, 16, 16]
    assert sum(len(y) for _, y in task.valid.batches(16)) == 60


def test_a_batch_size_of_the_file_wins_over_the_loaders():
    assert task_of(DataLoader(Rows(), batch_size=10, shuffle=True), batch_size=6).batch_size == 6


def test_a_loader_that_does_not_shuffle_keeps_its_order_and_says_so():
    task = task_of(DataLoader(TensorDataset(X, Y), batch_size=10), val_data=(X, Y))
    assert torch.equal(next(iter(task.train.batches(10, shuffle_seed=3)))[0], X[:10])
    assert any("does not shuffle" in note for note in task.notes)


def test_a_loader_with_workers_is_taken():
    task = task_of(DataLoader(Rows(), batch_size=20, shuffle=True, num_workers=1), val_data=(X, Y))
    assert sum(len(y) for _, y in task.train.batches(20, shuffle_seed=1)) == 60


def test_a_loader_with_its_own_sampler_is_kept_whole():
    sampler = WeightedRandomSampler([1.0] * 60, 30, generator=torch.Generator())
    task = task_of(DataLoader(Rows(), batch_size=10, sampler=sampler), val_data=(X, Y))
    assert isinstance(task.train, LoaderSamples)
    assert (task.train.fixed_batch_size, task.train.rows, task.train.steps_per_epoch(99)) == (10, 30, 3)
    once = [y.tolist() for _, y in task.train.batches(99, shuffle_seed=1)]
    assert once == [y.tolist() for _, y in task.train.batches(99, shuffle_seed=1)]
    assert once != [y.tolist() for _, y in task.train.batches(99, shuffle_seed=2)]


def test_a_loader_with_its_own_batch_sampler_is_kept_whole():
    batches = [list(range(30)), list(range(30, 35))]
    task = task_of(DataLoader(Rows(), batch_sampler=batches), val_data=(X, Y))
    assert [len(y) for _, y in task.train.batches(7, shuffle_seed=1)] == [30, 5]
    assert task.batch_size == 30


def test_a_plain_batch_sampler_is_taken_for_its_size():
    sampler = BatchSampler(RandomSampler(Rows()), 25, drop_last=True)
    task = task_of(DataLoader(Rows(), batch_sampler=sampler), val_data=(X, Y))
    assert (task.batch_size, task.train.fixed_batch_size) == (25, None)
    assert [len(y) for _, y in task.train.batches(25, shuffle_seed=1)] == [25, 25]


def test_a_loader_of_a_stream_drops_its_last_batch_in_training_only():
    loader = DataLoader(Stream(25), batch_size=10, drop_last=True)
    task = task_of(loader, steps_per_epoch=3, val_data=DataLoader(Stream(25), batch_size=10, drop_last=True))
    assert [len(y) for _, y in task.train.batches(10, shuffle_seed=1)] == [10, 10, 10]
    assert [len(y) for _, y in task.valid.batches(10)] == [10, 10, 5]


def test_a_loader_with_its_own_sampler_needs_validation_data():
    with pytest.raises(TaskError, match="val_data is missing"):
        task_of(DataLoader(Rows(), batch_size=10, sampler=WeightedRandomSampler([1.0] * 60, 30)))


def test_a_stream_gives_the_stated_number_of_batches_an_epoch():
    task = task_of(Stream(), steps_per_epoch=6, val_data=(X, Y), batch_size=16)
    assert (task.train.rows, task.train.fixed_batch_size, task.train.steps_per_epoch(99)) == (None, 16, 6)
    assert [len(y) for _, y in task.train.batches(99, shuffle_seed=0)] == [16, 16, 16, 12, 16, 16]


def test_a_stream_as_validation_data_ends_where_it_ends():
    task = task_of((X, Y), val_data=Stream(40), steps_per_epoch=6, batch_size=16)
    assert [len(y) for _, y in task.valid.batches(99)] == [16, 16, 8]


def test_a_loader_of_a_stream_keeps_its_batch_size():
    task = task_of(DataLoader(Stream(), batch_size=5), steps_per_epoch=3, val_data=(X, Y), batch_size=16)
    assert task.batch_size == 5
    assert any("batch_size 16 is not used" in note for note in task.notes)


def test_a_loader_of_a_stream_of_whole_batches_is_taken():
    class Batches(IterableDataset):
        def __iter__(self):
            return iter(zip(X.split(20), Y.split(20), strict=True))

    task = task_of(DataLoader(Batches(), batch_size=None), steps_per_epoch=3, val_data=(X, Y))
    assert task.batch_size == 20


def test_a_stream_draws_its_random_numbers_by_the_seed():
    class Random(IterableDataset):
        def __iter__(self):
            while True:
                yield torch.rand(4), 1

    task = task_of(Random(), steps_per_epoch=2, val_data=(X, Y), batch_size=3)
    once = torch.cat([x for x, _ in task.train.batches(3, shuffle_seed=1)])
    torch.rand(3)
    assert torch.equal(once, torch.cat([x for x, _ in task.train.batches(3, shuffle_seed=1)]))
    assert not torch.equal(once, torch.cat([x for x, _ in task.train.batches(3, shuffle_seed=2)]))


def test_an_exhausted_stream_ends_with_an_error_and_not_in_an_endless_loop():
    task = task_of(Stream(60), steps_per_epoch=3, val_data=(X, Y))
    task.train.dataset.rows = 0
    with pytest.raises(TaskError, match="gives no rows"):
        list(task.train.batches(64, shuffle_seed=0))


def test_a_stream_of_the_hugging_face_kind_is_told_the_epoch():
    class Told(Stream):
        epochs = ()

        def set_epoch(self, epoch):
            self.epochs = (*self.epochs, epoch)

    task = task_of(Told(), steps_per_epoch=1, val_data=(X, Y))
    list(task.train.batches(64, shuffle_seed=11))
    assert task.train.dataset.epochs == (11,)


def test_dicts_of_arrays_give_dict_batches():
    class Net(nn.Linear):
        def forward(self, x):
            return super().forward(x)

    task = task_of({"x": X.double().numpy(), "labels": Y.numpy()}, model=lambda: Net(4, 3))
    batch = first(task.train)
    assert set(batch) == {"x", "labels"}
    assert batch["x"].dtype == torch.float32
    assert (task.loss_name, task.valid.rows) == ("cross_entropy", 12)
    assert any("stratified" in note for note in task.notes)


def test_one_array_goes_whole_to_a_step():
    def step(model, batch):
        return model(batch).square().mean()

    task = task_of(X.numpy(), step=step)
    assert (task.train.rows, task.loss_name) == (48, "step")


def test_missing_values_are_the_steps_own_business():
    with_gaps = X.clone()
    with_gaps[0, 0] = float("nan")
    task = task_of((with_gaps, Y), step=lambda model, batch: model(batch[0].nan_to_num()).square().mean())
    assert task.train.rows == 48


def test_a_last_batch_of_one_row_is_dropped_for_batch_norm_only_where_asked():
    task = task_of(
        (X, Y),
        val_data=(X[:5], Y[:5]),
        batch_size=59,
        model=lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)),
    )
    assert task.has_batch_norm
    assert [len(y) for _, y in task.train.batches(59, shuffle_seed=1, drop_single=True)] == [59]
    assert [len(y) for _, y in task.train.batches(59, shuffle_seed=1)] == [59, 1]


@pytest.mark.parametrize(
    "data", [(X, Y), Rows(), DataLoader(Rows(), 10, shuffle=True)], ids=["arrays", "rows", "loader"]
)
@pytest.mark.parametrize("size", [1, 7, 59, 60, 100])
@pytest.mark.parametrize("drop_single", [False, True])
def test_steps_per_epoch_are_the_batches_that_come(data, size, drop_single):
    samples = task_of(data, val_data=(X, Y)).train
    told = samples.steps_per_epoch(size, drop_single=drop_single)
    assert told == len(list(samples.batches(size, shuffle_seed=3, drop_single=drop_single)))


def test_what_works_in_place_on_a_batch_leaves_the_data_alone():
    task = task_of(
        (X.clone(), Y),
        val_data=(X.clone(), Y),
        model=lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3)),
    )
    for batch in task.valid.batches(64):
        task.batch_loss(task.make_model(), batch)
    assert torch.equal(first(task.valid)[0], X)
