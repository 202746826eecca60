"""What to type next, as commands to copy."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from autoopt.cli.options import DEFAULT_STORAGE
from autoopt.cli.plain import without_password

if TYPE_CHECKING:
    from autoopt.verdict.recommendation import Recommendation

SURE = 0.8  # a chance to be the best below this is worth more seeds


def next_steps(
    recommendation: Recommendation, storage: str, budget: float | None = None
) -> list[tuple[str, str]]:
    """Return commands to type next, each with what it is for.

    Args:
        budget: what the study was given, in runs; ``None`` if not known.
    """
    name, spent = recommendation.study, recommendation.spent
    keep = ("keep it as a file", _command("export", name, storage, "--format json -o recipe.json"))
    if recommendation.interrupted or recommendation.cut_short:
        return [("carry on", _command("resume", name, storage, _option("--budget", budget))), keep]
    more = _option("--budget", round(2 * (spent.search_runs + spent.confirm_runs)))
    seeds = max(4, 2 * len(recommendation.baseline.scores))
    surer = ("be surer, with more seeds", _command("resume", name, storage, f"--seeds {seeds} {more}"))
    if recommendation.verdict == "tie" or recommendation.chance_best < SURE:
        return [keep, surer]
    return [keep, surer, ("search further", _command("resume", name, storage, more))]


def carry_on(study: str | None, storage: str, budget: float) -> str:
    """Say what an interruption left before anything could be recommended."""
    if study is None:
        return "Interrupted before anything was trained."
    command = _command("resume", study, storage, _option("--budget", budget))
    return f"Interrupted before there was anything to recommend. All is kept; carry on with\n  {command}"


def _option(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:.4g}"


def _command(verb: str, study: str, storage: str, options: str) -> str:
    known = storage == os.environ.get("AUTOOPT_STORAGE", DEFAULT_STORAGE)
    place = "" if known else f"--storage {shlex.quote(without_password(storage))}"
    return " ".join(part for part in ("autoopt", verb, shlex.quote(study), options, place) if part)
