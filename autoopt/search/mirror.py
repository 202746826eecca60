"""The trials of a study in Optuna's own tables, for Optuna's own tools.

A search keeps its trials in memory, since asking and telling through a database takes longer than training small
models does; what must not be lost is in the journal. This writes them down, a few at a time, beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from autoopt.records.engine import secured_storage
from autoopt.run import Direction


def mirror_trials(name: str, url: str, direction: Direction, trials: Sequence[FrozenTrial]) -> None:
    """Bring finished trials to Optuna's tables of a database, under the numbers that they have.

    Trials after the first unfinished one wait, for numbers are given in order. Where what is written there
    differs, as when a larger budget takes up a trial again, the study is written anew.

    Raises:
        StorageError: the database cannot be written.
    """
    with quiet_optuna():
        storage = secured_storage(RDBStorage, url)
        try:
            study = optuna.create_study(
                study_name=name, storage=storage, direction=direction, load_if_exists=True
            )
            written = study.get_trials(deepcopy=False)
            finished = _finished(trials)
            if not all(map(_agree, written, finished)) or len(written) > len(finished):
                optuna.delete_study(study_name=name, storage=storage)
                study = optuna.create_study(study_name=name, storage=storage, direction=direction)
                written = []
            study.add_trials(finished[len(written) :])
        finally:
            storage.engine.dispose()


def _finished(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    unfinished = (place for place, trial in enumerate(trials) if not trial.state.is_finished())
    return list(trials[: next(unfinished, len(trials))])


def _agree(one: FrozenTrial, other: FrozenTrial) -> bool:
    return (one.state, one.value, one.params) == (other.state, other.value, other.params)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna's "a new study was created" off the caller's terminal."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
