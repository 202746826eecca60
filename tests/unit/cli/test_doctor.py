from importlib import metadata

import pytest

from autoopt.records.store import Store


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
    assert found["storage"] == {"place": str(tmp_path / "autoopt.db"), "studies": 0, "trouble": ""}
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
