"""Kill, halt and rob the processes that tune a study, then look whether anything is lost: `scripts/chaos`.

Study after study in one SQLite file, each by several processes that start anew whenever one ends before the study does,
until there were enough kills. Each study is tuned by itself first, in another file: what it recommends undisturbed.
The first of the long form are isolated: some of their optimizers fault, hang or leak, each in a helper of its own, and
helpers are killed and halted as well. Which faults, of whom, and after how long is drawn with the seed; what they meet
depends on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

# imported for the children, who would each take seconds for it
import alembic.migration  # noqa: F401
import optuna.storages._rdb.storage  # noqa: F401
import torch._dynamo
import torch.distributed.fsdp  # noqa: F401

import autoopt.search.mirror
import autoopt.tasks.profile
import autoopt.tuning
import autoopt.verdict.audit  # noqa: F401
from autoopt.records.store import Store
from autoopt.records.tables import EPOCHS, STUDIES
from studies.chaos import child
from studies.chaos.audit import Findings, audit
from studies.chaos.child import Studied
from studies.chaos.logs import SAVED, repeated_epochs

LONG, QUICK = {"kills": 200, "workers": 16, "isolated": 2}, {"kills": 8, "workers": 3, "isolated": 0}
BUDGET = 12.0
ISOLATED_WORKERS = 4  # at most, as each has a helper that takes seconds to begin
ISOLATED_PAUSE = 4.0  # times as long between faults, for the same reason
ISOLATED_SHARE = 0.1  # of the kills, for each isolated study
STUCK_SECONDS = 300.0  # without anything saved, and nothing done to anybody
MOST_AT_ONCE = 8  # faults without anything saved in between: on a busy machine nobody would come to work
# how often each fault is drawn
FAULTS = {"kill": 60, "halt": 12, "terminate": 8, "clock": 6, "full disk": 4, "restore": 6}
DISK = "64m"
EPOCHS_OF_TASK = 9


class Campaign:
    """Processes at work on one study after the other, and what is done to them.

    Args:
        folder: for logs; ``disk`` for the database.
        full_disks: the disk is small and nobody else's, so it can be filled.
    """

    def __init__(self, folder: Path, disk: Path, seed: int, workers: int, *, full_disks: bool) -> None:
        self.folder, self.disk, self.storage = folder, disk, str(disk / "chaos.db")
        self.random, self.workers = random.Random(seed), workers
        self.full_disks = full_disks
        self.clock = child.make_clock()
        self.counts: Counter[str] = Counter()
        self.crashes: list[str] = []
        self.refusals: Counter[str] = Counter()
        self.gone: dict[str, set[tuple[int, int]]] = {}
        self.alive: set[int] = set()
        self.halted: dict[int, float] = {}
        self.refilled_at = 0.0
        self.copy: Path | None = None
        self.study = Studied("", 0, BUDGET)

    def run(self, study: Studied, kills: int, pause: float) -> bool:
        """Tune a study amid faults until there were enough kills, then in peace; return whether it came to its end."""
        self.study, self.copy = study, None
        workers = min(self.workers, ISOLATED_WORKERS) if study.isolated else self.workers
        done, progress, idle, looked, faults = False, -1, 0.0, time.monotonic(), 0
        next_fault = time.monotonic() + self.random.expovariate(1 / pause)
        while not done or self.alive:
            done |= self._reap()
            while not done and len(self.alive) < workers:
                self.alive.add(child.start(self.folder, self.storage, study, self.clock))
            self._let_go_on()
            now = time.monotonic()
            if not done and self.counts["kill"] < kills and now > next_fault and faults < MOST_AT_ONCE:
                self._strike()
                faults += 1
                next_fault = time.monotonic() + self.random.expovariate(1 / pause)
            if (size := self._saved()) != progress:
                progress, idle, faults = size, 0.0, 0
            idle += min(1.0, now - looked)  # a campaign that was halted itself has seen nothing
            looked = now
            if idle > STUCK_SECONDS:
                break
            time.sleep(0.01)
        for pid in list(self.alive):
            self._end(pid)
        (self.disk / "ballast").unlink(missing_ok=True)
        return done

    def _strike(self) -> None:
        names = [name for name in FAULTS if name != "full disk" or self.full_disks]
        fault = self.random.choices(names, [FAULTS[name] for name in names])[0]
        victim = self.random.choice(everyone) if (everyone := sorted(self._everyone())) else None
        if fault in ("kill", "halt", "terminate") and victim is None:
            return
        self.counts["copy" if fault == "restore" and self.copy is None else fault] += 1
        if fault == "kill":
            self._send(victim, signal.SIGKILL)
        elif fault == "terminate":
            self._send(victim, signal.SIGTERM)
        elif fault == "halt":
            self._send(victim, signal.SIGSTOP)
            self.halted[victim or 0] = time.monotonic() + self.random.uniform(0.1, 2.0)
        elif fault == "clock":
            child.set_clock(self.clock, self.random.choice((-86_400.0, -60.0, 0.0, 60.0, 86_400.0)))
        elif fault == "full disk":
            self._fill_disk()
        elif self.copy is None:
            self._take_copy()
        else:
            self._restore()

    def _fill_disk(self) -> None:
        """Leave no free page on the disk for a second."""
        with open(self.disk / "ballast", "wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)):
                    pass
            except OSError:
                pass
        self.refilled_at = time.monotonic() + 1.0

    def _take_copy(self) -> None:
        if not Path(self.storage).exists():
            return
        self.copy = self.folder / "copy.db"
        source, copy = sqlite3.connect(self.storage, timeout=60), sqlite3.connect(self.copy)
        source.backup(copy)
        source.close()
        copy.close()

    def _restore(self) -> None:
        """Put the copy in the place of the database under the hands of its processes, which are halted meanwhile."""
        assert self.copy is not None
        everyone = self._everyone()
        for pid in everyone:
            self._send(pid, signal.SIGSTOP)
        before = self._reports(Path(self.storage))
        after = self._reports(self.copy)
        for study, reports in before.items():
            self.gone.setdefault(study, set()).update(reports - after.get(study, set()))
        for name in ("chaos.db-wal", "chaos.db-shm"):
            (self.disk / name).unlink(missing_ok=True)
        shutil.copy(self.copy, self.disk / "incoming.db")
        os.replace(self.disk / "incoming.db", self.storage)
        self.copy = None
        for pid in everyone:
            self._send(pid, signal.SIGCONT)
        self.halted.clear()

    def _reports(self, path: Path) -> dict[str, set[tuple[int, int]]]:
        with Store.open(path, readonly=True) as store, store.reading() as connection:
            columns = (STUDIES.c.name, EPOCHS.c.run_id, EPOCHS.c.epoch)
            found: dict[str, set[tuple[int, int]]] = {}
            for name, run_id, epoch in connection.execute(
                STUDIES.join(EPOCHS, STUDIES.c.id == EPOCHS.c.study_id).select().with_only_columns(*columns)
            ):
                found.setdefault(name, set()).add((run_id, epoch))
            return found

    def _let_go_on(self) -> None:
        now = time.monotonic()
        for pid in [pid for pid, until in self.halted.items() if now > until]:
            del self.halted[pid]
            self._send(pid, signal.SIGCONT)
        if self.refilled_at and now > self.refilled_at:
            (self.disk / "ballast").unlink(missing_ok=True)
            self.refilled_at = 0.0

    def _reap(self) -> bool:
        """Note how processes ended; return whether one has brought the study to its end."""
        done = False
        for pid in list(self.alive):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            self.alive.discard(pid)
            self.halted.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            said = (self.folder / f"{pid}.out").read_text(errors="replace") if code > 0 else ""
            if code == child.DONE:
                done = True
            elif code == child.REFUSED:
                told = [line for line in said.splitlines() if line.startswith("REFUSED")]
                self.refusals[told[-1][:160].replace(str(self.disk), "…") if told else "?"] += 1
            elif code not in (-signal.SIGKILL, -signal.SIGTERM, child.STOPPED, 128 + signal.SIGTERM):
                self.crashes.append(f"status {code}: {said[-1500:]}")
        return done

    def _saved(self) -> int:
        """Return a number that grows with what the processes were told is saved."""
        logs = self.folder.glob(f"*.{self.study.name}.{SAVED}")
        return sum(path.stat().st_size for path in logs)

    def _end(self, pid: int) -> None:
        self._send(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.alive.discard(pid)

    def _everyone(self) -> set[int]:
        """Return all processes at work, helpers among them."""
        helpers: set[int] = set()
        if self.study.isolated:
            for pid in self.alive:
                with suppress(OSError):
                    for children in Path(f"/proc/{pid}/task").glob("*/children"):
                        helpers |= set(map(int, children.read_text().split()))
        return self.alive | helpers

    @staticmethod
    def _send(pid: int | None, number: signal.Signals) -> None:
        if pid is not None:
            with suppress(ProcessLookupError):  # a helper that has ended meanwhile
                os.kill(pid, number)


def undisturbed(folder: Path, study: Studied) -> dict[str, Any]:
    """Return what the study recommends when nothing happens to it, and its output is nobody's."""
    storage, alone = str(folder / "undisturbed.db"), replace(study, name=study.name + "-alone")
    pid = child.start(folder, storage, alone, child.make_clock())
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(f"the undisturbed study failed: {(folder / f'{pid}.out').read_text()[-2000:]}")
    with Store.open(storage, readonly=True) as store:
        return store.verdict(alone.name) or {}


def main() -> int:
    """Read the command line, hold the campaign, tell what came of it; return 1 where anything is wrong."""
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few kills, in under a minute")
    parser.add_argument(
        "--workers",
        type=int,
        help="processes on each study; 16, 3 in the quick form, at most 4 on isolated ones",
    )
    parser.add_argument("--kills", type=int, help="200; 8 in the quick form")
    parser.add_argument(
        "--isolated",
        type=int,
        help="studies whose optimizers also fault, hang and leak; 2, none in the quick form",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--pause", type=float, default=0.3, metavar="SECONDS", help="between two faults, on average"
    )
    parser.add_argument("--no-hostile", action="store_true", help="only well-behaved optimizers")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--on-own-disk", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.on_own_disk is None and (again := _with_a_disk_of_its_own(sys.argv[1:])) is not None:
        return again
    form = {
        k: v if getattr(asked, k) is None else getattr(asked, k)
        for k, v in (QUICK if asked.quick else LONG).items()
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        disk = asked.on_own_disk or folder
        held = Campaign(folder, disk, asked.seed, form["workers"], full_disks=asked.on_own_disk is not None)
        studies = plan(asked.seed, form["isolated"], hostile=not asked.no_hostile)
        found = hold(held, folder, studies, form["kills"], asked.pause)
    print(json.dumps(found, indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if found["clean"] else 1


def plan(seed: int, isolated: int, *, hostile: bool) -> Iterator[Studied]:
    """Yield studies without end, the isolated ones first."""
    for number in count():
        yield Studied(f"chaos-{number}", seed + number + 1, BUDGET, hostile, isolated=number < isolated)


def hold(
    held: Campaign, folder: Path, studies: Iterator[Studied], kills: int, pause: float
) -> dict[str, Any]:
    """Tune studies amid faults until there were so many kills; return what was found, as plain data."""
    began = time.monotonic()
    wanted: dict[str, Any] = {}
    while held.counts["kill"] < kills:
        study = next(studies)
        wanted[study.name] = undisturbed(folder, study)
        most = held.counts["kill"] + int(ISOLATED_SHARE * kills) if study.isolated else kills
        ended = held.run(study, most, pause * ISOLATED_PAUSE if study.isolated else pause)
        print(f"{study.name}: {'done' if ended else 'STUCK'}; so far {dict(held.counts)}, "
              f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)  # fmt: skip
        if not ended:
            break
    findings: Findings = audit(held.storage, folder, held.gone, wanted)
    again = sum(repeated_epochs(folder, name) for name in wanted)
    return {
        "kills": held.counts["kill"], "faults": dict(held.counts), "studies": len(wanted), "workers": held.workers,
        "runs": findings.runs, "trials": findings.trials, "lost": len(findings.lost),
        "duplicated": len(findings.duplicated), "stuck": len(findings.stuck), "crashed_workers": len(held.crashes),
        "repeated_work_runs": round(again / EPOCHS_OF_TASK, 2),
        "repeated_epochs_a_kill": round(again / max(1, held.counts["kill"]), 2),
        "integrity": findings.integrity or "ok",
        "same_recommendation": f"{len(wanted) - len(findings.differing)} of {len(wanted)}",
        "full_disk": "a file system of its own" if held.full_disks else "left out: no file system of its own",
        "clean": findings.clean and not held.crashes, "refusals": dict(held.refusals), "crashes": held.crashes[:5],
        "seconds": round(time.monotonic() - began), "findings": findings.to_dict(),
    }  # fmt: skip


def _with_a_disk_of_its_own(arguments: list[str]) -> int | None:
    """Start again with a small file system that only this campaign sees; ``None`` where nobody may mount one."""
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*own, "true"], capture_output=True, check=False).returncode
    ):
        return None
    with tempfile.TemporaryDirectory() as disk:
        mount = f'mount -t tmpfs -o size={DISK} none {disk} && exec "$0" "$@"'
        command = [sys.executable, "-m", "studies.chaos", *arguments, "--on-own-disk", disk]
        return subprocess.run([*own, "sh", "-c", mount, *command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
