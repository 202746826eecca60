"""Several processes on one study: nothing is lost or trained twice, and the verdict is that of one alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from autoopt.records.leases import Leases
from autoopt.records.store import Store

pytestmark = pytest.mark.slow

TASK = """
import os, time
import torch
from torch import nn

name, epochs, batch_size = "line", 3, 16
helps = "pipe:" in os.readlink("/proc/self/fd/1")  # a helper, whose words are listened to
X = torch.linspace(-1, 1, 96).reshape(-1, 3)
train_data = val_data = (X, X.sum(1, keepdim=True))
diary = os.environ.get("DIARY")

def model():
    if diary:
        with open(diary, "a") as file:
            file.write(f"{os.getpid()}\\n")
    if helps and os.path.exists("fail"):
        exec(open("fail").read())
    while os.environ.get("WAITS") and os.path.exists("hold") and not (helps and os.environ["WAITS"] == "leader"):
        time.sleep(0.01)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
"""


@pytest.fixture
def tune(tmp_path):
    (tmp_path / "task.py").write_text(TASK)
    begun = []

    def begin(name, *more, storage="autoopt.db", **environment):
        command = [sys.executable, "-m", "autoopt", "tune", "task.py", "--budget", "8", "--optimizers", "sgd,adam",
                   "--storage", storage, "--json", f"{name}.json", *more]  # fmt: skip
        with open(tmp_path / f"{name}.txt", "w") as out:
            begun.append(subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT,
                                          env={**os.environ, **environment}))  # fmt: skip
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.wait()


def found(tmp_path, name):
    document = json.loads((tmp_path / f"{name}.json").read_text())
    return {key: value for key, value in document.items() if key not in ("spent", "audit", "pareto")}


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def leads(tmp_path, process):
    try:
        with Store.open(tmp_path / "autoopt.db", readonly=True) as store:
            leases = Leases(store, "line")
            token = leases.leader()
            return any(owner.token == token and owner.pid == process.pid for owner in leases.processes())
    except Exception:
        return False


def each_trained_once(tmp_path):
    with Store.open(tmp_path / "autoopt.db", readonly=True) as store:
        runs, reports = store.runs("line"), store.reports("line")
        state = store.study("line").state
    assert state == "done"
    assert not any(record.state == "running" for record in runs)
    for record in runs:
        assert [report.epoch for report in reports[record.run.id]] == list(range(1, record.epochs_done + 1))


def lead_and_join(tmp_path, tune, **environment):
    """Start two processes, and return them when the second one trains for the first; the first waits meanwhile."""
    first = tune("first", WAITS="1", **environment)
    wait_for(lambda: leads(tmp_path, first))
    (tmp_path / "hold").touch()
    second = tune("second", **environment)
    wait_for(lambda: "this process trains for it" in (tmp_path / "second.txt").read_text())
    return first, second


def test_a_second_process_joins_and_comes_to_the_verdict_of_one_alone(tmp_path, tune):
    diary = str(tmp_path / "diary")
    alone = tune("alone", storage="alone.db", DIARY=diary)
    assert alone.wait(240) == 0
    first, second = lead_and_join(tmp_path, tune, DIARY=diary)
    (tmp_path / "hold").unlink()
    assert (first.wait(240), second.wait(240)) == (0, 0)
    assert found(tmp_path, "first") == found(tmp_path, "second") == found(tmp_path, "alone")
    assert f"process {first.pid} on " in (tmp_path / "second.txt").read_text()
    each_trained_once(tmp_path)
    begun = Counter((tmp_path / "diary").read_text().split())
    assert begun[str(first.pid)] < begun[str(alone.pid)]  # the second one has trained the others


def test_whoever_has_joined_leads_when_the_leader_is_killed(tmp_path, tune):
    assert tune("alone", storage="alone.db").wait(240) == 0
    first, second = lead_and_join(tmp_path, tune)
    first.send_signal(signal.SIGKILL)
    (tmp_path / "hold").unlink()
    assert second.wait(240) == 0
    assert found(tmp_path, "second") == found(tmp_path, "alone")
    each_trained_once(tmp_path)


@pytest.mark.parametrize("more", [("--workers", "2"), ("--isolate",)])
def test_helpers_come_to_the_verdict_of_one_process_alone_and_end_with_it(tmp_path, tune, more):
    diary = tmp_path / "diary"
    alone = tune("alone", storage="alone.db", DIARY=str(diary))
    assert alone.wait(240) == 0
    first = tune("first", *more, DIARY=str(diary), WAITS="leader")

    def helpers():
        return set(diary.read_text().split()) - {str(alone.pid), str(first.pid)}

    wait_for(lambda: leads(tmp_path, first))
    (tmp_path / "hold").touch()  # or the leader might have trained all before its helper is there
    wait_for(helpers)
    (tmp_path / "hold").unlink()
    assert first.wait(240) == 0
    assert found(tmp_path, "first") == found(tmp_path, "alone")
    each_trained_once(tmp_path)
    pids = helpers()
    assert len(pids) == 1
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


LARGE = """
import os
import torch
from torch import nn

name, epochs, batch_size = "large", 1, 500

def _rows(count):
    with open("loads", "a") as file:
        file.write(f"{os.getpid()}\\n")
    X = torch.linspace(-1, 1, count * 3000).reshape(count, 3000)
    return X, X[:, :1]

def train_data():
    return _rows(3000)

def val_data():
    return _rows(500)

def model():
    with open("models", "a") as file:
        file.write(f"{os.getpid()}\\n")
    return nn.Linear(3000, 1)
"""


def test_helpers_map_the_data_that_their_leader_has_loaded(tmp_path, tune):
    (tmp_path / "task.py").write_text(LARGE)
    first = tune("first", "--isolate")
    assert first.wait(240) == 0, (tmp_path / "first.txt").read_text()
    trained, loaded = ((tmp_path / name).read_text().split() for name in ("models", "loads"))
    assert len(set(trained)) == 2
    assert loaded == [str(first.pid)] * 2


FAILURES = {
    "a segmentation fault": ("import ctypes; ctypes.string_at(0)", (), "was killed by SIGSEGV, twice"),
    "an exit": ("print('no way'); os._exit(3)", (), "ended with status 3"),
    "a hang": ("time.sleep(1000)", ("--run-timeout", "20s"), "--run-timeout"),
    "a leak": ("x = bytearray(4 * 10**9)", ("--memory-limit", "3"), "--memory-limit"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_code_that_ends_its_process_costs_its_run_alone(tmp_path, tune, failure):
    code, more, told = FAILURES[failure]
    guard = "import inspect\nif any('Trainee' in str(f.frame.f_locals.get('self')) and "
    guard += "f.frame.f_locals['self'].run.id == 1 for f in inspect.stack()): "
    (tmp_path / "fail").write_text(guard + code)
    first = tune("first", "--isolate", *more)
    assert first.wait(240) == 0, (tmp_path / "first.txt").read_text()
    with Store.open(tmp_path / "autoopt.db", readonly=True) as store:
        failed = [record for record in store.runs("line") if record.state == "failed"]
        assert store.study("line").state == "done"
    assert [record.run.id for record in failed] == [1]
    assert told in failed[0].note


def test_helpers_end_with_a_leader_that_is_killed_and_the_study_carries_on(tmp_path, tune):
    diary = tmp_path / "diary"
    first = tune("first", "--isolate", DIARY=str(diary), WAITS="1")
    (tmp_path / "hold").touch()
    (tmp_path / "hold").unlink()
    wait_for(lambda: diary.exists() and len(set(diary.read_text().split())) > 1)
    first.kill()
    helpers = set(diary.read_text().split()) - {str(first.pid)}
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in helpers), 30)
    second = tune("second", "--isolate")
    alone = tune("alone", storage="alone.db")
    assert (second.wait(240), alone.wait(240)) == (0, 0)
    assert found(tmp_path, "second") == found(tmp_path, "alone")
    each_trained_once(tmp_path)


def test_sigterm_is_taken_as_ctrl_c(tmp_path, tune):
    first = tune("first", WAITS="1")
    wait_for(lambda: leads(tmp_path, first))
    first.terminate()
    assert first.wait(60) == 143
    assert "Interrupted before" in (tmp_path / "first.txt").read_text()
