"""Diagnose the collected runs and count: precision and recall of every symptom, and every miss by name.

python studies/2026-11-21-diagnosis/judge.py held-out
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoopt.guidance.diagnosis import diagnose
from autoopt.recipe import Recipe
from autoopt.run import EpochReport

HERE = Path(__file__).parent
TEXTS = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}


@dataclass
class Count:
    """Runs by what is true of them and what was said, and the names of those that were judged wrongly."""

    right: int = 0
    alarms: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    healthy: int = 0

    @property
    def precision(self) -> float:
        """Share of the diagnoses that are true."""
        return self.right / max(1, self.right + len(self.alarms))

    @property
    def recall(self) -> float:
        """Share of the runs with the symptom in which it is found."""
        return self.right / max(1, self.right + len(self.missed))


def load(split: str) -> list[dict[str, Any]]:
    """Return the runs of a split, with their reports as values."""
    runs = json.loads((HERE / f"{split}.json").read_text(encoding="utf-8"))
    return [{**run, "reports": list(_reports(run["reports"]))} for run in runs]


def _reports(columns: Mapping[str, Sequence[Any]]) -> Iterator[EpochReport]:
    for epoch, values in enumerate(zip(*columns.values(), strict=True), 1):
        known = dict(
            zip(columns, (TEXTS.get(v, v) if isinstance(v, str) else v for v in values), strict=True)
        )
        yield EpochReport(run_id=0, epoch=epoch, score=known["valid_loss"], **known)


def judge(runs: Sequence[Mapping[str, Any]]) -> dict[str, Count]:
    """Diagnose every run and compare with what is true of it."""
    counts: dict[str, Count] = {}
    for run in runs:
        said = {d.rule_id for d in diagnose(run["reports"], Recipe.from_dict(run["recipe"]), run["epochs"])}
        said.discard("divergence-at-the-start")  # follows from divergence and the epoch
        name = f"{run['task']}: {run['name']}"
        for symptom in sorted(said | set(run["has"])):
            count = counts.setdefault(symptom, Count())
            if symptom in run["has"] and symptom in said:
                count.right += 1
            elif symptom in run["has"]:
                count.missed.append(name)
            elif symptom not in run["unclear"]:
                count.alarms.append(name)
    for symptom, count in counts.items():
        count.healthy = sum(symptom not in (*run["has"], *run["unclear"]) for run in runs)
    return counts


def main() -> None:
    for split in sys.argv[1:]:
        counts = judge(load(split))
        print(
            f"{split}\n| symptom | runs with it | found | wrong alarms (of healthy runs) | precision | recall |"
        )
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for symptom, c in sorted(counts.items()):
            print(f"| {symptom} | {c.right + len(c.missed)} | {c.right} | {len(c.alarms)} ({c.healthy}) "
                  f"| {c.precision:.2f} | {c.recall:.2f} |")  # fmt: skip
        for symptom, c in sorted(counts.items()):
            for what, names in (("missed", c.missed), ("wrong alarm", c.alarms)):
                for name in names:
                    print(f"{what}: {symptom}: {name}")


if __name__ == "__main__":
    main()
