"""Samples that come out of the user's Dataset, DataLoader or IterableDataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, Subset

from autoopt.errors import TaskError
from autoopt.tasks.batch import count_rows
from autoopt.tasks.randomness import OwnRandomness, draw_apart
from autoopt.tasks.samples import count_batches, shuffled
from autoopt.tasks.task import Batch


@dataclass(frozen=True)
class LoaderSettings:
    """What is taken over from the user's DataLoader; the defaults are those of torch."""

    collate_fn: Callable[[list[Any]], Any] | None = None
    num_workers: int = 0
    pin_memory: bool = False
    timeout: float = 0
    worker_init_fn: Callable[[int], None] | None = None
    multiprocessing_context: Any = None
    prefetch_factor: int | None = None

    @classmethod
    def of(cls, loader: DataLoader[Any]) -> LoaderSettings:
        """Read the settings of a loader."""
        return cls(**{name: getattr(loader, name) for name in cls.__dataclass_fields__})

    def arguments(self) -> dict[str, Any]:
        """Return them as DataLoader's arguments; memory is pinned only where there is a GPU."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**values, "pin_memory": self.pin_memory and torch.cuda.is_available()}


@dataclass(frozen=True, eq=False)
class DatasetSamples:
    """Rows of a map-style dataset, loaded one by one and collated.

    Attributes:
        drop_last: leave out an incomplete last batch, as the user's DataLoader does.
        in_order: the user's DataLoader does not shuffle, so neither do we.
    """

    dataset: Any
    settings: LoaderSettings = field(default_factory=LoaderSettings)
    drop_last: bool = False
    in_order: bool = False

    @property
    def rows(self) -> int:
        return len(self.dataset)

    @property
    def fixed_batch_size(self) -> int | None:
        return None

    def steps_per_epoch(self, batch_size: int, *, drop_single: bool = False) -> int:
        return count_batches(self.rows, batch_size, drop_last=self.drop_last, drop_single=drop_single)

    def batches(
        self, batch_size: int, *, shuffle_seed: int | None = None, drop_single: bool = False
    ) -> Iterator[Batch]:
        seed = shuffle_seed or 0
        whole = self.in_order or shuffle_seed is None
        order = torch.arange(self.rows, device="cpu") if whole else shuffled(self.rows, seed)
        # an evaluation must see every row, whatever the loader drops in training
        drop_last = self.drop_last and shuffle_seed is not None
        steps = count_batches(self.rows, batch_size, drop_last=drop_last, drop_single=drop_single)
        chosen = [order[i * batch_size : (i + 1) * batch_size].tolist() for i in range(steps)]
        generator = torch.Generator().manual_seed(seed)
        with OwnRandomness(seed) as randomness:
            loader = DataLoader(
                self.dataset, batch_sampler=chosen, generator=generator, **self.settings.arguments()
            )
            batches = iter(loader)
        yield from draw_apart(batches, randomness)

    def take(self, rows: Sequence[int]) -> DatasetSamples:
        """Return these rows only."""
        return replace(self, dataset=Subset(self.dataset, rows))


@dataclass(frozen=True, eq=False)
class LoaderSamples:
    """A user's DataLoader with a sampler of its own, kept whole.

    Attributes:
        batch_size: rows of its batches, as far as it tells.
    """

    loader: DataLoader[Any]
    batch_size: int

    @property
    def rows(self) -> int | None:
        source: Any = (
            self.loader.sampler if type(self.loader.batch_sampler) is BatchSampler else self.loader.dataset
        )
        return len(source) if hasattr(source, "__len__") else None

    @property
    def fixed_batch_size(self) -> int | None:
        return self.batch_size

    def steps_per_epoch(self, batch_size: int, *, drop_single: bool = False) -> int:  # noqa: ARG002  the loader's own
        steps = len(self.loader)
        rows = self.rows
        ends_single = (
            type(self.loader.batch_sampler) is BatchSampler
            and rows
            and rows % self.batch_size == 1
            and steps > 1
        )
        return steps - 1 if drop_single and ends_single and not self.loader.drop_last else steps

    def batches(
        self, batch_size: int, *, shuffle_seed: int | None = None, drop_single: bool = False
    ) -> Iterator[Batch]:
        seed = shuffle_seed or 0
        for owner in (self.loader, self.loader.sampler, self.loader.batch_sampler):
            generator = getattr(owner, "generator", None)
            if isinstance(generator, torch.Generator):
                generator.manual_seed(seed)
        with OwnRandomness(seed) as randomness:
            batches = iter(self.loader)
        steps = self.steps_per_epoch(batch_size, drop_single=drop_single)
        yield from islice(draw_apart(batches, randomness), steps)


@dataclass(frozen=True, eq=False)
class StreamSamples:
    """A stream of rows (IterableDataset): an epoch is a given number of batches.

    In training an exhausted stream starts again within the epoch; in an evaluation it ends there.

    Attributes:
        batch_size: rows a batch; ``None`` when the stream gives whole batches.
        first_rows: rows of its first batch, where ``batch_size`` is ``None``.
        drop_last: leave out an incomplete batch at the end of the stream in training.
    """

    dataset: Any
    steps: int
    batch_size: int | None
    settings: LoaderSettings = field(default_factory=LoaderSettings)
    first_rows: int = 1
    drop_last: bool = False

    @property
    def rows(self) -> int | None:
        return None

    @property
    def fixed_batch_size(self) -> int | None:
        return self.batch_size or self.first_rows

    def steps_per_epoch(self, batch_size: int, *, drop_single: bool = False) -> int:  # noqa: ARG002  as stated
        return self.steps

    def batches(
        self,
        batch_size: int,  # noqa: ARG002  the stream's own
        *,
        shuffle_seed: int | None = None,
        drop_single: bool = False,
    ) -> Iterator[Batch]:
        seed = shuffle_seed or 0
        if shuffle_seed is not None and callable(set_epoch := getattr(self.dataset, "set_epoch", None)):
            set_epoch(seed)
        randomness = OwnRandomness(seed)
        left = self.steps
        while left:
            before = left
            opened = self._open(randomness, seed, drop_last=self.drop_last and shuffle_seed is not None)
            for batch in islice(draw_apart(opened, randomness), left):
                if drop_single and count_rows(batch) == 1:
                    continue
                left -= 1
                yield batch
            if shuffle_seed is None:
                return
            if left == before:
                raise TaskError("the IterableDataset gives no rows (it may be exhausted after its first use)")

    def _open(self, randomness: OwnRandomness, seed: int, *, drop_last: bool) -> Iterator[Batch]:
        with randomness:
            loader = DataLoader(
                self.dataset,
                batch_size=self.batch_size,
                drop_last=drop_last,
                generator=torch.Generator().manual_seed(seed),
                **self.settings.arguments(),
            )
            return iter(loader)


def loader_batch_size(loader: DataLoader[Any]) -> int | None:
    """Return the rows of the loader's batches, as far as it or its batch sampler tells."""
    size = loader.batch_size or getattr(loader.batch_sampler, "batch_size", None)
    return size if isinstance(size, int) else None


def has_plain_sampler(loader: DataLoader[Any]) -> bool:
    """Return whether the loader only goes through its dataset, in order or shuffled."""
    if type(loader.batch_sampler) is not BatchSampler:
        return False
    if isinstance(loader.sampler, RandomSampler):
        return not loader.sampler.replacement and loader.sampler.num_samples == len(
            loader.sampler.data_source
        )
    return type(loader.sampler) is SequentialSampler
