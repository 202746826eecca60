"""The command line of the benchmark: see ``scripts/bench_training --help``."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from studies.bench_training.arms import ARMS, PLACE
from studies.bench_training.measure import Row, measure
from studies.bench_training.workloads import WORKLOADS

QUICK, ROUNDS, QUICK_ROUNDS = ("digits_mlp", "gru"), 7, 3
SLOW_TO_BEGIN = (
    "stacked_compiled"  # compiles for a minute, so it is left out of --quick unless it is asked for
)


def parser() -> argparse.ArgumentParser:
    """Return the reader of the command line."""
    made = argparse.ArgumentParser(prog="scripts/bench_training", description=(
        "Time complete trainings through autoopt against a plain torch loop, on one thread, in turn."))  # fmt: skip
    made.add_argument("--quick", action="store_true", help="the digits MLP and the GRU, in under a minute")
    made.add_argument("--workloads", metavar="A,B", help=f"of {', '.join(WORKLOADS)}")
    made.add_argument("--arms", metavar="A,B", help=f"of {', '.join(ARMS)}")
    made.add_argument("--rounds", type=int, metavar="N", help=f"times that each is timed ({ROUNDS})")
    made.add_argument("--device", default="cpu", help="cpu, or a GPU: cuda; scripts/check_gpu")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the rows, and about the machine")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 if all was well, 2 if the command line is wrong."""
    asked = parser().parse_args(arguments)
    workloads = asked.workloads.split(",") if asked.workloads else list(QUICK if asked.quick else WORKLOADS)
    arms = (
        asked.arms.split(",") if asked.arms else [a for a in ARMS if not (asked.quick and a == SLOW_TO_BEGIN)]
    )
    for name, known in [*((w, WORKLOADS) for w in workloads), *((a, ARMS) for a in arms)]:
        if name not in known:
            print(f"bench_training: there is no {name!r}; there are: {', '.join(known)}", file=sys.stderr)
            return 2
    rounds = asked.rounds or (QUICK_ROUNDS if asked.quick else ROUNDS)
    PLACE["device"] = asked.device
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {machine()}, {asked.device}, {rounds} rounds;", end=" ")
    print("ratio: time of plain / time of this")
    print(HEAD)
    rows: list[Row] = []
    for workload in workloads:
        found = measure(workload, arms, rounds, tell=lambda line: print(f"  {line}"))
        rows += found
        for row in found:
            print(as_text(row), flush=True)
    if asked.json:
        about = {"torch": torch.__version__, "machine": machine(), "device": asked.device, "rounds": rounds}
        data = {**about, "rows": [row.to_dict() for row in rows]}
        asked.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return 0


HEAD = (
    f"{'':3}{'workload':18}{'arm':18}{'runs':>4}{'s a run':>10}{'CPU s a run':>13}{'ratio':>8}{'CPU ratio':>11}"
    f"{'(spread)':>16}{'first time':>12}"
)


def as_text(row: Row) -> str:
    """Return a row of the table."""
    spread = f"({row.ratio_low:.2f} to {row.ratio_high:.2f})"
    return (
        f"{WORKLOADS[row.workload].letter:3}{row.workload:18}{row.arm:18}{row.together:4}{row.seconds_per_run:10.4f}"
        f"{row.cpu_seconds_per_run:13.4f}{row.ratio_to_plain:8.2f}{row.cpu_ratio_to_plain:11.2f}{spread:>16}"
        f"{row.first_seconds:10.2f} s"
    )


def machine() -> str:
    """Return what the GPU or the processor calls itself."""
    if PLACE["device"].startswith("cuda"):
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")


if __name__ == "__main__":
    sys.exit(main())
