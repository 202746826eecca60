"""The journal: what is written down when."""

from __future__ import annotations

import pytest

from autoopt.recipe import Recipe
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.run import EpochReport, Run
from autoopt.search import journal as journal_module
from autoopt.search.budget import Budget, Ledger
from autoopt.search.journal import Journal

RUN = Run(0, Recipe("sgd", {"lr": 0.1}), 0, 2)


@pytest.fixture
def journal():
    """Of a study with one run of two epochs."""
    with Store.open(":memory:") as store:
        store.create_study(StudyRecord("s", "t", "", "f", "loss", "minimize", 2))
        journal = Journal(store, "s", "loss", "minimize", Ledger(Budget(8), 2))
        journal.start([RUN])
        yield journal


@pytest.mark.parametrize(("epochs", "saved"), [(1, 0), (2, 2)])
def test_the_end_of_a_run_does_not_wait_to_be_written_down(journal, monkeypatch, epochs, saved):
    monkeypatch.setattr(journal_module, "PAUSE_SECONDS", 1e9)
    monkeypatch.setattr(journal_module, "END_PAUSE_SECONDS", 0.0)
    for epoch in range(1, epochs + 1):
        journal.add(EpochReport(0, epoch, 1.0, 1.0, 1.0))
    assert len(journal.store.reports("s").get(0, ())) == saved
