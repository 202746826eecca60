"""What is fuzzed: each target reads what somebody may have written, and may raise nothing but an AutooptError."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import math
import os
import string
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from autoopt.catalogue import OPTIMIZERS, SCHEDULES
from autoopt.catalogue.ranges import parse_range, split_source
from autoopt.cli.durations import parse_seconds
from autoopt.cli.exits import run
from autoopt.cli.plain import clean, hide, passwords_in, to_json, without_password
from autoopt.errors import AutooptError
from autoopt.export import WRITERS
from autoopt.options import kept_options
from autoopt.recipe import Recipe
from autoopt.records.location import database_path, shown_url, storage_url
from autoopt.records.rows import RUN_COLUMNS, read_run
from autoopt.space.build import build_space
from autoopt.space.check import check_recipe
from autoopt.space.written import parse_fixed, parse_recipe
from autoopt.tasks.make import make_task
from autoopt.verdict.recommendation import Recommendation

LETTERS = (
    string.ascii_letters
    + string.digits
    + " =.,:;@/%?&#-+_*'\"\\{}[]()<>|~!$^`\n\t\r\x00\x1b\x9b\u2028é√\ud800\u202e"
)
WORDS = [
    *OPTIMIZERS, *SCHEDULES, "lr", "momentum", "weight_decay", "beta1", "nesterov", "warmup", "batch_size", "clip_norm",
    "clip_value", "schedule", "decay_all", "whole", "off", "true", "false", "nan", "inf", "-1", "0", "1", "1e-3", "1e400",
    "1e-400", "9" * 30, "..", "=", "@", ",", "postgresql+psycopg://", "sqlite:///", "://", "user:pass@host", "__import__('os')",
]  # fmt: skip
COMMANDS = (
    "studies",
    "show",
    "audit",
    "export",
    "explain",
    "optimizers",
    "schedules",
    "suggest",
    "check",
    "resume",
    "report",
)
FLAGS = (
    "--json",
    "--storage",
    "--run",
    "--runs",
    "--format",
    "-o",
    "--debug",
    "--help",
    "--",
    "-",
    "--version",
    "--probe",
)


class Drawn:
    """Values drawn from bytes, so that what a coverage-guided fuzzer learns of the bytes it learns of the values."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def byte(self) -> int:
        """Return a number from 0 to 255; 0 where the bytes are used up."""
        self._place += 1
        return self._data[self._place - 1] if self._place <= len(self._data) else 0

    def below(self, count: int) -> int:
        """Return a number from 0 to below ``count``."""
        return (self.byte() * 256 + self.byte()) % count if count > 256 else self.byte() % count

    def choice(self, values: Any) -> Any:
        """Return one of the values."""
        return values[self.below(len(values))]

    def text(self) -> str:
        """Return words that mean something, and letters that mean trouble."""
        parts = [
            self.choice(WORDS)
            if self.byte() % 2
            else "".join(self.choice(LETTERS) for _ in range(self.below(6)))
            for _ in range(self.below(12))
        ]
        return self.choice(("", " ", "=")).join(parts)

    def number(self) -> Any:
        """Return a number, mostly an odd one."""
        return self.choice(
            (0, 1, -1, 0.5, 1e-3, 1e308, -1e308, 5e-324, 2**63, 10**400, math.nan, math.inf, -math.inf, True)
        )

    def value(self, depth: int = 3) -> Any:
        """Return plain data, as JSON has it."""
        match self.below(8 if depth else 5):
            case 0:
                return None
            case 1:
                return self.number()
            case 2:
                return self.text()
            case 3:
                return self.choice(WORDS)
            case 4:
                return self.below(70_000)
            case 5 | 6:
                return {
                    self.choice((self.text, lambda: self.choice(WORDS)))(): self.value(depth - 1)
                    for _ in range(self.below(4))
                }
            case _:
                return [self.value(depth - 1) for _ in range(self.below(4))]


def mutated(drawn: Drawn, data: Any) -> Any:
    """Return plain data of which some parts were replaced, removed or added."""
    data = json.loads(json.dumps(data))
    for _ in range(1 + drawn.below(4)):
        place = data
        while isinstance(place, (dict, list)) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = drawn.choice(keys)
            if not isinstance(place[key], (dict, list)) or not place[key] or drawn.byte() % 4 == 0:
                match drawn.below(3):
                    case 0:
                        place[key] = drawn.value()
                    case 1:
                        del place[key]
                    case _ if isinstance(place, dict):
                        place[drawn.text()] = drawn.value()
                break
            place = place[key]
    return data


def recipe_texts(drawn: Drawn) -> None:
    """Recipes as people write them."""
    recipe = parse_recipe(drawn.text())
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def fixed_settings(drawn: Drawn) -> None:
    """Settings to fix, and the space that they make."""
    build_space(
        optimizers=drawn.text() if drawn.byte() % 2 else None, fixed=parse_fixed(drawn.text().split())
    )


def ranges_of_own(drawn: Drawn) -> None:
    """Ranges of an optimizer of the user's own."""
    for name, written in split_source(drawn.text())[1].items():
        parse_range(name, written)


def durations(drawn: Drawn) -> None:
    """Times as people write them."""
    assert 0 < parse_seconds(drawn.text()) < math.inf


def storages(drawn: Drawn) -> None:
    """Paths and URLs of databases; no password is shown."""
    secret = f"S{drawn.below(9)}CRET" + "".join(drawn.choice("abc%:?#[]") for _ in range(drawn.below(4)))
    scheme = drawn.choice(("postgresql+psycopg", "postgresql", "sqlite", "mysql", "postgres"))
    text = drawn.choice((drawn.text(), f"{scheme}://ann:{secret}@{drawn.text()}"))
    try:
        url = storage_url(text)
        shown = shown_url(url)
        database_path(url)
    except AutooptError as error:
        shown = str(error)
    assert secret not in hide(without_password(shown), passwords_in([text]))


def recipes(drawn: Drawn) -> None:
    """Recipes as documents have them."""
    check_recipe(Recipe.from_dict(mutated(drawn, {**_document()["recommendation"]})))


def documents(drawn: Drawn) -> None:
    """Recommendations as documents; what is read can be shown, written and exported, and its code is code."""
    found = Recommendation.from_dict(mutated(drawn, _document()))
    assert str(found)
    assert found._repr_html_()
    json.loads(to_json(found.to_dict()))
    for name, write in WRITERS.items():
        with contextlib.suppress(AutooptError):  # a library that has no such optimizer
            text = write(found)
            if name not in ("json", "yaml"):
                ast.parse(text)


def options_of_studies(drawn: Drawn) -> None:
    """Options of studies as the database has them."""
    kept_options(
        mutated(
            drawn,
            {"seed": 0, "metric": None, "optimizers": ["sgd"], "fixed": {"lr": 0.1}, "tune_clip": False},
        )
    )


def rows_of_runs(drawn: Drawn) -> None:
    """Runs as the database has them; what is odd there becomes a StorageError one level up."""
    usual = [
        0,
        _document()["recommendation"],
        1,
        9,
        "search",
        None,
        0,
        [1, 3],
        "finished",
        0.5,
        9,
        1.0,
        "",
        None,
    ]
    row = [drawn.value() if drawn.byte() % 8 == 0 else value for value in usual]
    assert len(row) == len(RUN_COLUMNS)
    with contextlib.suppress(ValueError, TypeError):
        read_run(row)  # type: ignore[arg-type]


def terminal(drawn: Drawn) -> None:
    """Text that goes to the terminal."""
    shown = clean(drawn.text())
    assert not any(ord(letter) < 160 and not letter.isprintable() and letter != "\n" for letter in shown)


def command_lines(drawn: Drawn) -> None:
    """Command lines that train nothing, in an empty folder."""
    words = [drawn.choice(COMMANDS)]
    words += [
        drawn.choice(FLAGS) if drawn.byte() % 2 else drawn.text().replace("/", "").replace("\\", "")
        for _ in range(drawn.below(5))
    ]
    out, err = io.StringIO(), io.StringIO()
    with _empty_folder(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(words)
    said = err.getvalue()
    assert status in (0, 1, 2), (words, status)
    assert "Error: unexpected" not in said, (words, said)
    assert "--debug" in words or "Traceback" not in said, (words, said)


def tasks(drawn: Drawn) -> None:
    """Data, losses and metrics that are anything."""
    import torch
    from torch import nn

    X, y = torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])
    odd: list[Any] = [
        None, 3, "x", b"x", (), [], {}, X, y, (X, y), (X, X), [X, y], (y, X), {"a": X, "y": y}, X[:0], (X[:0], y[:0]), X.double(),
        X.to(torch.complex64), X.numpy(), (X.numpy(), y.numpy()), (X * math.nan, y), (X, y + 5), (X, y - 1), (X, y.float()),
        [(X[0], 1)] * 4, [(X[0], "a")] * 4, [None] * 4, range(4), object(), print, iter(()), drawn.number(), drawn.value(), (drawn.value(), drawn.value()),
    ]  # fmt: skip
    losses: list[Any] = [
        None,
        "mse_loss",
        "cross_entropy",
        nn.MSELoss(),
        lambda o, t: o.sum(),
        lambda o, t: None,
        3,
        drawn.text(),
        lambda: 1,
    ]
    make_task(
        model=drawn.choice([lambda: nn.Linear(2, 2), nn.Linear(2, 1), nn.ReLU, None, 3, lambda: None, lambda x: x, drawn.text()]),
        train_data=drawn.choice(odd), val_data=drawn.choice(odd) if drawn.byte() % 3 == 0 else None,
        loss=drawn.choice(losses), metric=drawn.choice(losses) if drawn.byte() % 3 == 0 else None,
        epochs=drawn.choice((None, 1, drawn.number(), drawn.text())), batch_size=drawn.choice((None, 2, drawn.number())),
        objective=drawn.choice((None, "loss", "metric", "accuracy", drawn.text())),
    )  # fmt: skip


TARGETS: dict[str, Callable[[Drawn], None]] = {
    each.__name__: each
    for each in (recipe_texts, fixed_settings, ranges_of_own, durations, storages, recipes, documents, options_of_studies,
                 rows_of_runs, terminal, command_lines, tasks)
}  # fmt: skip


def perform(name: str, data: bytes) -> None:
    """Give bytes to a target; an AutooptError is an answer, anything else a find."""
    with contextlib.suppress(AutooptError):
        TARGETS[name](Drawn(data))


@cache
def _document() -> dict[str, Any]:
    from tests.unit.dashboard.conftest import make_recommendation

    return make_recommendation("digits").to_dict()


@contextlib.contextmanager
def _empty_folder() -> Iterator[None]:
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
