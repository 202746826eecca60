"""Optuna's tables and ours in one file."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import RDBStorage

from autoopt.errors import StorageError
from autoopt.records.engine import secured_storage
from autoopt.records.location import storage_url
from autoopt.records.store import Store

from .examples import in_forks, make_report, make_run, make_study

UNIT = {"x": FloatDistribution(0, 1)}


@pytest.fixture(autouse=True)
def _quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def add_trials(path, count):
    """Ask and tell through a secured storage, as the search does, and return the values."""
    storage = secured_storage(RDBStorage, storage_url(path))
    study = optuna.create_study(study_name="digits", storage=storage, load_if_exists=True)
    for _ in range(count):
        trial = study.ask(UNIT)
        study.tell(trial, trial.params["x"])
    values = [trial.value for trial in study.trials]
    storage.engine.dispose()
    return values


@pytest.mark.parametrize("name", ["autoopt.db", "50% {of} what?.db"])
def test_both_keep_a_study_in_one_file_and_optuna_opens_it_by_itself(tmp_path, name):
    with Store.open(tmp_path / name) as store:
        store.create_study(make_study())
        values = add_trials(tmp_path / name, 2)
        store.save("digits", runs=[make_run(trial=0)], reports=[make_report()])
        loaded = optuna.load_study(study_name="digits", storage=store.url)
        assert [trial.value for trial in loaded.trials] == values
        assert store.runs("digits")[0].run.trial == 0
        loaded._storage._backend.engine.dispose()  # Optuna never closes what it opened


def test_a_file_that_optuna_made_first_is_taken(path):
    add_trials(path, 1)
    with Store.open(path) as store:
        store.create_study(make_study())
        assert len(add_trials(path, 1)) == 2


def test_reading_a_file_of_optuna_alone_is_refused(path):
    add_trials(path, 1)
    with pytest.raises(StorageError, match="holds no studies of autoopt"):
        Store.open(path, readonly=True)


def test_deleting_our_study_leaves_that_of_optuna(path):
    with Store.open(path) as store:
        store.create_study(make_study())
        add_trials(path, 1)
        store.delete_study("digits")
        assert len(add_trials(path, 0)) == 1


def test_processes_that_start_on_a_new_file_together_all_get_their_trials(path):
    def start():
        Store.open(path).close()
        return len(add_trials(path, 3))

    answers = in_forks([start] * 4)
    assert [a for a in answers if not a.isdigit()] == []
    assert len(add_trials(path, 0)) == 12
