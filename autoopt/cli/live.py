"""How a running study looks: a picture for terminals, a line elsewhere. Renders, and prints nothing."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autoopt.cli.durations import show_seconds
from autoopt.cli.plain import clean
from autoopt.progress import Progress

PHASES = {"search": "searching", "confirm": "confirming on fresh seeds", "done": "done"}


def share_done(progress: Progress) -> float:
    """Return how much of the budget is spent, 0 to 1: of the runs, or of the time if less is left of that."""
    shares = [0.0]
    if 0 < progress.budget_runs < math.inf:
        shares.append(progress.spent_runs / progress.budget_runs)
    if progress.seconds_left is not None and progress.seconds + progress.seconds_left > 0:
        shares.append(progress.seconds / (progress.seconds + progress.seconds_left))
    return 1.0 if progress.phase == "done" else min(1.0, max(shares))


def best_first(progress: Progress) -> list[tuple[str, float]]:
    """Return the optimizers with their best scores, best first."""
    sign = 1 if progress.direction == "minimize" else -1
    return sorted(progress.best.items(), key=lambda item: sign * item[1])


def picture(progress: Progress, waited: float = 0.0, height: int = 24) -> RenderableType:
    """Draw a study for a terminal.

    Args:
        waited: seconds since this progress was reported; clocks go on meanwhile.
        height: lines of the terminal; the table of optimizers takes what is left of them.
    """
    title = Text.assemble(
        (clean(progress.study), "bold"), f" · {PHASES[progress.phase]}", overflow="ellipsis"
    )
    bar = Table.grid(padding=(0, 1), expand=False)
    bar.add_row(ProgressBar(total=1.0, completed=share_done(progress), width=20), _spent(progress))
    best = Table(box=None, pad_edge=False, header_style="dim")
    best.add_column("optimizer")
    best.add_column(Text(f"best {progress.objective}"), justify="right")
    ranking = best_first(progress)
    for place, (name, score) in enumerate(ranking[: max(1, height - 8)]):
        best.add_row(name, _score(score), style="bold green" if place == 0 else "")
    lines: list[RenderableType] = [
        title,
        bar,
        Text(_clock(progress, waited), style="dim"),
        Text(_counts(progress)),
    ]
    if progress.note:
        lines.append(Text(clean(progress.note), style="dim", overflow="ellipsis", no_wrap=True))
    return Group(*lines, *([best] if ranking else []))


def line(progress: Progress) -> str:
    """Say in one line where a study stands."""
    parts = [f"[{show_seconds(progress.seconds)}] {PHASES[progress.phase]}", _spent(progress)]
    if ranking := best_first(progress):
        name, score = ranking[0]
        parts.append(f"best {progress.objective} {score:.4g} ({name})")
    parts.append(_counts(progress))
    if progress.seconds_left is not None and progress.phase != "done":
        parts.append(_left(progress.seconds_left))
    return " · ".join(parts)


def _score(score: float) -> str:
    """Write a score with four digits, zeros at the end too, so that a column does not dance."""
    return f"{score:#.4g}".removesuffix(".")


def _left(seconds: float) -> str:
    """Say how much time is left; an estimate that has run out promises nothing."""
    return f"about {show_seconds(seconds)} left" if seconds >= 0.5 else "soon done"


def _spent(progress: Progress) -> str:
    if not 0 < progress.budget_runs < math.inf:
        return f"{progress.spent_runs:.1f} runs"
    return f"{progress.spent_runs:.1f} of {progress.budget_runs:g} runs"


def _clock(progress: Progress, waited: float) -> str:
    text = show_seconds(progress.seconds + waited)
    if progress.seconds_left is None:
        return text
    return f"{text}, {_left(progress.seconds_left - waited)}"


def _counts(progress: Progress) -> str:
    counts = {"running": progress.running, "finished": progress.finished, "stopped": progress.stopped,
              "diverged": progress.diverged, "failed": progress.failed}  # fmt: skip
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "starting"
