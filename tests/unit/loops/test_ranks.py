"""One study in two processes that train together, as torchrun starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoopt.errors import LoopError
from tests.unit.loops.examples import tune

ROOT = Path(__file__).parents[3]


def both(tmp_path, kind):
    """Run two processes, and return what each of them found."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    program = [sys.executable, "-m", "tests.unit.loops.ranks_program"]
    started = [subprocess.Popen([*program, str(rank), "2", str(tmp_path / "meeting"), str(tmp_path), kind], cwd=ROOT,
                                env=environment, stderr=subprocess.PIPE, text=True) for rank in range(2)]  # fmt: skip
    try:
        said = [process.communicate(timeout=120)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], "".join(said)
    return [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]


def test_all_ranks_train_the_same_and_get_the_same_answer(tmp_path):
    first, second = both(tmp_path, "ddp")
    assert first["weights"] == second["weights"]
    assert first["answer"] == second["answer"]
    assert all(score >= 0.5 for score in first["answer"]["scores"].values())  # the mean of both ranks


def test_a_failure_of_one_rank_is_a_failed_run_on_all(tmp_path):
    first, second = both(tmp_path, "failing")
    assert first["answer"] == second["answer"]


@pytest.mark.slow
def test_sharded_models_get_their_optimizers_built_after_sharding(tmp_path):
    first, second = both(tmp_path, "fsdp")
    assert first["answer"] == second["answer"]


@pytest.mark.slow
def test_ranks_that_report_unequally_often_are_told_so(tmp_path):
    first, second = both(tmp_path, "uneven")
    assert first["error"] == second["error"]
    assert first["error"].startswith("LoopError: ")
    assert "never reported" in first["error"]


def test_processes_that_do_not_know_of_each_other_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(LoopError, match=r"call torch.distributed.init_process_group\(\) before autoopt.tune"):
        tune()
