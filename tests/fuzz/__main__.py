"""Fuzz the targets for a time, guided by the lines of autoopt that they reach.

    scripts/fuzz --seconds 60 [--seed 0] [--target NAME] [--json FILE]

Prints a line a target: executions and finds; a find is told with the bytes to repeat it. Status 1 where there is one.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import random
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from tests.fuzz.targets import TARGETS, perform

LONGEST = 400  # bytes
MOST_FINDS = 20


def main() -> None:
    """Read the command line and fuzz, one target after the other."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=TARGETS, action="append")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    faulthandler.dump_traceback_later(given.seconds + 300, exit=True)  # something hangs: where?
    names = given.target or list(TARGETS)
    results = {}
    for name in names:
        results[name] = _fuzz(name, given.seconds / len(names), given.seed)
        print(f"{name}: {results[name]['executions']} executions, {results[name]['lines']} lines reached, "
              f"{len(results[name]['finds'])} finds", flush=True)  # fmt: skip
        for find in results[name]["finds"]:
            print(f"  {find['error']}\n    {find['at']}\n    {find['bytes']}", flush=True)
    total = sum(result["executions"] for result in results.values())
    finds = sum(len(result["finds"]) for result in results.values())
    print(f"{total} executions, {finds} finds")
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(1 if finds else 0)


def _fuzz(name: str, seconds: float, seed: int) -> dict[str, Any]:
    """Mutate a corpus; what reaches lines that nothing reached before joins it.

    The loop is our own: libFuzzer, which Atheris brings, ends a process at its first find, and wants a build of its own.
    """
    chance = random.Random(f"{seed}-{name}")
    seen: set[tuple[str, int]] = set()
    corpus, finds, errors = [b""], [], set()
    executions, end = 0, time.monotonic() + seconds
    while time.monotonic() < end and len(finds) < MOST_FINDS:
        data = _mutate(chance, corpus)
        executions += 1
        reached: set[tuple[str, int]] = set()
        try:
            with _Tracing(reached):
                perform(name, data)
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            kind = (type(error).__name__, at.filename, at.lineno)
            if kind not in errors:
                errors.add(kind)
                finds.append({"error": f"{type(error).__name__}: {error}"[:500],
                              "at": f"{Path(at.filename).name}, line {at.lineno}", "bytes": repr(data)})  # fmt: skip
        if not reached <= seen:
            seen |= reached
            corpus.append(data)
    return {"executions": executions, "lines": len(seen), "finds": finds}


def _mutate(chance: random.Random, corpus: list[bytes]) -> bytes:
    data = bytearray(chance.choice(corpus[-50:] if chance.random() < 0.5 else corpus))
    for _ in range(1 + int(chance.expovariate(0.5))):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[place:place] = chance.randbytes(1 + chance.randrange(16))
            case 1 if data:
                del data[place : place + 1 + chance.randrange(8)]
            case 2:
                other = chance.choice(corpus)
                data[place:] = other[chance.randrange(len(other) + 1) :]
            case _ if place < len(data):
                data[place] = chance.randrange(256)
            case _:
                data += chance.randbytes(8)
    return bytes(data[:LONGEST])


class _Tracing:
    """Notes the lines of autoopt that run."""

    def __init__(self, reached: set[tuple[str, int]]) -> None:
        self._reached = reached

    def __enter__(self) -> None:
        sys.settrace(self._enter)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _enter(self, frame: Any, event: str, argument: Any) -> Any:
        if "/autoopt/" not in frame.f_code.co_filename:
            return None
        return self._line

    def _line(self, frame: Any, event: str, argument: Any) -> Any:
        if event == "line":
            self._reached.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line


if __name__ == "__main__":
    main()
