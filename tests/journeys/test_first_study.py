"""The main job as a user does it: the command line on a study, then a plain torch loop from its JSON."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from torch import nn

import autoopt

pytestmark = pytest.mark.slow
DIGITS = Path(__file__).parents[2] / "studies" / "digits_mlp.py"
# One thread: runs must be equal to the last digit, whatever else the machine does.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


def command(*arguments, cwd):
    return [sys.executable, "-m", "autoopt", *arguments], {"cwd": cwd, "env": ENVIRONMENT, "text": True}


def run_autoopt(*arguments, cwd):
    line, options = command(*arguments, cwd=cwd)
    return subprocess.run(line, capture_output=True, timeout=240, check=False, **options)


def without_time(value):
    """A document without what was measured in seconds, what is made of it, and the noise of last digits."""
    if isinstance(value, dict):
        timed = ("claims", "pareto")  # of the audit, and who is fastest at a score
        return {
            k: without_time(v) for k, v in value.items() if not k.startswith("seconds") and k not in timed
        }
    if isinstance(value, float):
        return float(f"{value:.12g}")
    return [without_time(each) for each in value] if isinstance(value, list) else value


def same_but_for_time(first, second):
    one, other = (without_time(json.loads(Path(path).read_text())) for path in (first, second))
    return one == other


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder in which the digits were tuned with 20 runs."""
    folder = tmp_path_factory.mktemp("digits")
    done = run_autoopt("tune", str(DIGITS), "--budget", "20", "--seed", "0", "--json", "out.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_recommendation_beats_adamw_at_1e_3(study):
    document = json.loads((study / "out.json").read_text())
    assert document["verdict"] == "better"
    assert document["gain"]["low"] > 0
    assert document["baseline"]["recommendation"]["optimizer"] == "adamw"
    assert np.mean(list(document["scores"].values())) < np.mean(list(document["baseline"]["scores"].values()))
    assert document["spent"]["search_runs"] + document["spent"]["confirm_runs"] <= 20


def test_a_plain_loop_from_the_json_reproduces_the_confirmed_scores(study):
    """Nothing of autoopt but the two functions that build plain torch objects."""
    recommendation = autoopt.Recommendation.load(study / "out.json")
    task = autoopt.load_task(DIGITS)  # for the same hold-out
    (x, t), (vx, vt) = (next(iter(samples.batches(10_000))) for samples in (task.train, task.valid))
    batch = recommendation.recipe.batch_size
    steps = -(-len(x) // batch)
    losses = []
    for seed in range(5):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
        optimizer = recommendation.make_optimizer(model)
        scheduler = recommendation.make_scheduler(optimizer, recommendation.epochs * steps)
        for _ in range(recommendation.epochs):
            for rows in torch.randperm(len(x)).split(batch):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(x[rows]), t[rows]).backward()
                optimizer.step()
                scheduler.step()
        with torch.no_grad():
            losses.append(torch.nn.functional.cross_entropy(model(vx), vt).item())
    scores = list(recommendation.chosen.scores.values())
    noise = max(np.std(losses, ddof=1), np.std(scores, ddof=1))
    assert abs(np.mean(losses) - np.mean(scores)) < 3 * noise * np.sqrt(1 / len(losses) + 1 / len(scores))


def test_the_same_seed_gives_the_same_trials_and_verdict(study, tmp_path):
    done = run_autoopt("tune", str(DIGITS), "--budget", "20", "--json", "out.json", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert same_but_for_time(study / "out.json", tmp_path / "out.json")
    first, second = (optuna.load_study(study_name="digits_mlp", storage=f"sqlite:///{folder / 'autoopt.db'}")
                     for folder in (study, tmp_path))  # fmt: skip
    assert [(t.params, t.state, t.value) for t in first.trials] == [
        (t.params, t.state, t.value) for t in second.trials
    ]


def test_a_killed_study_carries_on_to_the_same_verdict(study, tmp_path):
    line, options = command("tune", str(DIGITS), "--budget", "20", "--json", "out.json", cwd=tmp_path)
    kills = 0
    for seconds in (3.0, 4.0, 6.0):
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills
    done = run_autoopt(*line[3:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert same_but_for_time(study / "out.json", tmp_path / "out.json")


def test_ctrl_c_keeps_everything_and_says_how_to_carry_on(tmp_path):
    line, options = command("tune", str(DIGITS), "--budget", "60", cwd=tmp_path)
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    for line in process.stderr:
        if "best" in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "resume" in out + err
    assert "Traceback" not in out + err


@pytest.mark.parametrize("format", ["pytorch", "json", "yaml"])
def test_the_result_is_exported(study, format):
    done = run_autoopt("export", "digits_mlp", "--format", format, cwd=study)
    assert done.returncode == 0, done.stderr
    assert "lr" in done.stdout


def test_a_finished_study_is_shown_at_once(study):
    done = run_autoopt("show", "digits_mlp", cwd=study)
    assert done.returncode == 0, done.stderr
    assert "digits_mlp" in done.stdout
