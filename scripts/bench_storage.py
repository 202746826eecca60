"""Measure what a large study costs: in one SQLite file of made-up runs, each with ten epochs.

Seconds are time on the processor where it says so, else by the clock, which other programs make longer; the load of
the machine before and after is printed with them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "studies" / "2026-11-22-load"))

from make_study import make_study

from autoopt.records.overview import Overview, Wanted
from autoopt.records.store import Store
from autoopt.run import EpochReport, Run, RunRecord

EPOCHS = 10
SIZES = (1_000, 10_000, 100_000)
QUICK = (1_000, 3_000)
READERS, READING_SECONDS = 64, 30.0
FEW_READERS, SHORT_SECONDS = 8, 5.0  # of the quick form
COMMANDS = (("studies",), ("show", "big"), ("show", "big", "--run", "7"))
STUDY = "big"
COMMAND = """
import sys, time
from pathlib import Path
from autoopt.cli.exits import run
status = run(sys.argv[1:])
peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024
print(time.process_time(), peak, file=sys.stderr)
sys.exit(status)
"""


def main() -> None:
    """Read the command line, measure, print a table and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller studies, in under a minute")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--only", nargs="+", choices=("files", "asks", "readers"), default=("files", "asks", "readers")
    )
    parser.add_argument(
        "--soak", type=float, metavar="MINUTES", help="tune small studies for so long, and watch memory"
    )
    asked = parser.parse_args()
    sizes = QUICK if asked.quick else SIZES
    found: dict[str, Any] = {"load_before": os.getloadavg(), "sizes": sizes}
    with tempfile.TemporaryDirectory() as folder:
        if asked.soak:
            found["soak"] = soak(Path(folder), 60 * asked.soak)
        else:
            parts: dict[str, Callable[[], Any]] = {
                "files": lambda: [measure_file(Path(folder) / f"{size}.db", size) for size in sizes],
                "asks": lambda: measure_asks(sizes),
                "readers": lambda: measure_readers(Path(folder), sizes[-2], quick=asked.quick),
            }
            found |= {name: parts[name]() for name in asked.only}
    found["load_after"] = os.getloadavg()
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


def say(title: str, rows: dict[str, Any]) -> None:
    """Print what was measured as soon as it is known."""
    print(title, *(f"  {name:34} {value}" for name, value in rows.items()), sep="\n", flush=True)


def measure_file(path: Path, trials: int) -> dict[str, Any]:
    """Return size and times of a file with one study of so many trials."""
    began = time.process_time()
    with Store.open(path) as store:
        make_study(store, STUDY, trials, EPOCHS, 0)
    found: dict[str, Any] = {
        "trials": trials, "made_cpu_seconds": round(time.process_time() - began, 2),
        "megabytes": round(path.stat().st_size / 2**20, 1),
        "open_to_write_ms": round(1e3 * median(lambda: Store.open(path).close()), 1),
        "open_to_read_ms": round(1e3 * median(lambda: Store.open(path, readonly=True).close()), 1),
        **in_a_child(measure_journal, path),
        "save_an_epoch_ms": round(1e3 * measure_saving(path, trials), 2),
        **{f"{' '.join(command)}": measure_command(path, command) for command in COMMANDS},
    }  # fmt: skip
    say(f"{trials} trials of {EPOCHS} epochs", found)
    return found


def median(act: Callable[[], Any], times: int = 5) -> float:
    """Return the median of seconds on the processor that an act takes."""
    return statistics.median(cpu_of(act) for _ in range(times))


def cpu_of(act: Callable[[], Any]) -> float:
    """Return the seconds on the processor that an act takes."""
    began = time.process_time()
    act()
    return time.process_time() - began


def in_a_child(measure: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Measure in a process of its own, so that its memory is known."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def measure_journal(path: Path) -> dict[str, Any]:
    """Return what it takes to open the journal of the study, as every sitting does."""
    from autoopt.search.budget import Budget, Ledger
    from autoopt.search.journal import Journal

    before = held_megabytes()
    with Store.open(path) as store:
        took = cpu_of(lambda: Journal(store, STUDY, "loss", "minimize", Ledger(Budget(30), EPOCHS)))
    return {"journal_cpu_seconds": round(took, 2), "journal_megabytes": round(peak_megabytes() - before)}


def peak_megabytes() -> float:
    """Return the most memory that this process has held; ``getrusage`` would count that of its parent before exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure_saving(path: Path, trials: int) -> float:
    """Return the seconds on the processor that saving one epoch of a new run takes, once the run is there."""
    with Store.open(path) as store:
        run = Run(trials + 1000, store.runs(STUDY)[0].run.recipe, 0, 1000)
        store.save(STUDY, runs=[run])
        reports = iter(range(1, 1000))

        def save() -> None:
            report = EpochReport(run.id, next(reports), 1.0, 1.0, 1.0)
            store.save(STUDY, reports=[report], records=[RunRecord(run, epochs_done=report.epoch)])

        return median(save, 50)


def measure_command(path: Path, command: Sequence[str]) -> dict[str, float]:
    """Return seconds on the processor and the most megabytes of one call of the command line."""
    arguments = [*command, "--storage", str(path)]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True, check=True
    )
    cpu, peak = done.stderr.split()[-2:]
    return {
        "cpu_seconds": round(float(cpu), 2),
        "seconds": round(time.monotonic() - began, 2),
        "megabytes": int(peak),
    }


def measure_asks(sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Return the latency of asking and telling, by number of trials, in waves of nine as a search asks."""
    import numpy as np
    from proposals import EPOCHS as LENGTH
    from proposals import WAVE, tell

    from autoopt.search.study import Study, _Proposal
    from autoopt.space.build import build_space
    from autoopt.space.choose import suggest

    space, random, found = build_space(), np.random.default_rng(0), []
    study = Study(space, "minimize", LENGTH, 0)
    for size in sizes:
        while len(study.trials) < size:
            tell(study, study.adopt(suggest(space, _Proposal({}, random))), random)
        asks: list[float] = []
        tells: list[float] = []
        for _ in range(6):
            wave = []
            asks += [cpu_of(lambda wave=wave: wave.append(study.ask())) for _ in range(WAVE)]
            tells += [cpu_of(lambda trial=trial: tell(study, trial, random)) for trial in wave]
        found.append({
            "trials": size, "ask_cpu_ms_mean": round(1e3 * statistics.mean(asks), 1),
            "ask_cpu_ms_median": round(1e3 * statistics.median(asks), 1), "ask_cpu_ms_worst": round(1e3 * max(asks), 1),
            "tell_cpu_ms_mean": round(1e3 * statistics.mean(tells), 1), "megabytes": round(peak_megabytes()),
        })  # fmt: skip
        say(f"asking among {size} trials", found[-1])
    return found


def measure_readers(folder: Path, trials: int, *, quick: bool) -> dict[str, Any]:
    """Return how a study saves while many processes read it as the dashboard does, and alone before."""
    count, seconds = (FEW_READERS, SHORT_SECONDS) if quick else (READERS, READING_SECONDS)
    path = folder / "read.db"
    with Store.open(path) as store:
        make_study(store, STUDY, trials, EPOCHS, 0, running=True)
    alone = write_for(path, trials, seconds / 2)
    context = get_context("fork")
    results = context.Queue()
    stop = context.Event()
    readers = [context.Process(target=read_until, args=(path, stop, results)) for _ in range(count)]
    for reader in readers:
        reader.start()
    together = write_for(path, trials + 1, seconds)
    stop.set()
    looks = [results.get(timeout=120) for _ in readers]
    for reader in readers:
        reader.join()
    found = {
        "readers": count, "reads": sum(number for number, _, _ in looks),
        "read_ms_median": round(1e3 * statistics.median(each for _, took, _ in looks for each in took), 1),
        "errors": [error for *_, error in looks if error],
        "save_ms_alone": alone, "save_ms_with_readers": together,
    }  # fmt: skip
    say(f"{count} readers of a study with {trials} trials that goes on", found)
    return found


def write_for(path: Path, run_id: int, seconds: float) -> dict[str, float]:
    """Save an epoch every 50 ms; return the milliseconds by the clock that it took."""
    took = []
    with Store.open(path) as store:
        run = Run(run_id + 1000, store.runs(STUDY)[0].run.recipe, 0, 10**6)
        store.save(STUDY, runs=[run])
        end, epoch = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            epoch += 1
            began = time.monotonic()
            store.save(
                STUDY,
                reports=[EpochReport(run.id, epoch, 1.0, 1.0, 1.0)],
                records=[RunRecord(run, epochs_done=epoch)],
            )
            took.append(1e3 * (time.monotonic() - began))
            time.sleep(0.05)
    return {"saves": epoch, "median": round(statistics.median(took), 1), "worst": round(max(took), 1)}


def read_until(path: Path, stop: Any, results: Any) -> None:
    """Look at the study as the dashboard's pages do, until told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    took, error = [], ""
    try:
        while not stop.is_set():
            began = time.monotonic()
            with Store.open(path, readonly=True) as store:
                overview = Overview(store)
                overview.stamp(STUDY)
                overview.tallies(STUDY)
                overview.page(STUDY, Wanted(), 0, 50)
                store.reports(STUDY, range(5))
            took.append(time.monotonic() - began)
            time.sleep(1.0)  # a page of a study at work looks every second
    except Exception as caught:
        error = f"{type(caught).__name__}: {caught}"
    results.put((len(took), took or [0.0], error))


def soak(folder: Path, seconds: float) -> dict[str, Any]:
    """Tune one small study after the other in this process; return the memory it holds, over time."""
    import gc

    import autoopt

    sys.path.insert(0, str(Path(__file__).parent.parent))
    task, storage = Path(__file__).parent.parent / "studies" / "digits_mlp.py", str(folder / "soak.db")
    samples: list[tuple[float, float]] = []
    end, began, studies = time.monotonic() + seconds, time.monotonic(), 0
    while time.monotonic() < end:
        autoopt.tune(task, budget=6, epochs=3, storage=storage, new=True, seed=studies % 3)
        studies += 1
        gc.collect()
        samples.append((round(time.monotonic() - began, 1), round(held_megabytes(), 1)))
        print(f"{samples[-1][0]:8.1f} s  {studies:4} studies  {samples[-1][1]:7.1f} MB", flush=True)
    half = samples[len(samples) // 2 :]
    return {
        "studies": studies,
        "megabytes_half_way": half[0][1],
        "megabytes_at_the_end": half[-1][1],
        "samples": samples,
    }


def held_megabytes() -> float:
    """Return the memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
