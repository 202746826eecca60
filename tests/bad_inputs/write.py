"""Writes the bad inputs as a document: what was wrong, what autoopt said, how it ended; outputs as they were."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from . import environment, options, storages, tasks
from .case import PLAIN, ROOT, Case, Outcome, perform

TARGET = ROOT / "studies" / "2026-11-22-bad-input" / "README.md"
CHAPTERS = {
    "Task files, models, data, losses, metrics": tasks.CASES,
    "Options and arguments": options.CASES,
    "Databases, their places, and documents in them": storages.CASES,
    "Files and the machine around": environment.CASES,
}
HEAD = """# Bad input

What autoopt says to {count} broken task files, data sets, options, databases, documents and environments, and with which
status it ends: 0 done, 1 failed, 2 misuse. Nowhere a traceback. `scripts/bad_inputs` writes this file out of the tables in
`tests/bad_inputs/`, which `tests/bad_inputs/test_bad_inputs.py` holds; outputs are what was printed, cut after three
lines. `/folder` is where the command was typed, `~` the home of who typed it, {libraries}.

In the first chapter the task is a small classifier that works, spoilt by the lines that are shown.
"""
LONGEST, LINES = 240, 3


def main() -> None:
    """Perform all cases and write the document."""
    import torch

    count = sum(map(len, CHAPTERS.values()))
    parts = [HEAD.format(count=count, libraries=f"torch {torch.__version__}")]
    for title, cases in CHAPTERS.items():
        parts.append(f"## {title} ({len(cases)})\n")
        parts += map(_entry, cases)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join(parts), encoding="utf-8")
    sys.stdout.write(f"wrote {count} bad inputs to {TARGET.relative_to(ROOT)}\n")


def _entry(case: Case) -> str:
    with tempfile.TemporaryDirectory() as folder:
        outcome = perform(case, Path(folder).resolve())
    shown = "\n".join([*_lines(case), *_told(outcome), f"[status {outcome.status}]"])
    fence = "~~~" if "```" in shown else "```"
    return f"**{case.wrong[0].upper()}{case.wrong[1:]}**\n{fence}\n{shown}\n{fence}\n"


def _lines(case: Case) -> Iterable[str]:
    """Return what was typed, and what spoilt the task."""
    task = case.files.get("task.py", "")
    if isinstance(task, str) and case.command == "check task.py":
        lines = task.removeprefix(PLAIN).strip("\n").splitlines() or ["# an empty file"]
        yield from (f"  {_cut(line)}" for line in lines)
    variables = "".join(
        f"{name}={shlex.quote(value)} " for name, value in case.environment.items() if value is not None
    )
    yield _cut(f"$ {variables}{'' if case.shell else 'autoopt '}{_readable(case.command)}")


def _told(outcome: Outcome) -> Iterable[str]:
    """Return the first lines of the message; of an answer only that there was one."""
    lines = [line.rstrip() for line in outcome.err.splitlines() if line.strip()]
    home = f"{Path.home()}{os.sep}"
    yield from (_cut(_readable(line.replace(home, "~/"))) for line in lines[:LINES])
    if len(lines) > LINES:
        yield f"… {len(lines) - LINES} more lines"
    if not lines and outcome.out:
        yield "(an answer on standard output, and no message)"


def _readable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


if __name__ == "__main__":
    main()
