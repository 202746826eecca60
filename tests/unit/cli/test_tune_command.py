import json
from dataclasses import replace

import pytest

from autoopt.verdict.recommendation import Recommendation


def test_every_option_reaches_the_engine(command, tuning):
    line = (
        "tune task.py --budget 12 --timeout 1h30m --trials 40 --seed 3 --study mine --new --metric accuracy "
        "--optimizers sgd,adamw --optimizers adam --schedules cosine --fix lr=1e-3 --fix nesterov=true "
        "--tune-batch-size --tune-clip --decay-all --seeds 5 --device cpu --epochs 4 --batch-size 16 --quiet "
        "--workers auto --isolate --memory-limit 4 --run-timeout 10m"
    )
    mine = "lions.py:Lion lr=1e-5..1e-2"
    command(*line.split(), "--storage", "here.db", "--baseline", "sgd lr=0.1", "--optimizer-from", mine)
    *positional, options = tuning.arguments
    assert positional == ["task.py", 12]
    assert options == {
        "timeout": 5400, "trials": 40, "seed": 3, "study": "mine", "new": True, "metric": "accuracy",
        "optimizers": ["sgd", "adamw", "adam"], "optimizers_from": [mine], "schedules": ["cosine"], "seeds": 5, "device": "cpu",
        "fixed": {"lr": 1e-3, "nesterov": True}, "tune_batch_size": True, "tune_clip": True, "decay_all": True,
        "epochs": 4, "batch_size": 16, "storage": "here.db", "baseline": "sgd lr=0.1",
        "precision": None, "accumulate": None, "stacked": "never", "checkpoints": None, "checkpoint_limit": None,
        "workers": "auto", "isolate": True, "memory_limit": 4, "run_timeout": 600,
        "objective": "score", "target": None,
    }  # fmt: skip


def test_what_is_not_said_is_left_to_the_engine(command, tuning):
    command("tune", "task.py", "--quiet")
    *positional, options = tuning.arguments
    assert positional == ["task.py", 30]
    assert {name: value for name, value in options.items() if value} == {
        "device": "auto",
        "objective": "score",
        "stacked": "never",
        "storage": "autoopt.db",
        "workers": "1",
    }


def test_the_storage_may_come_from_the_environment(command, tuning, monkeypatch):
    monkeypatch.setenv("AUTOOPT_STORAGE", "elsewhere.db")
    command("tune", "task.py", "--quiet")
    assert tuning.arguments[-1]["storage"] == "elsewhere.db"


def test_the_result_ends_with_code_to_paste_and_the_next_command(command, tuning):
    outcome = command("tune", "task.py")
    assert outcome.status == 0
    assert "SGD beats the baseline (AdamW) by 10.0 %" in outcome.out
    assert "torch.optim.SGD(" in outcome.out
    assert "autoopt export 'digits [bold]' --format json" in outcome.out


def test_progress_is_a_line_for_each_phase_and_tenth_where_there_is_no_terminal(command, tuning):
    lines = command("tune", "task.py").err.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("[30s] searching · 10.0 of 20 runs · best loss 0.1 (adamw)")


def test_quiet_prints_one_line(command, tuning):
    outcome = command("tune", "task.py", "--quiet")
    assert (outcome.out.count("\n"), outcome.err) == (1, "")


def test_json_to_stdout_prints_nothing_else_there_whatever_the_task_prints(command, tuning):
    tuning.says = "loading data\n"
    outcome = command("tune", "task.py", "--json", "-")
    assert Recommendation.from_dict(outcome.json) == tuning.result
    assert "loading data" in outcome.err
    assert "SGD beats" in outcome.err


def test_quiet_json_prints_nothing_but_json(command, tuning):
    outcome = command("tune", "task.py", "--quiet", "--json", "-")
    assert outcome.json["schema"] == 1
    assert outcome.err == ""


def test_the_result_can_be_written_to_a_file(command, tuning, tmp_path):
    outcome = command("tune", "task.py", "--json", "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["study"] == "digits [bold]"
    assert "SGD beats" in outcome.out


@pytest.mark.parametrize("place", [".", "no/such/folder/out.json", "/proc/out.json"])
def test_a_result_file_that_cannot_be_written_is_refused_before_anything_is_spent(command, tuning, place):
    assert command("tune", "task.py", "--json", place).status == 2
    assert tuning.arguments is None


@pytest.mark.parametrize(
    "wrong", [("--timeout", "soon"), ("--fix", "lr"), ("--budget", "lots"), ("--no-such-option",)]
)
def test_a_wrong_option_ends_with_status_2_before_anything_is_spent(command, tuning, wrong):
    assert command("tune", "task.py", *wrong).status == 2
    assert tuning.arguments is None


def test_an_interrupted_study_still_recommends_and_ends_with_status_130(command, tuning):
    tuning.result = replace(tuning.result, interrupted=True)
    outcome = command("tune", "task.py")
    assert outcome.status == 130
    assert "SGD beats" in outcome.out
    assert "autoopt resume 'digits [bold]' --budget 30 " in outcome.out


def test_a_study_whose_time_was_up_before_it_was_confirmed_ends_with_status_3(command, tuning):
    tuning.result = replace(tuning.result, cut_short=True)
    outcome = command("tune", "task.py")
    assert outcome.status == 3
    assert "SGD beats" in outcome.out
    assert "autoopt resume 'digits [bold]' --budget 30 " in outcome.out


def test_interrupted_before_there_is_an_answer_it_says_how_to_carry_on(command, tuning):
    tuning.error = KeyboardInterrupt()
    outcome = command("tune", "task.py", "--budget", 50, "--storage", "my studies.db")
    assert outcome.status == 130
    assert "autoopt resume digits --budget 50 --storage 'my studies.db'" in outcome.err


def test_resume_takes_the_name_of_a_study(command, tuning):
    assert command("resume", "digits", "--budget", 60, "--seeds", 5, "--quiet").status == 0
    name, budget, arguments = tuning.arguments
    assert (name, budget, arguments["seeds"], arguments["storage"]) == ("digits", 60, 5, "autoopt.db")


def test_a_target_reaches_the_engine(command, tuning):
    command("tune", "task.py", "--objective", "time-to-target", "--target", "0.3", "--quiet")
    options = tuning.arguments[-1]
    assert (options["objective"], options["target"]) == ("time-to-target", 0.3)
