"""What the leaves for training loops share: which of a library's numbers is searched, reported, and who is silent."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from autoopt.errors import LoopError
from autoopt.loops.trial import Trial
from autoopt.run import Direction
from autoopt.tasks.metric import guess_direction


def searched(metric: str, usual: str, direction: Direction | None) -> dict[str, Any]:
    """Return the arguments of ``tune`` that say what is searched.

    Args:
        metric: name of a number that the library logs.
        usual: its name for the validation loss.
        direction: which way is better; ``None`` where the name tells.
    """
    if metric == usual:
        return {"direction": direction}
    return {"metric": metric, "direction": direction or guess_direction(metric)}


def report(trial: Trial, logged: Mapping[str, Any], metric: str, usual: str, way: str) -> None:
    """Report what is searched, and the validation loss where there is one.

    Args:
        way: how to log the metric with this library, for the message.

    Raises:
        LoopError: it was not logged.
        Stop: the run is over.
    """
    if metric not in logged:
        names = ", ".join(sorted(map(str, logged))) or "nothing"
        raise LoopError(f"{metric!r} was not logged after the epoch ({names} was): {way}, or give metric=…")
    trial.report(logged.get(usual, logged[metric]), **({} if metric == usual else {metric: logged[metric]}))


@contextmanager
def silence(*loggers: str) -> Iterator[None]:
    """Let libraries that tell of their surroundings in every training be silent inside."""
    found = [logging.getLogger(name) for name in loggers]
    levels = [logger.level for logger in found]
    try:
        for logger in found:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            for name in loggers:
                warnings.filterwarnings("ignore", module=rf"{name}\b")
            yield
    finally:
        for logger, level in zip(found, levels, strict=True):
            logger.setLevel(level)
