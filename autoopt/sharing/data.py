"""The data of a study's task: loaded by the process that leads, mapped by its helpers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from autoopt.errors import AutooptWarning
from autoopt.sharing.crew import Order
from autoopt.tasks.fingerprint import fingerprint_code
from autoopt.tasks.handed import first_losses
from autoopt.tasks.load import load_task
from autoopt.tasks.location import locate
from autoopt.tasks.samples import TensorSamples
from autoopt.tasks.task import Task
from autoopt.training.device import one_thread
from autoopt.training.holding import hold_data
from autoopt.training.mapped import MappedData, map_data, read_mapped


@dataclass(frozen=True)
class Handed:
    """A task whose data helpers can have.

    Attributes:
        task: with its tensors mapped, as far as it had any.
        held: the same with all data mapped, to be trained; ``None`` where nothing was mapped.
        descriptor: of the file in which they are.
    """

    task: Task
    held: Task | None = None
    descriptor: int | None = None


@contextmanager
def hand_out(task: Task, *, wanted: bool) -> Iterator[Handed]:
    """Put the data of a task where helpers can map them, if they are wanted, large, and tensors or can be held as such.

    Where that is not possible, each helper loads them itself.
    """
    mapped = None
    if wanted and task.source:
        try:
            with one_thread():  # as in helpers, for losses are compared to the last bit
                mapped = map_data(hold_data(task, "cpu"))
        except Exception as error:
            warnings.warn(f"every worker loads the data itself, for they could not be shared: {error}", AutooptWarning,
                          stacklevel=2)  # fmt: skip
    if mapped is None:
        yield Handed(task)
        return
    with mapped.file:
        handed = Handed(_with_tensors(task, mapped), mapped.into(task), mapped.file.fileno())
        del task  # with the tensors that were loaded: nobody needs them any more
        yield handed


def _with_tensors(task: Task, mapped: MappedData) -> Task:
    """Return a task with its tensors mapped; a data set stays one for whoever asks what the task is."""
    given: dict[str, Any] = {name: getattr(task, name) for name in mapped.parts}
    tensors = {name: mapped.parts[name] for name in given if isinstance(given[name], TensorSamples)}
    return replace(task, **tensors)


def load_as_helper(order: Order | None, source: Any, **settings: Any) -> Task:
    """Load a task as ``load_task`` does, a helper with the data that were handed to it, where that is the same.

    It is if the file is the same and an untrained model has the same losses as in the process that loaded the data;
    else the helper loads them as well.

    Args:
        order: of this process; ``None`` if it is no helper.
        settings: as for ``load_task``.
    """
    if order is not None and order.data is not None:
        try:
            handed = read_mapped(order.data)
            if fingerprint_code(locate(source).file.read_bytes()) == handed.code:
                with one_thread():
                    task = load_task(source, handed=handed, **settings)
                    if first_losses(task) == handed.losses:
                        return task
        except Exception as error:  # what the file's data functions leave behind may be missing
            warnings.warn(f"data are loaded again, not mapped: {error}", AutooptWarning, stacklevel=2)
    return load_task(source, **settings)
