"""OptimizerFigures and Comparison: how the optimizers of a study compare, as values and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autoopt.verdict.confirm import interval_from_fields, interval_to_dict
from autoopt.verdict.fields import Fields
from autoopt.verdict.statistics import Interval

_INTERVALS = (
    "epochs_to_target", "seconds_to_target", "seconds_epoch", "seconds_step", "diverged_share", "basin",
    "confirmed",
)  # fmt: skip


@dataclass(frozen=True)
class OptimizerFigures:
    """What a study measured of one optimizer: speed, stability, memory, score.

    Scores are in the units of the objective; all but ``confirmed`` come from the search.

    Attributes:
        method: the optimizer's name in the catalogue, or ``plain sgd`` for SGD whose momentum is 0.
        title: as people write it.
        trials: recipes of it that the search tried; ``diverged`` of them did, ``good`` of them reached the bar.
        epochs: most epochs that one of its trials was trained.
        score: its best after the comparison's ``level`` epochs; ``None`` if no trial got so far.
        epochs_to_target, seconds_to_target: training until the common target, of the trial that was there
            first; the bounds allow for the seed noise, infinite where it is not known. ``None``: not reached
            in ``epochs``.
        seconds_epoch: time of an epoch with its evaluation, the median over trials; ``seconds_step`` the same
            a batch, its share of the evaluation included.
        diverged_share: of its trials, within the rates that the search asked for.
        basin: width in decades of the learning rates that reached the bar: the lower bound spans those that
            did, the upper one goes on to the next that did not; infinite where none was tried. ``None`` with
            fewer than three trials, or if none reached the bar.
        good_rates: lowest and highest rate that reached the bar; of SGD lr / (1 − momentum).
        state_floats: kept for each parameter; ``state_bytes`` for this model, at four bytes each.
        confirmed: mean over fresh seeds of its best confirmed recipe; ``seeds`` is their number. ``tuned`` if that
            is one which the search found: the baseline is not, and speaks for nobody's best.
    """

    method: str
    title: str
    trials: int = 0
    diverged: int = 0
    good: int = 0
    epochs: int = 0
    score: float | None = None
    epochs_to_target: Interval | None = None
    seconds_to_target: Interval | None = None
    seconds_epoch: Interval | None = None
    seconds_step: Interval | None = None
    diverged_share: Interval | None = None
    basin: Interval | None = None
    good_rates: tuple[float, float] | None = None
    state_floats: float | None = None
    state_bytes: int | None = None
    confirmed: Interval | None = None
    seeds: int = 0
    tuned: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; what is not known is null."""
        return {name: _plain(value) for name, value in vars(self).items()}

    @classmethod
    def from_fields(cls, data: Fields) -> OptimizerFigures:
        """Read what ``to_dict`` wrote; UsageError names a field that is wrong."""
        counts: dict[str, Any] = {
            name: int(data.number(name)) for name in ("trials", "diverged", "good", "epochs", "seeds")
        }
        bytes_, rates = data.optional_number("state_bytes"), data.data.get("good_rates")
        intervals: dict[str, Any] = {name: _interval(data, name) for name in _INTERVALS}
        return cls(
            method=data.text("method"),
            title=data.text("title"),
            score=data.optional_number("score"),
            good_rates=None if rates is None else _rates(data.inner("good_rates")),
            state_floats=data.optional_number("state_floats"),
            tuned=data.data.get("tuned") is True,
            state_bytes=None if bytes_ is None else int(bytes_),
            **counts,
            **intervals,
        )


@dataclass(frozen=True)
class Comparison:
    """The optimizers of a study side by side.

    Attributes:
        optimizers: best first, by the score after ``level`` epochs.
        level: the most epochs that some trial of every optimizer was trained: there they compare.
        target: the score that speed is measured by: of the optimizers' best after ``level`` epochs the median,
            so that about half of them reach it by then.
        bar: the score that a good rate reaches at the search's first look: what the middle one of the first
            recipes had then, those at the reference rates.
        bar_epochs: when that was.
        noise: standard deviation of a confirmed score over seeds, ``None`` if not known.
    """

    optimizers: tuple[OptimizerFigures, ...] = ()
    level: int = 0
    target: float | None = None
    bar: float | None = None
    bar_epochs: int = 0
    noise: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**vars(self), "optimizers": [figures.to_dict() for figures in self.optimizers]}

    @classmethod
    def from_fields(cls, data: Fields) -> Comparison:
        """Read what ``to_dict`` wrote; UsageError names a field that is wrong."""
        return cls(
            data.each("optimizers", OptimizerFigures.from_fields),
            int(data.number("level")),
            data.optional_number("target"),
            data.optional_number("bar"),
            int(data.number("bar_epochs")),
            data.optional_number("noise"),
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return interval_to_dict(value)
    return {"low": value[0], "high": value[1]} if isinstance(value, tuple) else value


def _interval(data: Fields, name: str) -> Interval | None:
    return None if data.data.get(name) is None else interval_from_fields(data.inner(name))


def _rates(data: Fields) -> tuple[float, float]:
    return data.number("low"), data.number("high")
