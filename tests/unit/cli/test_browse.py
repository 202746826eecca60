from dataclasses import replace

import pytest

from autoopt.cli import one_run
from autoopt.recipe import Recipe
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord
from autoopt.run import EpochReport, Run, RunRecord, RunState

RECIPE = Recipe("sgd", {"lr": 0.1})


@pytest.fixture
def store(tmp_path):
    """The default database of an empty folder, with one study of two runs."""
    with Store.open(tmp_path / "autoopt.db") as store:
        store.create_study(
            StudyRecord(
                "digits", "digits", str(tmp_path / "task.py"), "f", "loss", "minimize", 2, {"seed": 0}
            )
        )
        runs = [Run(0, RECIPE, 1, 2), Run(1, Recipe("adam", {"lr": 0.01}), 1, 2)]
        reports = [
            EpochReport(run.id, epoch, 1.0, 1.0, 0.5 - run.id / 10, seconds=3.0)
            for run in runs
            for epoch in (1, 2)
        ]
        records = [RunRecord(run, RunState.FINISHED, 0.5 - run.id / 10, 2, 6.0) for run in runs]
        store.save("digits", runs=runs, reports=reports, records=records)
        yield store


@pytest.fixture
def judged(store, recommendation):
    """The same, with a verdict."""
    store.save_verdict("digits", replace(recommendation, study="digits").to_dict())
    return store


def test_studies_are_listed_with_what_they_found_and_spent(command, store):
    outcome = command("studies")
    assert outcome.status == 0
    for part in ("digits", "running", "loss 0.4", "12s"):
        assert part in outcome.out


def test_studies_as_json(command, store):
    (study,) = command("studies", "--json").json
    assert (study["name"], study["runs"], study["spent_runs"]) == ("digits", {"finished": 2}, 2.0)


def test_an_empty_database_says_how_to_begin(command, tmp_path):
    Store.open(tmp_path / "empty.db").close()
    assert "autoopt tune TASK" in command("studies", "--storage", "empty.db").out
    assert command("studies", "--storage", "empty.db", "--json").json == []


def test_a_missing_database_ends_with_status_2_and_is_not_created(command, tmp_path):
    assert command("studies", "--storage", "none.db").status == 2
    assert not (tmp_path / "none.db").exists()


def test_show_lists_the_best_runs_first(command, store):
    out = command("show", "digits").out
    assert "no recommendation yet" in out
    assert out.index("adam ") < out.index("sgd ")


def test_show_begins_with_the_recommendation_and_can_leave_the_runs_out(command, judged):
    out = command("show", "digits", "--runs", 0).out
    assert out.startswith("SGD beats the baseline")
    assert "Best runs" not in out


def test_show_as_json_holds_study_runs_and_verdict(command, judged):
    document = command("show", "digits", "--json").json
    assert document["study"]["options"] == {"seed": 0}
    assert [run["score"] for run in document["runs"]] == [0.5, 0.4]
    assert document["verdict"]["schema"] == 1


@pytest.mark.parametrize("name", ["show", "export"])
def test_an_unknown_study_offers_the_nearest(command, store, name):
    outcome = command(name, "digit")
    assert outcome.status == 2
    assert "did you mean 'digits'?" in outcome.err


def test_export_prints_code_that_python_takes(command, judged):
    compile(command("export", "digits").out, "exported", "exec")


def test_export_writes_a_file_and_prints_nothing(command, judged, tmp_path):
    outcome = command("export", "digits", "--format", "yaml", "-o", "recipe.yaml")
    assert (outcome.status, outcome.out) == (0, "")
    assert "sgd" in (tmp_path / "recipe.yaml").read_text()


def test_export_json_can_be_said_either_way(command, judged):
    assert command("export", "digits", "--json").json == command("export", "digits", "--format", "JSON").json


def test_export_of_an_unknown_format_offers_the_nearest(command, judged):
    outcome = command("export", "digits", "--format", "pytorhc")
    assert outcome.status == 2
    assert "did you mean 'pytorch'?" in outcome.err


def test_export_before_there_is_a_verdict_says_how_to_carry_on(command, store):
    outcome = command("export", "digits")
    assert outcome.status == 2
    assert "autoopt resume digits" in outcome.err


def test_export_to_where_nothing_can_be_written_ends_with_status_2(command, judged):
    assert command("export", "digits", "-o", "no/folder/x.py").status == 2


def test_resume_finds_the_study_of_a_task_file(command, tuning, store, tmp_path):
    (tmp_path / "task.py").touch()
    command("resume", "task.py", "--quiet")
    assert tuning.arguments[0] == "digits"


def test_resume_of_a_file_without_a_study_says_how_to_begin(command, tuning, store, tmp_path):
    (tmp_path / "other.py").touch()
    outcome = command("resume", "other.py")
    assert outcome.status == 2
    assert "autoopt tune other.py" in outcome.err


@pytest.mark.parametrize(
    ("direction", "order"), [("minimize", [1, 4, 2, 0, 3]), ("maximize", [0, 4, 2, 1, 3])]
)
def test_the_best_runs_come_first_those_trained_longest_among_equals_and_those_without_a_score_last(
    command, store, direction, order
):
    scores = [(3.0, 2), (1.0, 2), (2.0, 2), (None, 1), (2.0, 9)]
    runs = [Run(k, RECIPE, 0, 9) for k in range(len(scores))]
    records = [RunRecord(run, score=s, epochs_done=e) for run, (s, e) in zip(runs, scores, strict=True)]
    store.create_study(replace(store.study("digits"), name="ordered", direction=direction))
    store.save("ordered", runs=runs, records=records)
    table = command("show", "ordered").out.partition("Best runs")[2]
    found = [int(line.split()[0]) for line in table.splitlines() if line[:6].strip().isdecimal()]
    assert found == order


@pytest.fixture
def ailing(store):
    """The same study with two more runs: one overfits, one has diverged."""
    runs = [Run(2, RECIPE, 1, 6), Run(3, Recipe("sgd", {"lr": 50.0}), 1, 6)]
    losses = zip((1.0, 0.7, 0.5, 0.3, 0.2, 0.1), (1.0, 0.8, 0.9, 1.1, 1.3, 1.5), strict=True)
    reports = [EpochReport(2, epoch, train, valid, valid) for epoch, (train, valid) in enumerate(losses, 1)]
    reports.append(EpochReport(3, 1, float("nan"), float("nan"), float("nan"), diverged=True))
    records = [
        RunRecord(runs[0], RunState.FINISHED, 1.5, 6, 1.0),
        RunRecord(runs[1], RunState.DIVERGED, None, 1),
    ]
    store.save("digits", runs=runs, reports=reports, records=records)
    return store


def test_show_counts_what_the_runs_showed_with_what_helps(command, ailing):
    out = command("show", "digits").out
    table = out[out.index("What runs showed") :]
    assert "add weight decay, or stop early (D2)" in table
    assert {line.split()[0] for line in table.splitlines()[2:] if line[:1].strip()} >= {
        "overfitting",
        "divergence",
    }


def test_of_many_runs_some_are_looked_at_and_the_table_says_so(command, ailing, monkeypatch):
    monkeypatch.setattr(one_run, "DIAGNOSED", 2)
    out = command("show", "digits").out
    assert "What runs showed (2 of 4, evenly spread)" in out
    assert "overfitting" in out  # run 2; run 3 is not among them
    assert "divergence" not in out


def test_one_run_is_shown_with_its_curve_its_symptoms_and_what_helps(command, ailing):
    out = command("show", "digits", "--run", 2).out
    for part in ("Run 2 of digits", "rose from 0.8 after epoch 2 to 1.5",
                 "add weight decay, or stop early (D2)", "D2: Optimization algorithms", "Curve"):  # fmt: skip
        assert part in out
    assert "1.3" in out


def test_a_healthy_run_is_said_to_show_nothing(command, store):
    assert "no symptom" in command("show", "digits", "--run", 0).out


def test_one_run_as_json_holds_curve_and_diagnoses(command, ailing):
    document = command("show", "digits", "--run", 3, "--json").json
    assert [epoch["train_loss"] for epoch in document["curve"]] == [None]
    assert {d["rule_id"] for d in document["diagnoses"]} >= {"divergence", "rate-too-high"}
    assert all(d["evidence"] and d["remedies"] and d["source"] for d in document["diagnoses"])
    told = command("show", "digits", "--json").json["runs"]
    assert [bool(run["diagnoses"]) for run in told] == [False, False, True, True]


def test_a_run_that_does_not_exist_is_told(command, store):
    outcome = command("show", "digits", "--run", 9)
    assert outcome.status == 2
    assert "no run 9 in study 'digits': it has runs 0 to 1" in outcome.err


def test_what_a_better_score_costs_is_shown_as_a_table_and_as_json(command, store):
    outcome = command("show", "digits", "--pareto")
    assert outcome.status == 0
    assert "Seen in the search" in outcome.out
    assert "after 2 of 2 epochs" in outcome.out
    found = command("show", "digits", "--pareto", "--json").json
    assert [(point["recipe"]["optimizer"], point["seconds"]) for point in found["searched"]] == [
        ("adam", 6.0)
    ]
    assert found["confirmed"] == []
