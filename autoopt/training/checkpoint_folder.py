"""Files from which another process trains a run on: written whole or not at all, looked at before they are taken."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import tempfile
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch.serialization import default_restore_location

from autoopt.errors import AutooptError, AutooptWarning
from autoopt.run import Direction, EpochReport, Run

FORMAT = 1
LIMIT = 2_000_000_000  # bytes that the checkpoints of a database take at most, unless somebody says otherwise
ABANDONED = 600.0  # seconds after which a file that was never finished is nobody's
NUMBERS = [
    f.name for f in fields(EpochReport) if f.name not in ("run_id", "epoch", "diverged", "failure", "metrics")
]
_FILE = re.compile(r"run-(\d+)\.epoch-(\d+)\.score-(\S+)\.pt")


@dataclass(frozen=True)
class Checkpoint:
    """Where a run stood after an epoch.

    Attributes:
        reports: of all its epochs, from the first one on: some may not have been written down when the process died.
        state: what the trainer goes on from.
    """

    reports: Sequence[EpochReport]
    state: Mapping[str, Any]


class CheckpointFolder:
    """The checkpoints of a study's runs, the newest of each. Several processes may use it at once.

    Args:
        root: folder of all studies of a database; made when something is written, for its owner alone.
        study: its name.
        fingerprint: of the task, the device and whatever else makes runs what they are: files of another are refused.
        direction: which scores are promising.
        limit: bytes that everything below ``root`` may take; where it is short of room, files of the least promising
            runs go first (those of the fewest epochs, of these the worse half by score), and the oldest of them.
    """

    def __init__(self, root: str | os.PathLike[str], study: str, *, fingerprint: str = "",
                 direction: Direction = "minimize", limit: int = LIMIT) -> None:  # fmt: skip
        self._root = Path(root)
        readable = re.sub(r"[^A-Za-z0-9_-]+", "_", study)[:40]
        self.path = self._root / f"{readable}-{sha256(study.encode(errors='replace')).hexdigest()[:8]}"
        self._fingerprint, self._direction, self._limit = fingerprint, direction, limit
        self._written: float = math.inf  # bytes since somebody last looked how much room there is

    def save(
        self, run: Run, reports: Sequence[EpochReport], state: Mapping[str, Any], *, safe: bool = True
    ) -> None:
        """Write down where a run stands, in place of what was written before.

        Args:
            reports: of all its epochs so far.
            state: plain data and tensors.
            safe: wait until the disk has it, so that it outlasts a power cut and not just a killed process.

        Raises:
            OSError: it cannot be written.
            AutooptError: it is larger than all checkpoints together may be.
        """
        document = {"format": FORMAT, "owner": self._owner(run), "columns": NUMBERS,
                    "reports": _table(reports), "metrics": [each.metrics and dict(each.metrics) for each in reports],
                    "state": dict(state)}  # fmt: skip
        for folder in (self._root, self.path):
            folder.mkdir(mode=0o700, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=self.path)  # for its owner alone
        try:
            with os.fdopen(handle, "wb") as file:
                torch.save(document, file)
                if safe:
                    file.flush()
                    os.fsync(file.fileno())
            if (size := os.path.getsize(name)) > self._limit:
                raise AutooptError(
                    f"a checkpoint takes {size} bytes, and all together may take {self._limit}"
                )
            last = reports[-1]
            path = self.path / f"run-{run.id}.epoch-{last.epoch}.score-{last.score:.6g}.pt"
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
        for other in self._files(run.id):
            if (
                other != path and _epoch_of(other) <= last.epoch
            ):  # a later one is of a process that has taken it over
                other.unlink(missing_ok=True)
        self._make_room(size, path)

    def load(self, run: Run, device: str = "cpu") -> Checkpoint | None:
        """Return the newest checkpoint of a run; ``None`` if there is none. One that is damaged, or of another run,
        is left aside with a warning.
        """  # fmt: skip
        for path in self._files(run.id):
            try:
                return self._read(path, run, device)
            except Exception as error:  # whatever a damaged file makes torch raise
                said = str(error).splitlines()[0] if str(error) else type(error).__name__
                warnings.warn(f"the checkpoint {path} is not used, for {said}: the run is trained again from its start",
                              AutooptWarning, stacklevel=2)  # fmt: skip
        return None

    def drop(self, run_id: int) -> None:
        """Delete what there is of a run that is over."""
        for path in self._files(run_id):
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete everything of the study; the root too if nothing else is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):
            self._root.rmdir()

    def _read(self, path: Path, run: Run, device: str) -> Checkpoint:
        with zipfile.ZipFile(path) as packed:
            if (part := packed.testzip()) is not None:  # torch does not look at the checksums that it writes
                raise AutooptError(f"its part {part} is damaged")

        def place(storage: Any, location: str) -> Any:
            return default_restore_location(storage, "cpu" if location == "cpu" else device)

        document = torch.load(path, map_location=place, weights_only=True)
        if document["format"] != FORMAT:
            raise AutooptError(f"its format is {document['format']}, and this version reads {FORMAT}")
        if document["owner"] != self._owner(run):
            raise AutooptError("it is of another run or another task")
        reports = _reports(run.id, document["columns"], document["reports"], document["metrics"])
        return Checkpoint(reports, document["state"])

    def _owner(self, run: Run) -> str:
        """Return what tells a run from all others."""
        told = [
            self._fingerprint,
            run.id,
            run.recipe.to_dict(),
            run.seed,
            run.epochs,
            list(run.rungs),
            run.purpose,
        ]
        return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def _files(self, run_id: int) -> list[Path]:
        """Return the files of a run, the newest first: of a process that died there may be two."""
        found = [path for path in self.path.glob(f"run-{run_id}.*") if _FILE.fullmatch(path.name)]
        return sorted(found, key=lambda path: (_epoch_of(path), path), reverse=True)

    def _make_room(self, size: int, kept: Path) -> None:
        """Delete what is over the limit, but not what has just been written, and what others never finished."""
        self._written += size
        if self._written < self._limit / 64:
            return  # looking at all files takes its time, so it is done now and then
        self._written = 0
        found = list(_look_at(self._root))
        for path, _, touched in found:
            if path.suffix == ".tmp" and time.time() - touched > ABANDONED:
                path.unlink(missing_ok=True)
        total = sum(nbytes for _, nbytes, _ in found)
        for path, nbytes, _ in self._least_promising_first(f for f in found if f[0] != kept):
            if total <= self._limit:
                return
            path.unlink(missing_ok=True)
            total -= nbytes

    def _least_promising_first(
        self, found: Iterator[tuple[Path, int, float]]
    ) -> list[tuple[Path, int, float]]:
        files = [(each, m) for each in found if (m := _FILE.fullmatch(each[0].name))]
        sign = 1 if self._direction == "minimize" else -1
        levels: dict[int, list[float]] = {}
        for _, m in files:
            levels.setdefault(int(m[2]), []).append(sign * float(m[3]))
        middle = {epoch: sorted(scores)[len(scores) // 2] for epoch, scores in levels.items()}

        def place(each: tuple[tuple[Path, int, float], re.Match[str]]) -> tuple[int, bool, float]:
            (_, _, touched), m = each
            return int(m[2]), sign * float(m[3]) < middle[int(m[2])], touched

        return [each for each, _ in sorted(files, key=place)]


def _epoch_of(path: Path) -> int:
    found = _FILE.fullmatch(path.name)
    return 0 if found is None else int(found[2])


def _look_at(root: Path) -> Iterator[tuple[Path, int, float]]:
    """Yield the files of all studies with their bytes and when they were written."""
    for path in root.glob("*/*"):
        with suppress(OSError):  # others delete as well
            status = path.stat()
            yield path, status.st_size, status.st_mtime


def _table(reports: Sequence[EpochReport]) -> torch.Tensor:
    """Return the numbers of reports, a row an epoch, NaN for those that there are not."""
    rows = [[math.nan if (v := getattr(r, name)) is None else float(v) for name in NUMBERS] for r in reports]
    return torch.tensor(rows, dtype=torch.float64)


def _reports(
    run_id: int, columns: Sequence[str], table: torch.Tensor, metrics: Sequence[Any]
) -> list[EpochReport]:
    known = [name for name in columns if name in NUMBERS]
    found = []
    for epoch, (row, named) in enumerate(zip(table.tolist(), metrics, strict=True), 1):
        numbers = {n: v for n, v in zip(columns, row, strict=True) if n in known and not math.isnan(v)}
        fields: dict[str, Any] = {**dict.fromkeys(("train_loss", "valid_loss", "score"), math.nan), **numbers}
        if "steps" in fields:
            fields["steps"] = int(fields["steps"])
        found.append(EpochReport(run_id, epoch, **fields, metrics=named))
    return found
