from importlib import metadata

import pytest

from autoopt.recipe import Recipe
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.run import EpochReport, Run


def test_a_healthy_place_ends_with_status_0_and_is_left_as_it_was(command, tmp_path):
    outcome = command("doctor")
    assert outcome.status == 0
    assert "all is well" in outcome.out
    assert list(tmp_path.iterdir()) == []


def test_findings_as_json(command, tmp_path):
    Store.open(tmp_path / "autoopt.db").close()
    found = command("doctor", "--json").json
    assert found["versions"]["torch"] == metadata.version("torch")
    assert "cpu" in found["devices"]
    assert found["threads"]["usable"] >= 1
    place = str(tmp_path / "autoopt.db")
    assert found["storage"] == {"place": place, "studies": 0, "unsaved": [], "faults": [], "trouble": ""}
    assert found["troubles"] == []


@pytest.mark.parametrize("storage", ["no/folder/x.db", "mysql://there/x", "notes.txt"])
def test_a_storage_that_cannot_be_used_ends_with_status_1(command, tmp_path, storage):
    (tmp_path / "notes.txt").write_text("not a database, but a text that is long enough to be taken for one")
    outcome = command("doctor", "--storage", storage)
    assert outcome.status == 1
    assert "Error: " in outcome.err


def test_a_missing_library_is_named(command, monkeypatch):
    def version(package, real=metadata.version):
        if package == "optuna":
            raise metadata.PackageNotFoundError
        return real(package)

    monkeypatch.setattr(metadata, "version", version)
    outcome = command("doctor")
    assert outcome.status == 1
    assert "optuna is not installed" in outcome.err


def test_epochs_that_a_run_does_not_count_are_a_fault(command, tmp_path):
    with Store.open(tmp_path / "autoopt.db") as store:
        store.create_study(StudyRecord("digits", "digits", "", "f", "loss", "minimize", 2))
        run = Run(0, Recipe("sgd", {"lr": 0.1}), 1, 2)
        store.save("digits", runs=[run], reports=[EpochReport(0, 1, 1.0, 1.0, 1.0)])
    outcome = command("doctor")
    assert outcome.status == 1
    assert "in the storage: run 0 of study 'digits' counts 0 epochs; 1 are recorded" in outcome.err


def test_what_waits_to_be_put_into_the_storage_is_shown(command, tmp_path):
    Store.open(tmp_path / "autoopt.db").close()
    (tmp_path / "autoopt.db-unsaved-1.jsonl").touch()
    assert "autoopt.db-unsaved-1.jsonl" in command("doctor", "--json").json["storage"]["unsaved"][0]
