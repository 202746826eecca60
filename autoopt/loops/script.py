"""Script: a program that trains, run anew for every trial, for loops that cannot be imported."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autoopt.errors import LoopError, Stop
from autoopt.loops.reported import Reported
from autoopt.loops.terms import Facts
from autoopt.loops.trial import Trial
from autoopt.loops.tryout import Tryout
from autoopt.loops.wire import ADDRESS, Meeting

SOURCE = "script: "
_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 10.0  # that a script gets to tidy up after Stop
_LAST_WORDS = 2000  # characters of its output that are looked at


class ScriptFailed(Exception):
    """The script ended with an error; the message has the last line that it printed."""


@dataclass(frozen=True)
class Script:
    """A Python file that trains by ``autoopt.current_trial()``; to ``tune``, a loop like any other.

    What it prints goes into a file for each run, in ``output`` where that is given.

    Attributes:
        path: of the file.
        arguments: of its command line.
        output: folder for what it prints; kept only for messages if ``None``.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".py") as file:
    ...     Script(Path(file.name), ("--hidden", "16")).arguments
    ('--hidden', '16')
    """

    path: str
    arguments: tuple[str, ...] = ()
    output: str | None = None

    def __post_init__(self) -> None:
        if not Path(self.path).is_file():
            raise LoopError(f"there is no script {self.path!r}: give the path of a Python file")

    @property
    def __name__(self) -> str:
        """What a study of it is called."""
        return Path(self.path).stem

    @property
    def source(self) -> str:
        """What a study keeps of it, to carry on by its name."""
        return SOURCE + shlex.join([str(Path(self.path).resolve()), *self.arguments])

    @property
    def code(self) -> bytes:
        """What tells it from another one: the file and the arguments."""
        return Path(self.path).read_bytes() + f"\n{self.arguments!r}".encode()

    def __call__(self, trial: Trial) -> None:
        """Run the script for a trial."""
        meeting = Meeting()
        try:
            with self._output_of(trial) as output, _Process(self, meeting.address, output) as process:
                _attend(process, meeting, trial)
        finally:
            meeting.close()

    def _output_of(self, trial: Trial) -> Any:
        if self.output is None:
            return tempfile.TemporaryFile()
        name = f"run-{trial.number}.txt" if trial.number >= 0 else "try-out.txt"
        try:
            Path(self.output).mkdir(parents=True, exist_ok=True)
            return Path(self.output, name).open("wb+")
        except OSError as error:
            raise LoopError(
                f"the script's output cannot be kept in {self.output!r} ({error.strerror}): name a folder that can be "
                "written to"
            ) from error


def read_source(source: str) -> Script | None:
    """Return the script that a study's source stands for; ``None`` if it stands for something else."""
    if not source.startswith(SOURCE):
        return None
    path, *arguments = shlex.split(source.removeprefix(SOURCE))
    return Script(path, tuple(arguments))


class _Process:
    """The script as it runs; it never outlives the block."""

    def __init__(self, script: Script, address: str, output: Any) -> None:
        command = [sys.executable, script.path, *script.arguments]
        environment = {**os.environ, ADDRESS: address, "PYTHONUNBUFFERED": "1"}
        self._output = output
        self._process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                         stderr=subprocess.STDOUT)  # fmt: skip

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.is_over():
            self._process.kill()
        self._process.wait()

    def is_over(self) -> bool:
        """It has ended."""
        return self._process.poll() is not None

    def wait(self, seconds: float) -> None:
        """Wait for its end; it is asked to end where that takes too long."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.terminate()

    def check(self) -> None:
        """Wait for its end.

        Raises:
            ScriptFailed: with an exit status that is not zero.
        """
        while not self.is_over():  # not one long wait, which nothing would interrupt
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LOOK_SECONDS)
        if status := self._process.returncode:
            self._output.seek(0, os.SEEK_END)
            self._output.seek(max(0, self._output.tell() - _LAST_WORDS))
            lines = self._output.read().decode(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")
            how = f"exit status {status}" if status > 0 else f"signal {-status}"
            raise ScriptFailed(f"the script ended with {how}: {last}")


def _attend(process: _Process, meeting: Meeting, trial: Trial) -> None:
    """Answer the script until it ends."""
    met = meeting.wait(process.is_over)
    if met is None:
        process.check()
        raise trial.refuse(
            "the script ended without having called autoopt.current_trial(): it gives the trial to train with"
        )
    wire, first = met
    try:
        wire.send(_describe(trial, first))
        while (message := wire.receive(process.is_over)) is not None:
            try:
                wire.send(_answer(trial, message))
            except Stop as stop:
                with contextlib.suppress(OSError):
                    wire.send({"stop": str(stop)})
                    process.wait(_PATIENCE_SECONDS)
                raise
    except OSError:
        pass  # it ended while it was told something: its exit status says the rest
    finally:
        wire.close()
    process.check()


def _describe(trial: Trial, wishes: dict[str, Any]) -> dict[str, Any]:
    """Return what the script needs to know; what the study leaves open is as the script wishes."""
    terms = trial.terms
    return {
        "run": None if isinstance(trial, Tryout) else trial.number, "recipe": trial.recipe.to_dict(),
        "seed": trial.seed, "epochs": terms.epochs or wishes["epochs"] or terms.length,
        "batch_size": terms.batch_size or wishes["batch_size"] or terms.rows, "metric": terms.metric,
        "direction": terms.direction, "device": terms.device,
    }  # fmt: skip


def _answer(trial: Trial, message: dict[str, Any]) -> dict[str, Any]:
    """Do what a message says.

    Raises:
        Stop: the run is over.
        LoopError: the script does what no study can work with.
    """
    match message.get("says"):
        case "facts" if isinstance(trial, Tryout):
            trial.see(Facts.from_dict(message["facts"]))
        case "steps":
            trial.note_steps(message["steps"])
        case "report":
            trial.read_epochs |= bool(message["read_epochs"])
            trial.pass_on(Reported(**message["reported"]))
        case "mistake":
            raise trial.refuse(str(message["mistake"]))
    return {}


def to_message(reported: Reported, *, read_epochs: bool) -> dict[str, Any]:
    """Return a report as a message of the script."""
    return {"says": "report", "reported": asdict(reported), "read_epochs": read_epochs}
