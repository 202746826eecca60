from dataclasses import replace

import pytest

from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.tasks.profile import TaskProfile
from autoopt.verdict.audit import audit_study
from autoopt.verdict.studied import StudiedRuns
from tests.unit.verdict.studies import MadeStudy


@pytest.fixture
def study(tmp_path):
    """A database with a study of three optimizers and nine epochs, not judged yet."""
    made = (
        MadeStudy()
        .add("adam", 1e-3, [0.2] * 9)
        .add("adam", 1e-2, [0.3])
        .add("sgd", 0.1, [0.9] * 9, momentum=0.9)
    )
    made.add("rmsprop", 1e-3, [0.8] * 9).confirm("adam", scores=[0.19, 0.2, 0.21])
    with Store.open(tmp_path / "autoopt.db") as store:
        store.create_study(StudyRecord("digits", "digits", "task.py", "f", "loss", "minimize", 9))
        runs = [record.run for record in made.records]
        reports = [report for curve in made.reports.values() for report in curve]
        store.save("digits", runs=runs, reports=reports, records=made.records)
    return made


@pytest.fixture
def judged(study, tmp_path, recommendation):
    """The same with a verdict that holds an audit."""
    runs = StudiedRuns(study.records, study.reports, "loss", "minimize", study.epochs)
    audit = audit_study(runs, TaskProfile("mlp", 1_000, 1_000, n_train=500, steps_per_epoch=10), "adam")
    with Store.open(tmp_path / "autoopt.db") as store:
        store.save_verdict("digits", replace(recommendation, study="digits", audit=audit).to_dict())
    return audit


def test_audit_shows_rules_optimizers_and_the_documents_tables_without_the_task_file(
    command, judged, tmp_path, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "140")
    assert not (tmp_path / "task.py").exists()
    outcome = command("audit", "digits")
    assert (outcome.status, outcome.err) == (0, "")
    for part in (
        "✓ Adam is the default for most problems; small data sets call for Adam. (D2, D3, D4)",
        "agrees, single runs: best Adam 0.2 against RMSprop 0.8",
        "SGD with momentum", "0.2 [0.18, 0.22], 3 seeds", "very fast (D4)", "1 floats a parameter", "D4: Optimizers",
    ):  # fmt: skip
        assert " ".join(part.split()) in " ".join(outcome.out.split())


def test_audit_as_json_is_what_the_verdict_holds(command, judged):
    facts = command("audit", "digits", "--json").json
    assert facts["study"] == "digits"
    assert {name: facts[name] for name in judged.to_dict()} == judged.to_dict()


def test_show_says_the_audit_in_brief(command, judged):
    out = " ".join(command("show", "digits", "--runs", 0).out.split())
    agree = sum(finding.stance == "agrees" for finding in judged.findings)
    assert f"What the documents say rules: {agree} agree" in out
    assert "'autoopt audit digits' shows them" in out


def test_a_study_without_a_verdict_is_compared_and_says_what_the_rules_need(command, study):
    outcome = command("audit", "digits")
    assert outcome.status == 0
    assert "RMSprop" in outcome.out
    assert "there is no recommendation yet" in outcome.out
    assert set(command("audit", "digits", "--json").json) == {"study", "objective", "comparison"}


def test_a_verdict_of_an_older_version_says_how_to_have_its_rules_checked(
    command, study, tmp_path, recommendation
):
    document = replace(recommendation, study="digits").to_dict()
    del document["audit"]
    with Store.open(tmp_path / "autoopt.db") as store:
        store.save_verdict("digits", document)
    assert "kept no profile of the task" in command("audit", "digits").out


def test_an_unknown_study_offers_the_nearest_and_an_empty_one_says_so(command, study, tmp_path):
    outcome = command("audit", "digit")
    assert outcome.status == 2
    assert "did you mean 'digits'?" in outcome.err
    with Store.open(tmp_path / "autoopt.db") as store:
        store.create_study(StudyRecord("empty", "digits", "task.py", "f", "loss", "minimize", 9))
    outcome = command("audit", "empty")
    assert outcome.status == 2
    assert "has no runs to audit yet" in outcome.err


@pytest.mark.parametrize("width", ["60", "200"])
def test_it_fits_narrow_and_wide_terminals(command, judged, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", width)
    assert max(map(len, command("audit", "digits").out.splitlines())) <= int(width)
