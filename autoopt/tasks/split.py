"""The hold-out: part of the training data set aside for validation, the same for the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Subset

from autoopt.errors import TaskError
from autoopt.tasks.arrays import is_integer
from autoopt.tasks.batch import split_batch
from autoopt.tasks.explain import explained
from autoopt.tasks.loaders import DatasetSamples
from autoopt.tasks.samples import Samples, TensorSamples, shuffled

SHARE = 0.2
_READ_AT_MOST = 2_000  # rows of a Dataset read one by one to learn their classes


def hold_out(samples: Samples, seed: int, notes: list[str]) -> tuple[Samples, Samples]:
    """Return training and validation samples: 20 % of the rows are held out, by class if there are classes.

    Raises:
        TaskError: a stream or a DataLoader with a sampler of its own, or fewer than two rows.
    """
    if not isinstance(samples, (TensorSamples, DatasetSamples)):
        raise TaskError(
            "val_data is missing, and nothing can be held out of a stream or an own sampler: give it"
        )
    if samples.rows < 2:
        raise TaskError("train_data has one row, so nothing can be held out: give more rows, or val_data")
    classes = _find_classes(samples)
    held = _choose_by_class(classes, seed) if classes is not None else None
    how = "stratified by class" if held is not None else "at random"
    if held is None:
        count = max(1, round(SHARE * samples.rows))
        held = np.sort(shuffled(samples.rows, seed)[:count].numpy())
    kept = np.setdiff1d(np.arange(samples.rows), held)
    notes.append(f"no val_data: {len(held)} of {samples.rows} rows of train_data are held out, {how}")
    return samples.take(kept.tolist()), samples.take(held.tolist())


def _choose_by_class(classes: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any] | None:
    """Return the held-out rows, or ``None`` where some class has a single row or the part is too small."""
    from sklearn.model_selection import train_test_split

    counts = np.unique(classes, return_counts=True)[1]
    size = max(1, round(SHARE * len(classes)))
    if counts.min() < 2 or size < len(counts) or len(classes) - size < len(counts):
        return None
    rows = np.arange(len(classes))
    held = train_test_split(rows, test_size=size, stratify=classes, random_state=seed % 2**32)[1]
    return np.sort(np.asarray(held))


def _find_classes(samples: TensorSamples | DatasetSamples) -> np.ndarray[Any, Any] | None:
    """Return the class of every row when the targets are one integer a row, else ``None``."""
    targets = samples.target if isinstance(samples, TensorSamples) else _targets_of(samples.dataset)
    if targets is None or targets.ndim != 1 or not (is_integer(targets) or targets.dtype == torch.bool):
        return None
    return np.asarray(targets.cpu().numpy())


def _targets_of(dataset: Any) -> Tensor | None:
    """Return all targets of a dataset, from its attribute or, when it is small, from its rows."""
    if type(dataset) is Subset:
        targets = _targets_of(dataset.dataset)
        return None if targets is None else targets[torch.as_tensor(list(dataset.indices))]
    for name in ("targets", "labels"):
        found = getattr(dataset, name, None)
        if found is not None and hasattr(found, "__len__") and len(found) == len(dataset):
            return _as_tensor(found)
    if len(dataset) > _READ_AT_MOST:
        return None
    with explained("reading train_data"):
        rows = [dataset[row] for row in range(len(dataset))]
    if not all(isinstance(row, Mapping) or (isinstance(row, (tuple, list)) and len(row) > 1) for row in rows):
        return None
    return _as_tensor([_plain(split_batch(row)[1]) for row in rows])


def _plain(target: Any) -> Any:
    return target.item() if isinstance(target, (Tensor, np.generic)) and np.size(target) == 1 else target


def _as_tensor(values: Any) -> Tensor | None:
    try:
        return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        return None
