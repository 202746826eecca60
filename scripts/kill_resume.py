"""Kill `autoopt tune` at random instants, run the same command again, and say what that cost.

The processes are forked from this one, which has imported everything: a study of two seconds would otherwise wait five
times as long for torch, and be killed there most of the time. What counts training steps is the task itself
(`studies/2026-11-22-resume/task.py`), so nothing that a process trained and did not write down is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

# imported for the children, who would each take seconds for it
import alembic.command  # noqa: F401
import optuna.storages  # noqa: F401
import torch._dynamo  # noqa: F401

import autoopt.cli.tune
import autoopt.search.mirror
import autoopt.tasks.profile
import autoopt.tuning
import autoopt.verdict.audit  # noqa: F401
from autoopt.cli import main
from autoopt.records.store import Store

TASK = Path(__file__).resolve().parent.parent / "studies" / "2026-11-22-resume" / "task.py"
STEPS = 12  # an epoch of the task
RUNG = 4  # epochs from the first rung of 18 to the second


class Trial:
    """A study in a folder of its own, which may be killed and run again."""

    def __init__(self, folder: Path, budget: float) -> None:
        self.folder, self.budget = folder, budget
        self.processes = 0

    def begin(self) -> int:
        """Start the command in a process of its own; return its id."""
        self.processes += 1
        pid = os.fork()
        if pid:
            return pid
        output = os.open(self.folder / f"output-{self.processes}", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1), os.dup2(output, 2)
        os.environ["KILL_RESUME_LOG"] = str(self.folder / f"steps-{self.processes}")
        status: Any = 1
        try:
            main(["tune", str(TASK), "--budget", str(self.budget), "--storage", str(self.database), "--quiet",
                  "--json", str(self.folder / "verdict.json")])  # fmt: skip
        except SystemExit as error:
            status = error.code
        finally:
            os._exit(int(status or 0))

    def finish(self) -> int:
        """Run the command to its end; return its exit status."""
        return os.waitstatus_to_exitcode(os.waitpid(self.begin(), 0)[1])

    def steps(self) -> int:
        """Return the training steps that all processes took together."""
        return sum(self.steps_of(process) for process in range(1, self.processes + 1))

    def steps_of(self, process: int) -> int:
        """Return the training steps that one of the processes took."""
        log = self.folder / f"steps-{process}"
        return log.stat().st_size if log.exists() else 0

    def verdict(self) -> Any:
        """Return the recommendation without what a clock has measured."""
        document = json.loads((self.folder / "verdict.json").read_text())
        for name in (
            "versions",
            "pareto",
        ):  # who stands on the front of score against seconds, a clock decides
            document.pop(name)
        return _untimed(document)

    def phase(self) -> str:
        """Return how far the study is, as its database has it."""
        try:
            with Store.open(str(self.database), readonly=True) as store:
                record = next(iter(store.studies())).study
                purposes = {run.run.purpose for run in store.runs(record.name)}
        except Exception:  # a process may be killed before it has made its tables
            return "no study yet"
        return "confirmation" if len(purposes) > 1 else "search" if purposes else "no run yet"

    def faults(self) -> list[str]:
        """Return what is wrong with the database and beside it, once the study is done."""
        names = {path.name for path in self.folder.iterdir()} - {self.database.name, "verdict.json"}
        found = sorted(f"{name} was left" for name in names if not name.startswith(("output-", "steps-")))
        with closing(sqlite3.connect(self.database)) as connection:
            if (said := connection.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
                found.append(said)
        with Store.open(str(self.database), readonly=True) as store:
            (summary,) = store.studies()
            reports = store.reports(summary.study.name)
            for record in store.runs(summary.study.name):
                epochs = [report.epoch for report in reports.get(record.run.id, ())]
                if epochs != list(range(1, record.epochs_done + 1)) or record.state == "running":
                    found.append(f"run {record.run.id} is {record.state} after {epochs}")
        return found

    @property
    def database(self) -> Path:
        return self.folder / "study.db"


def campaign(kills: int, seed: int, budget: float, root: Path) -> dict[str, Any]:
    """Kill a study so many times, each time a new one, at instants that are even over its duration."""
    whole = Trial(_folder(root, "whole"), budget)
    began = time.monotonic()
    if whole.finish():
        raise SystemExit(f"the undisturbed study failed: {whole.folder}")
    seconds, steps, expected = time.monotonic() - began, whole.steps(), whole.verdict()
    profile = steps % STEPS  # steps that look at the task before anything is trained
    draw = random.Random(seed)
    repeated: list[float] = []
    phases: Counter[str] = Counter()
    faults: list[str] = []
    other = 0
    number = 0
    while len(repeated) < kills:
        number += 1
        trial = Trial(_folder(root, f"kill-{number}"), budget)
        pid, instant = trial.begin(), draw.uniform(0, seconds)
        time.sleep(instant)
        os.kill(pid, signal.SIGKILL)
        if os.WIFEXITED(os.waitpid(pid, 0)[1]):
            continue  # it was done before
        phase = trial.phase()
        phases[phase] += 1
        if status := trial.finish():
            faults.append(f"kill {number} at {instant:.2f} s: exit status {status}")
            continue
        again = trial.steps() - steps - min(profile, trial.steps_of(1))
        repeated.append(max(0, again) / STEPS)
        other += trial.verdict() != expected
        faults += [f"kill {number} at {instant:.2f} s: {fault}" for fault in trial.faults()]
        print(
            f"{len(repeated):4} killed at {instant:5.2f} s in the {phase}: {repeated[-1]:.2f} epochs again",
            flush=True,
        )
        shutil.rmtree(trial.folder)
    return {
        "kills": kills, "seed": seed, "budget": budget, "seconds_undisturbed": round(seconds, 2),
        "epochs_undisturbed": round(steps / STEPS, 2), "phases": dict(phases), "other_verdicts": other,
        "faults": faults,
        "repeated_epochs": {"mean": round(sum(repeated) / kills, 3), "max": round(max(repeated), 2),
                            "sorted": [round(each, 2) for each in sorted(repeated)]},
        "rung_epochs": RUNG, "a_rung_or_more": sum(each >= RUNG for each in repeated),
    }  # fmt: skip


def _folder(root: Path, name: str) -> Path:
    (root / name).mkdir()
    return root / name


def _untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _untimed(each) for name, each in value.items() if "second" not in name}
    return [_untimed(each) for each in value] if isinstance(value, list) else value


def run(arguments: list[str]) -> int:
    """Run the campaign, print its figures, and return whether a study ended otherwise than it should."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=float, default=8.0)
    parser.add_argument("--quick", action="store_true", help="five kills")
    parser.add_argument("--json", metavar="FILE")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as root:
        found = campaign(5 if given.quick else given.kills, given.seed, given.budget, Path(root))
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=1) + "\n")
    again = found["repeated_epochs"]
    print(f"{found['kills']} kills of a study of {found['seconds_undisturbed']} s and {found['epochs_undisturbed']} "
          f"epochs: {found['other_verdicts']} other verdicts, {len(found['faults'])} faults; epochs trained again: "
          f"{again['mean']} on average, {again['max']} at most; {found['a_rung_or_more']} times a rung of "
          f"{found['rung_epochs']} or more")  # fmt: skip
    for fault in found["faults"]:
        print(fault)
    return int(bool(found["other_verdicts"] or found["faults"]))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
