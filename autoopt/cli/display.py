"""What people see. The only module that prints.

Answers go to standard output; progress and errors to standard error, so that an answer can be piped. Nothing
that comes from a user is read as markup: the consoles take every string as it is.
"""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autoopt.cli import live, result, steps
from autoopt.cli.plain import clean, hide, to_json, without_password
from autoopt.errors import AutooptWarning
from autoopt.progress import Progress

if TYPE_CHECKING:
    from autoopt.verdict.recommendation import Recommendation

NARROW = 64  # columns; below, the rows of a table are written one under the other


def console(*, stderr: bool = False) -> Console:
    """Return a console that takes strings literally; colours only where a terminal wants them."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def say(*parts: RenderableType, stderr: bool = False) -> None:
    """Print strings and anything that Rich can render, each on its own line."""
    out = console(stderr=stderr)
    for part in parts:
        _print(out, clean(part) if isinstance(part, str) else part)


def _print(out: Console, part: RenderableType) -> None:
    """Print; in files and pipes without the blanks that fill a terminal's lines up."""
    if out.is_terminal:
        out.print(part)
        return
    with out.capture() as captured:
        out.print(part)
    out.file.write("\n".join(line.rstrip() for line in captured.get().split("\n")))
    out.file.flush()


def say_heading(text: str, beside: str = "") -> None:
    """Print a heading, with a word in small beside it."""
    say(Text.assemble((clean(text), "bold"), "  " if beside else "", (clean(beside), "dim")))


def say_exactly(text: str, *, stderr: bool = False) -> None:
    """Print text that is copied or parsed: nothing wrapped, coloured or replaced."""
    print(text, file=sys.stderr if stderr else sys.stdout, flush=True)


def say_command(command: str) -> None:
    """Print a command to copy."""
    say_exactly(clean(f"  {command}"))


def say_json(data: Any) -> None:
    """Print plain data as JSON."""
    say_exactly(to_json(data))


def say_rows(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a table, or on a narrow terminal its rows one under the other.

    Args:
        columns: headings; the first one names a row.
        right: columns of numbers, set to the right.
    """
    out = console()
    if out.width < NARROW and len(columns) > 2:
        for row in rows:
            out.print(Text(clean(row[0]), style="bold"))
            for heading, value in zip(columns[1:], row[1:], strict=True):
                gap = "\n" if "\n" in value else " "
                out.print(
                    Padding(Text.assemble((heading, "dim"), gap, clean(value)), (0, 0, 0, 2), expand=False)
                )
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(columns):
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold",
                         style="bold" if number == 0 else "", no_wrap=number == 0)  # fmt: skip
    for row in rows:
        table.add_row(*map(clean, row))
    _print(out, table)


def say_result(
    recommendation: Recommendation, storage: str, *, budget: float | None = None, brief: bool = False,
    stderr: bool = False,
) -> None:  # fmt: skip
    """Print the answer of a study, with code to paste and what to type next; ``brief`` in one line."""
    from autoopt.export import WRITERS

    if brief:
        say_exactly(clean(result.one_line(recommendation)), stderr=stderr)
        return
    say(result.report(recommendation), Text("In PyTorch", style="bold"), stderr=stderr)
    say_exactly(WRITERS["pytorch"](recommendation).rstrip() + "\n", stderr=stderr)
    say(Text("Next", style="bold"), stderr=stderr)
    for purpose, command in steps.next_steps(recommendation, storage, budget):
        say_exactly(clean(f"  {command}  # {purpose}"), stderr=stderr)


def say_advice(
    recipe: str, place: str, reasons: Sequence[str], cautions: Sequence[str], said: set[str] | None = None
) -> None:
    """Print a suggested recipe with what speaks for it and what could go wrong.

    Args:
        said: cautions that stand further up already; they are not spelt out again, and this one's are added.
    """
    out = console()
    indent = " " * (len(place) + 1)
    lines = _fold(clean(recipe).split(" · "), " · ", out.width - len(indent))
    for number, line in enumerate(lines):
        out.print(Text.assemble((indent if number else f"{place} ", "dim"), (line, "bold")))
    said = set() if said is None else said
    brief = [f"{each.partition(': ')[0]} (see above)" if each in said else each for each in cautions]
    said.update(each for each in cautions if ": " in each)
    grid = Table.grid(padding=(0, 1), pad_edge=False)
    for mark, style, texts in (("  ✓", "green", reasons), ("  !", "yellow", brief)):
        for text in texts:
            grid.add_row(Text(mark, style=style), clean(text))
    _print(out, Group(grid, Text()))


def _fold(parts: Sequence[str], joint: str, width: int) -> list[str]:
    """Join parts to lines no longer than the width, breaking between parts only."""
    lines = [parts[0]]
    for part in parts[1:]:
        longer = f"{lines[-1]}{joint}{part}"
        lines = [*lines[:-1], longer] if len(longer) <= width else [*lines, part]
    return lines


def say_marked(mark: str, text: str, detail: str) -> None:
    """Print a sentence with a mark before it, and a detail in small below."""
    grid = Table.grid(padding=(0, 1), pad_edge=False)
    grid.add_row(f"  {mark}", clean(text))
    grid.add_row("", Text(clean(detail), style="dim"))
    _print(console(), grid)


def say_sources(cited: Sequence[str]) -> None:
    """Print the titles of the documents that were cited."""
    for line in result.name_sources(cited):
        say(Padding(Text(line, style="dim"), (0, 0, 0, 2)))


def complain(message: str) -> None:
    """Print an error: one message on standard error, never wrapped, so that it can be searched for."""
    console(stderr=True).print(Text.assemble(("Error: ", "bold red"), clean(message)), soft_wrap=True)


def show_traceback(secrets: Iterable[str] = ()) -> None:
    """Print the traceback of the exception that is being handled, without passwords."""
    import traceback

    say_exactly(clean(hide(without_password(traceback.format_exc()).rstrip(), secrets)), stderr=True)


@contextlib.contextmanager
def own_warnings() -> Iterator[None]:
    """Show autoopt's own warnings meanwhile as a line for the user; those of others stay as Python shows them."""
    with warnings.catch_warnings():
        show_others = warnings.showwarning

        def show(
            message: Warning | str, category: type[Warning], filename: str, lineno: int,
            file: TextIO | None = None, line: str | None = None,
        ) -> None:  # fmt: skip
            if issubclass(category, AutooptWarning):
                say(Text.assemble(("Note: ", "bold yellow"), clean(str(message))), stderr=True)
            else:
                show_others(message, category, filename, lineno, file, line)

        warnings.filterwarnings("always", category=AutooptWarning)
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def stdout_kept_for_answer(keep: bool) -> Iterator[None]:
    """Send what the user's own code prints to standard error meanwhile, when the answer is to be parsed."""
    with contextlib.redirect_stdout(sys.stderr) if keep else contextlib.nullcontext():
        yield


class Watching:
    """Shows a study while it runs: hand it to ``tune`` as ``watch``, inside a ``with``.

    A picture that moves on a terminal; elsewhere a line at each new phase and each tenth of the budget.

    Args:
        quiet: show nothing at all.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._out = console(stderr=True)
        self._quiet = quiet
        self._live: Live | None = None
        self._progress: Progress | None = None
        self._received = 0.0
        self._said: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        # a terminal is asked for, and not Rich's guess, which FORCE_COLOR turns into yes in a log file
        if not self._quiet and self._out.file.isatty() and not self._out.is_dumb_terminal:
            self._live = Live(
                get_renderable=self._picture, console=self._out, refresh_per_second=4, transient=True
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def study(self) -> str | None:
        """Name of the study, as soon as it has begun."""
        return None if self._progress is None else self._progress.study

    def __call__(self, progress: Progress) -> None:
        """Show where the study stands now."""
        self._received = time.monotonic()
        self._progress = progress
        if not self._quiet and self._live is None:
            self._say_line(progress)

    def _picture(self) -> RenderableType:
        if self._progress is None:
            return Text("loading the task …", style="dim")
        return live.picture(self._progress, time.monotonic() - self._received, self._out.height)

    def _say_line(self, progress: Progress) -> None:
        tenth = int(10 * live.share_done(progress))
        if self._said is None or progress.phase != self._said[0] or tenth > self._said[1]:
            self._said = (progress.phase, tenth)
            say_exactly(clean(live.line(progress)), stderr=True)
