"""States of the machine around a command that is right: streams, folders, limits, what is not installed."""

from __future__ import annotations

import os

from .case import PLAIN, Case
from .storages import with_study

TASK = {"task.py": PLAIN + "epochs = 2\n"}
TUNE = "tune task.py --budget 2 --quiet"


def without(module: str, arguments: str) -> str:
    """Return a line that runs autoopt where a library is not installed."""
    code = f"import sys; sys.modules[{module!r}] = None; from autoopt.cli import main; main({arguments.split()!r})"
    return f'autoopt_python -c "{code}"'


# what is wrong: a line of sh, what autoopt must say, and how it must end
QUICK = {
    # streams
    "a reader that goes away": ("{ autoopt optimizers --json; echo $? > status; } | head -1; exit $(cat status)", "", 1),
    "a disk that is full, for a list": ("autoopt optimizers > /dev/full", "cannot write the output (No space left on device)", 1),
    "a disk that is full, for JSON": ("autoopt optimizers --json > /dev/full", "cannot write the output (No space left on device)", 1),
    "a disk that is full, for code": ("autoopt export task > /dev/full", "cannot write the output (No space left on device)", 1),
    "no standard output": ("autoopt optimizers >&-", "", 0),
    "no standard error": ("autoopt show nothing 2>&-", "", 2),
    "no streams at all": ("autoopt show nothing <&- >&- 2>&-", "", 2),
    # folders
    "a folder that was deleted": ("mkdir gone; cd gone; rmdir ../gone; autoopt studies", "the current folder was deleted: change to one that exists", 2),
    "a folder that was deleted, for a template": ("mkdir gone; cd gone; rmdir ../gone; autoopt init", "the current folder was deleted: change to one that exists", 2),
    "code where nothing can be written": ("autoopt export task -o /proc/x.py", "cannot write '/proc/x.py'", 2),
    "no home": ("unset HOME; autoopt studies --storage '~/no/x.db'", "does not exist: create it, or write another path", 2),
    # what is not installed
    "SQLAlchemy that is not installed": (without("sqlalchemy", "studies"), "sqlalchemy is missing, without which autoopt cannot work: pip install --upgrade autoopt", 1),
    "torch that is not installed": (without("torch", "check task.py"), "torch is missing, without which autoopt cannot work", 1),
    "a dashboard that is not installed": (without("streamlit", "dashboard"), "the dashboard needs streamlit, not installed here: pip install 'autoopt[dashboard]'", 2),
    "a report that cannot be drawn": (without("plotly", "report task"), "the dashboard needs plotly, not installed here: pip install 'autoopt[dashboard]'", 2),
    # variables
    "a terminal of one column": ("COLUMNS=1 autoopt show tsak", "did you mean 'task'?", 2),
    "a width that is text": ("COLUMNS=wide autoopt show tsak", "did you mean 'task'?", 2),
    "a language of ASCII alone": ("LC_ALL=C PYTHONUTF8=0 PYTHONIOENCODING=ascii autoopt show Модель", "unknown study", 2),
    "colours where none are to be seen": ("NO_COLOR=1 TERM=dumb autoopt show tsak", "Error: unknown study 'tsak'", 2),
    "Python without docstrings": ("PYTHONOPTIMIZE=2 autoopt show tsak", "did you mean 'task'?", 2),
    "warnings that are errors": ("PYTHONWARNINGS=error autoopt show tsak", "did you mean 'task'?", 2),
    "a file that is called like a part of Python": ("echo 'raise SystemExit(7)' > json.py; autoopt show tsak", "did you mean 'task'?", 2),
}  # fmt: skip

SLOW = {
    "no standard input": ("autoopt check task.py <&- >/dev/null", "", 0),
    "a task that prints without end to a reader that goes away": (
        "echo 'while True: print(1)' > task.py; { autoopt check task.py; echo $? > status; } | head -1; exit $(cat status)",
        "loading task.py: BrokenPipeError: [Errno 32] Broken pipe (task.py, line 1)",
        2,
    ),
    "a folder that was deleted, for a study": (f"mkdir gone; cd gone; rmdir ../gone; autoopt {TUNE}", "the current folder was deleted: change to one that exists", 2),
    "a storage where nothing can be written": (f"autoopt {TUNE} --storage /proc/autoopt.db", "cannot open /proc/autoopt.db", 2),
    "a result where nothing can be written": (f"autoopt {TUNE} --json /proc/x.json", "--json /proc/x.json cannot be written", 2),
    "a script's output where nothing can be written": ("autoopt tune --script train.py --script-output /proc/x --budget 2", "the script's output cannot be kept in '/proc/x' (No such file or directory): name a folder", 2),
    "no place for temporary files": ("TMPDIR=/no/such autoopt check task.py > /dev/null", "", 0),
    "a disk that is full from the start": (f"ulimit -f 64; autoopt {TUNE} --storage new.db", "new.db", 2),
    "an optimizer that is not installed": (without("pytorch_optimizer", "tune task.py --optimizers lion"), "Lion lives in pytorch_optimizer, which is not installed: pip install 'autoopt[optimizers]'", 2),
    "threads that are text": ("OMP_NUM_THREADS=many autoopt check nothing.py", "no such file: 'nothing.py'", 2),
    "a file that is called like a library": ("echo 'raise SystemExit(7)' > numpy.py; autoopt check nothing.py", "no such file: 'nothing.py'", 2),
}  # fmt: skip

# what is wrong: the task file, byte by byte, and what the message must say
BYTES = {
    "a task of random bytes": (bytes(range(256)) * 4, "source code"),
    "a task with a null byte": (b"model = 1\0\n", "source code"),
    "a task in UTF-16": ("model = 1\n".encode("utf-16"), "loading task.py: "),
    "a task in an encoding of nobody": (b"# -*- coding: klingon -*-\nmodel = 1\n", "SyntaxError"),
    "a notebook by the name of a task": (b'{"cells": [], "metadata": {}}', "has no 'model'"),
    "a task of brackets": (b"(" * 10_000, "SyntaxError"),
    "a task of endless depth": (b"x = " + b"-" * 100_000 + b"1", "loading task.py"),
    "a task of a number too long": (b"x = " + b"9" * 100_000, "SyntaxError: Exceeds the limit"),
    "a task indented with both": (b"if 1:\n\tx = 1\n        y = 2\n", "TabError"),
    "an archive by the name of a task": (b"PK\x03\x04" + bytes(60), "loading task.py: "),
}  # fmt: skip


def pipe(folder) -> None:
    """Put a pipe there by the name of a task."""
    os.mkfifo(folder / "pipe.py")


CASES = [
    *(Case(wrong, (says,), files={"task.py": text}) for wrong, (text, says) in BYTES.items()),
    Case("a pipe by the name of a task", ("'pipe.py' is a pipe or a device: give a Python file",), "check pipe.py", prepare=pipe),
    Case("a folder by the name of a task", ("is a folder: give the Python file in it",), "check folder.py", {"folder.py/x": ""}),
    *(Case(wrong, (says,), line, {**TASK, "train.py": "x = 1\n"}, with_study, status, shell=True, slow=wrong in SLOW)
      for wrong, (line, says, status) in (QUICK | SLOW).items()),
]  # fmt: skip
