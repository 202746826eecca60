"""Databases, places of databases, and documents in databases that cannot be used."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from .case import PLAIN, Case, in_folder, type_command

TASK = {"task.py": PLAIN + "epochs = 2\n"}


@cache
def database() -> bytes:
    """Return a database with one small study, named task."""
    with tempfile.TemporaryDirectory() as folder, in_folder(folder, {"AUTOOPT_STORAGE": None}):
        Path("task.py").write_text(TASK["task.py"])
        assert type_command("tune task.py --budget 7 --quiet").status == 0
        with sqlite3.connect("autoopt.db") as connection:  # whole, whoever in this process still has it open
            connection.execute("VACUUM INTO 'copy.db'")
        connection.close()
        return Path("copy.db").read_bytes()


def with_study(folder: Path) -> None:
    """Put a database with a study there."""
    (folder / "autoopt.db").write_bytes(database())


def changed(*statements: str) -> Callable[[Path], None]:
    """Return what puts a database there in which something was changed by hand."""

    def prepare(folder: Path) -> None:
        with_study(folder)
        with sqlite3.connect(folder / "autoopt.db") as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return prepare


def with_verdict(change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Return what puts a database there in whose verdict something was changed by hand."""

    def prepare(folder: Path) -> None:
        with_study(folder)
        with sqlite3.connect(folder / "autoopt.db") as connection:
            ((document,),) = connection.execute("SELECT document FROM autoopt_verdicts")
            data = json.loads(document)
            change(data)
            connection.execute("UPDATE autoopt_verdicts SET document = ?", [json.dumps(data)])
        connection.close()

    return prepare


def sets(*path: str | int, to: object) -> Callable[[Path], None]:
    """Return what puts a database there in whose verdict a field has another value."""

    def change(data):
        *outer, last = path
        for step in outer:
            data = data[step]
        data[last] = to

    return with_verdict(change)


def lacks(*path: str | int) -> Callable[[Path], None]:
    """Return what puts a database there in whose verdict a field is missing."""

    def change(data):
        *outer, last = path
        for step in outer:
            data = data[step]
        del data[last]

    return with_verdict(change)


def foreign(folder: Path) -> None:
    """Put somebody else's database there."""
    with sqlite3.connect(folder / "autoopt.db") as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()


def truncated(folder: Path) -> None:
    """Put half a database there."""
    (folder / "autoopt.db").write_bytes(database()[: len(database()) // 2])


def overwritten(folder: Path) -> None:
    """Put a database there whose pages were overwritten."""
    (folder / "autoopt.db").write_bytes(database()[:4096] + b"\xff" * (len(database()) - 4096))


def link_to_itself(folder: Path) -> None:
    """Put a link there that leads nowhere."""
    (folder / "autoopt.db").symlink_to("autoopt.db")


# what is wrong: what stands for the storage, and what the message must say
PLACES = {
    "a storage of blanks": ("   ", "the storage is empty"),
    "a folder as storage": (".", "is a folder: name a file in it"),
    "a storage in a folder that is not there": ("no/such/x.db", "the folder /folder/no/such of the storage does not exist: create it"),
    "a storage with a name too long": ("x" * 300, "cannot be reached (File name too long)"),
    "a storage in a file": ("task.py/x.db", "the folder /folder/task.py of the storage does not exist"),
    "a task file as storage": ("task.py", "it is not a SQLite database. Use another file"),
    "a URL of MySQL": ("mysql://localhost/x", "a storage of the kind mysql:// is not supported"),
    "a URL of the web": ("https://example.org/x.db", "a storage of the kind https:// is not supported"),
    "a URL of postgres": ("postgres://ann@db/x", "a storage URL cannot begin with postgres://: write postgresql+psycopg://"),
    "a URL without its slashes": ("sqlite:x.db", "the storage sqlite:… lacks its slashes"),
    "a URL with two slashes": ("sqlite://x.db", "lacks a slash: three before a relative path, four before an absolute one"),
    "a URL with options": ("sqlite:///x.db?mode=ro", "has options or a '?'"),
    "a URL whose port is text": ("postgresql://ann:secret@db:port/x", "cannot be read as a URL"),
    "a URL whose server is not there": ("postgresql+psycopg://ann:secret@127.0.0.1:1/x", "postgresql+psycopg://ann:***@127.0.0.1:1/x"),
    "a URL with a driver that is not there": ("postgresql+pg8000://ann:secret@db/x", "the driver for postgresql+pg8000://ann:***@db/x is not installed"),
    "a URL with a driver of nobody": ("postgresql+nodriver://ann:secret@db/x", "there is no driver for postgresql+nodriver://ann:***@db/x"),
    "a database that is not there": ("none.db", "there is no database /folder/none.db: nothing was saved there yet"),
}  # fmt: skip

# what is wrong: what lies there as autoopt.db, and what the message must say
FILES = {
    "an empty database": (lambda folder: (folder / "autoopt.db").touch(), "holds no studies of autoopt: nothing was saved"),
    "a database that is text": (lambda folder: (folder / "autoopt.db").write_text("lr = 1e-3\n" * 99), "it is not a SQLite database"),
    "a database of a single byte": (lambda folder: (folder / "autoopt.db").write_bytes(b"S"), "holds no studies of autoopt"),
    "a database of zeros": (lambda folder: (folder / "autoopt.db").write_bytes(bytes(8192)), "autoopt.db"),
    "a database of another program": (foreign, "was not made by autoopt, it has a table 'customers': use another file"),
    "half a database": (truncated, "damaged"),
    "a database that was overwritten": (overwritten, "damaged"),
    "a link to itself as database": (link_to_itself, "autoopt.db"),
    "a database of a newer autoopt": (changed("UPDATE autoopt_schema SET version = 99"), "was written by a newer autoopt (its tables have version 99"),
    "a database without its version": (changed("DELETE FROM autoopt_schema"), "is damaged, its autoopt_schema is empty"),
    "a version that is text": (changed("PRAGMA ignore_check_constraints = ON", "CREATE TABLE s AS SELECT 'new' AS version", "DROP TABLE autoopt_schema", "ALTER TABLE s RENAME TO autoopt_schema"), "a value in it is none that autoopt wrote ("),
    "a database without its runs": (changed("DROP TABLE autoopt_runs"), "autoopt_runs"),
    "options that are no JSON": (changed("UPDATE autoopt_studies SET options = '{'"), "a value in it is none that autoopt wrote (Expecting property name"),
    "options that are a list": (changed("UPDATE autoopt_studies SET options = '[]'"), "the options of study 'task' are '[]'"),
    "a direction that is neither": (changed("UPDATE autoopt_studies SET direction = 'up'"), "the direction of study 'task' is 'up'"),
    "a date that is none": (changed("UPDATE autoopt_studies SET updated = 'yesterday'"), "a value in it is none that autoopt wrote (Invalid isoformat string: 'yesterday'"),
    "epochs of a study that are text": (changed("UPDATE autoopt_studies SET epochs = 'many'"), "epochs and seed of study 'task' are 'many' and 0"),
    "a recipe of a run that is no JSON": (changed("UPDATE autoopt_runs SET recipe = 'adam'"), "a value in it is none that autoopt wrote (Expecting value"),
    "a recipe of a run that has no optimizer": (changed("UPDATE autoopt_runs SET recipe = '{}'"), "a recipe needs an 'optimizer' name, got '{}'"),
    "a recipe of a run that is a number": (changed("UPDATE autoopt_runs SET recipe = '3'"), "a recipe needs an 'optimizer' name, got '3'"),
    "a state of a run that does not exist": (changed("UPDATE autoopt_runs SET state = 'asleep'"), "'asleep' is not a valid RunState"),
    "a purpose of a run that does not exist": (changed("UPDATE autoopt_runs SET purpose = 'fun'"), "'fun' is not a valid Purpose"),
    "a score that is text": (changed("UPDATE autoopt_runs SET score = 'good'"), "could not convert string to float: 'good'"),
    "rungs that are text": (changed("UPDATE autoopt_runs SET rungs = '\"a\"'"), "seed, epochs and rungs of run "),
    "a run without a place for its seed": (changed("UPDATE autoopt_runs SET seed = 'x'"), "are 'x', 2 and"),
}  # fmt: skip

# what is wrong: the spoilt verdict, and what the message must say
VERDICTS = {
    "a verdict that is no JSON": (changed("UPDATE autoopt_verdicts SET document = '{'"), "a value in it is none that autoopt wrote ("),
    "a verdict that is a list": (changed("UPDATE autoopt_verdicts SET document = '[]'"), "the document must be a JSON object with named fields, got []"),
    "a verdict that is null": (changed("UPDATE autoopt_verdicts SET document = 'null'"), "study 'task' has no recommendation yet"),
    "a verdict of endless depth": (changed(f"UPDATE autoopt_verdicts SET document = '{'[' * 100_000}'"), "a value in it is none that autoopt wrote (maximum recursion depth"),
    "a verdict of a newer autoopt": (sets("schema", to=2), "this recommendation has schema 2, written by a newer autoopt"),
    "a verdict without a schema": (lacks("schema"), "has no field 'schema'"),
    "a verdict whose schema is text": (sets("schema", to="1"), "schema must be 1"),
    "a verdict without a study": (lacks("study"), "has no field 'study'; it must be a text"),
    "a verdict whose task is a number": (sets("task", to=3), "task must be a text, got 3"),
    "a verdict whose direction is neither": (sets("direction", to="up"), "direction must be 'minimize' or 'maximize', got 'up'"),
    "a verdict whose direction is a list": (sets("direction", to=["minimize"]), "direction must be"),
    "a verdict without a recipe": (lacks("recommendation"), "has no field 'recommendation'"),
    "a verdict whose recipe is text": (sets("recommendation", to="adam"), "recommendation must be a JSON object"),
    "a recipe of an unknown optimizer": (sets("recommendation", "optimizer", to="adma"), "unknown optimizer 'adma'"),
    "a recipe with an unknown setting": (sets("recommendation", "settings", "speed", to=1), "speed"),
    "a recipe with a rate below zero": (sets("recommendation", "settings", "lr", to=-1), "lr must be a number above 0, got -1"),
    "a recipe whose rate is code": (sets("recommendation", "settings", "lr", to="__import__('os')"), "lr must be a number above 0"),
    "a recipe whose rate is a list": (sets("recommendation", "settings", "lr", to=[1]), "settings of a recipe must map names to plain values"),
    "a recipe whose batch is text": (sets("recommendation", "batch_size", to="64"), "batch_size must be a whole number"),
    "a recipe that clips at text": (sets("recommendation", "clip_norm", to="x"), "clip_norm"),
    "a recipe with decay_all as text": (sets("recommendation", "decay_all", to="yes"), "decay_all"),
    "a recipe with a field of its own": (sets("recommendation", "hook", to="rm"), "a recipe has no field 'hook'"),
    "an own optimizer whose class is code": (sets("recommendation", "own", to={"target": "os:system('true')"}), "own of a recipe must have a target such as 'lions:Lion'"),
    "an own optimizer with two classes": (sets("recommendation", "own", to={"target": "a:b\nimport os"}), "own of a recipe must have a target"),
    "scores that are text": (sets("scores", to={"1": "good"}), "scores"),
    "scores that are a list": (sets("scores", to=[1, 2]), "scores must be a JSON object"),
    "scores of seeds that are none": (sets("scores", to={"one": 1}), "scores"),
    "a gain without a middle": (sets("gain", to=3), "gain must be a JSON object"),
    "a gain that is text": (sets("gain", "low", to="little"), "gain.low must be a finite number, got 'little'"),
    "a number beyond all floats": (sets("gain", "middle", to=10**400), "gain.middle must be a finite number"),
    "a chance above one": (sets("chance_best", to=2), "chance_best must be a number from 0 to 1, got 2"),
    "a chance that is True": (sets("chance_best", to=True), "chance_best must be a finite number, got True"),
    "a verdict of another word": (sets("verdict", to="great"), "verdict must be 'better' or 'tie' or 'worse'"),
    "runners-up that are no list": (sets("runners_up", to={}), "runners_up"),
    "a runner-up that is none": (sets("runners_up", to=[3]), "runners_up"),
    "reasons with a stance of their own": (sets("reasons", to=[{"says": "x", "source": "y", "stance": "z"}]), "stance must be"),
    "a cost that is text": (sets("spent", "seconds", to="long"), "spent.seconds must be a finite number"),
    "epochs of nothing in a verdict": (sets("epochs", to=0), "epochs must be a whole number from 1, got 0"),
    "versions that are a list": (sets("versions", to=[]), "versions"),
    "notes that are numbers": (sets("notes", to=[1]), "notes"),
    "an audit that is text": (sets("audit", to="none"), "audit must be a JSON object"),
    "a finding with a stance of its own": (sets("audit", "findings", 0, "stance", to="perhaps"), "stance"),
    "a comparison whose numbers are text": (sets("audit", "comparison", "optimizers", 0, "trials", to="many"), "trials"),
}  # fmt: skip

# what is wrong: what is typed where a study named task is, what lies there, and what the message must say
STUDIES = {
    "an empty storage": ("studies --storage ''", with_study, "the storage is empty: write a path such as autoopt.db"),
    "a study by a wrong name": ("show tsak", with_study, "unknown study 'tsak': did you mean 'task'?"),
    "a study to export by a wrong name": ("export tsak", with_study, "unknown study 'tsak': did you mean 'task'?"),
    "a study to audit by a wrong name": ("audit tsak", with_study, "unknown study 'tsak'"),
    "a study to report by a wrong name": ("report tsak", with_study, "unknown study 'tsak'"),
    "a study to resume by a wrong name": ("resume tsak", with_study, "unknown study 'tsak'"),
    "a study whose name is SQL": ("show \"x'; DROP TABLE autoopt_runs; --\"", with_study, "unknown study"),
    "a run that is not there": ("show task --run 9999", with_study, "9999"),
    "an export into a folder that is not there": ("export task -o no/x.py", with_study, "cannot write 'no/x.py': No such file or directory"),
    "an export into a folder": ("export task -o .", with_study, "cannot write '.': Is a directory"),
    "a report into a folder that is not there": ("report task -o no/x.html", with_study, "cannot write 'no/x.html'"),
    "a study of no verdict": ("export task", changed("DELETE FROM autoopt_verdicts"), "study 'task' has no recommendation yet: carry on with 'autoopt resume task'"),
    "a study whose task is gone": ("resume task", changed("UPDATE autoopt_studies SET source = '/gone/task.py'"), "no such file: '/gone/task.py'"),
    "a study of Python objects": ("resume task", changed("UPDATE autoopt_studies SET source = ''"), "was started from Python objects: call tune() with its task again"),
    "a study of another length": ("tune task.py --epochs 3", with_study, "this study was made with epochs=2, now it is 3"),
    "a study of another task": ("tune task.py", changed("UPDATE autoopt_studies SET fingerprint = 'x'"), "the task has changed since this study was made"),
    "a study of other options": ("tune task.py --tune-clip", with_study, "this study was made with tune_clip=False, now it is True: take --new"),
    "a study of another seed": ("tune task.py --seed 1", with_study, "this study was made with seed=0, now it is 1"),
    "a study of unknown options": ("resume task", changed("UPDATE autoopt_studies SET options = '{\"speed\": 3}'"), "the study was made with speed=3, which autoopt"),
    "a study whose options are of the wrong type": ("resume task", changed("UPDATE autoopt_studies SET options = '{\"fixed\": 3}'"), "the study has fixed=3, which no study was made with"),
    "a study with a baseline of its own making": ("resume task", changed("UPDATE autoopt_studies SET options = '{\"baseline\": {\"optimizer\": 3}}'"), "a recipe needs an 'optimizer' name"),
    "a study that imports an optimizer of nobody": ("resume task", changed("UPDATE autoopt_studies SET options = '{\"optimizers_from\": [{}]}'"), "an optimizer of your own cannot be read from '{}'"),
    "a file without a study": ("resume other.py", with_study, "there is no study of other.py in autoopt.db yet: begin with 'autoopt tune other.py'"),
    "a host that is none": ("dashboard --host no.such.host.invalid", with_study, "there is no address 'no.such.host.invalid' to listen on"),
    "rates to keep with a study of nobody": ("suggest task.py --probe --keep tsak", with_study, "tsak"),
}  # fmt: skip

CASES = [
    *(Case(wrong, (says,), "studies", TASK, environment={"AUTOOPT_STORAGE": place}) for wrong, (place, says) in PLACES.items()),
    *(Case(wrong, (says,), "show task", TASK, prepare) for wrong, (prepare, says) in FILES.items()),
    *(Case(wrong, (says,), "export task", TASK, prepare) for wrong, (prepare, says) in VERDICTS.items()),
    *(Case(wrong, (says,), typed, {**TASK, "other.py": "x = 1\n"}, prepare) for wrong, (typed, prepare, says) in STUDIES.items()),
]  # fmt: skip
