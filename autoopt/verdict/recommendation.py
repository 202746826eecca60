"""Recommendation: the confirmed answer of a study, as a value and as the documented JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from autoopt import __version__
from autoopt.errors import UsageError
from autoopt.recipe import Recipe
from autoopt.run import Direction
from autoopt.training.target import Target
from autoopt.verdict.audit import Audit
from autoopt.verdict.confirm import Confirmation, interval_from_fields, interval_to_dict
from autoopt.verdict.fields import Fields
from autoopt.verdict.html import said, write_html
from autoopt.verdict.pareto import Pareto
from autoopt.verdict.statistics import Interval, Verdict
from autoopt.verdict.to_target import read_target

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

SCHEMA = 1
Stance = Literal["agrees", "disagrees", "measured", "caution"]


@dataclass(frozen=True)
class Reason:
    """Something that speaks for or against the recommendation: what it says, where from, and its stance."""

    says: str
    source: str
    stance: Stance


@dataclass(frozen=True)
class Spent:
    """What the answer cost: search and confirmation in complete trainings, and wall-clock seconds."""

    search_runs: float
    confirm_runs: float
    seconds: float


@dataclass(frozen=True)
class Recommendation:
    """Which optimizer setting to train with, and how sure that is.

    Attributes:
        objective: what was searched: ``"loss"`` or a metric's name; ``direction`` says which way is better.
        chosen: the recommended recipe with its confirming scores; the baseline where nothing beat it.
        gain: of the chosen recipe over the baseline on the same seeds, in units of the objective, positive
            is better; its 95 % interval holds for all finalists together. ``None`` where they share no seed.
        relative_gain: the gain as a fraction of the baseline's mean, ``None`` where that means nothing.
        chance_best: that the chosen recipe's true mean is the best of the finalists (of the baseline as well
            where that is chosen).
        verdict: ``better`` if the gain is shown, ``tie`` if it is not, ``worse`` if a loss is shown.
        runners_up: the other finalists, best first.
        epochs: of each confirming training.
        versions: of the software, by name.
        target: the score that was to be reached as soon as possible, if that was the objective.
        pareto: recipes that nothing beats in score, seconds and memory together; ``None`` in older documents.
        costs: how many of the baseline's trainings one with these optimizers was charged for, by name; of all others
            it is one.
        notes: what else to know, in sentences.
        interrupted: the study was stopped before its end; the same command carries on.
        cut_short: its time was up before the confirmation was done, so the answer is less sure than was planned.
        audit: every rule that applies to the task and the documents' tables beside what the study measured, with
            the profile of the task; ``None`` in documents of older versions.
    """

    study: str
    task: str
    objective: str
    direction: Direction
    chosen: Confirmation
    baseline: Confirmation
    gain: Interval | None
    relative_gain: Interval | None
    chance_best: float
    verdict: Verdict
    runners_up: tuple[Confirmation, ...] = ()
    reasons: tuple[Reason, ...] = ()
    spent: Spent = Spent(0.0, 0.0, 0.0)
    epochs: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    cut_short: bool = False
    audit: Audit | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    target: Target | None = None
    pareto: Pareto | None = None

    @property
    def recipe(self) -> Recipe:
        """The recommended recipe."""
        return self.chosen.recipe

    def make_optimizer(self, model: nn.Module) -> Optimizer:
        """Return the recommended optimizer for a model: plain torch, parameter groups done."""
        from autoopt.training.build import build_optimizer

        return build_optimizer(model, self.recipe)

    def make_scheduler(self, optimizer: Optimizer, total_steps: int) -> LRScheduler:
        """Return the recommended schedule for that many batches: plain torch, to step after every batch.

        Reduce-on-plateau is ReduceLROnPlateau: step it with the validation loss after every epoch, and
        ``make_warmup`` after every batch.
        """
        from autoopt.training.build import build_scheduler

        return build_scheduler(optimizer, self.recipe, total_steps)

    def make_warmup(self, optimizer: Optimizer, total_steps: int) -> LRScheduler | None:
        """Return the warmup where ``make_scheduler`` has it not in, which is reduce-on-plateau; else ``None``."""
        from autoopt.training.build import build_warmup

        return build_warmup(optimizer, self.recipe, total_steps)

    def export(self, format: str = "pytorch") -> str:
        """Return the answer as code or data: ``pytorch``, ``json``, ``yaml`` and what else ``autoopt export`` knows.

        Raises:
            UsageError: there is no such format.
        """
        import autoopt  # by its public name: the room of the formats lies above this one

        return autoopt.write(self, format)

    def explain(self) -> str:
        """Return why: the answer, what was measured of the documents' rules, and what to be careful about."""
        why = [f"{reason.stance}: {reason.says} ({reason.source})" for reason in self.reasons]
        return "\n".join([str(self), "", *why]).rstrip()

    def _repr_html_(self) -> str:
        """Return what notebooks show."""
        return write_html(self)

    def __rich_repr__(self) -> Iterator[tuple[str, str]]:
        """Say what rich prints."""
        yield "study", self.study
        yield "recipe", str(self.recipe)
        yield self.objective, said(self.chosen.interval)
        yield "baseline", said(self.baseline.interval)
        yield "gain", said(self.gain)
        yield "verdict", self.verdict

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON document; numbers that are infinite or unknown are null."""
        return {
            "schema": SCHEMA,
            "study": self.study,
            "task": self.task,
            "metric": self.objective,
            "direction": self.direction,
            **self.chosen.to_dict(),
            "baseline": self.baseline.to_dict(),
            "gain": interval_to_dict(self.gain),
            "relative_gain": interval_to_dict(self.relative_gain) if self.relative_gain else None,
            "chance_best": self.chance_best,
            "verdict": self.verdict,
            "runners_up": [confirmation.to_dict() for confirmation in self.runners_up],
            "reasons": [vars(reason).copy() for reason in self.reasons],
            "spent": vars(self.spent).copy(),
            "costs": dict(self.costs),
            "target": None if self.target is None else vars(self.target).copy(),
            "pareto": None if self.pareto is None else self.pareto.to_dict(),
            "epochs": self.epochs,
            "versions": dict(self.versions),
            "notes": list(self.notes),
            "interrupted": self.interrupted,
            "cut_short": self.cut_short,
            "audit": None if self.audit is None else self.audit.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recommendation:
        """Read what ``to_dict`` wrote. Nothing in it is executed.

        Raises:
            UsageError: a field is missing or wrong (the message names it), or the schema is another one.
        """
        fields = Fields(data)
        _check_schema(fields)
        relative = fields.data.get("relative_gain")
        return cls(
            study=fields.text("study"),
            task=fields.text("task"),
            objective=fields.text("metric"),
            direction=fields.one_of("direction", get_args(Direction)),
            chosen=Confirmation.from_fields(fields),
            baseline=Confirmation.from_fields(fields.inner("baseline")),
            gain=interval_from_fields(fields.inner("gain")),
            relative_gain=None if relative is None else interval_from_fields(fields.inner("relative_gain")),
            chance_best=_chance(fields),
            verdict=fields.one_of("verdict", get_args(Verdict)),
            runners_up=fields.each("runners_up", Confirmation.from_fields),
            reasons=fields.each("reasons", _reason),
            spent=_spent(fields.inner("spent")),
            epochs=fields.optional_count("epochs"),
            versions=fields.text_by_name("versions"),
            notes=fields.texts("notes"),
            interrupted=fields.data.get("interrupted") is True,
            cut_short=fields.data.get("cut_short") is True,
            costs=fields.number_by_name("costs"),
            target=None if fields.data.get("target") is None else read_target(fields.inner("target")),
            pareto=None if fields.data.get("pareto") is None else Pareto.from_fields(fields.inner("pareto")),
            audit=None if fields.data.get("audit") is None else Audit.from_fields(fields.inner("audit")),
        )

    @classmethod
    def load(cls, source: str | Path | Mapping[str, Any]) -> Recommendation:
        """Read a recommendation from a JSON file, or from its content as a dict.

        Raises:
            UsageError: the file cannot be read, is not JSON, or is not a recommendation.
        """
        if isinstance(source, Mapping):
            return cls.from_dict(source)
        path = Path(source)
        try:
            return cls.from_dict(
                json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
            )
        except OSError as error:
            raise UsageError(f"cannot read the recommendation {str(path)!r}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{str(path)!r} is not a JSON recommendation: {error}") from error
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error

    def save(self, path: str | Path) -> None:
        """Write the JSON document to a file, all of it or nothing; to a pipe or device as it is.

        Raises:
            UsageError: the file cannot be written.
        """
        target = Path(path).resolve()
        draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"
        try:
            if target.exists() and not target.is_file():  # replacing /dev/stdout would take it from everybody
                target.write_text(text, encoding="utf-8")
                return
            draft.write_text(text, encoding="utf-8")
            draft.replace(target)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise UsageError(f"cannot write the recommendation to {str(path)!r}: {error.strerror}") from error

    def __str__(self) -> str:
        """Return a summary of a few lines."""
        lines = [f"{self.recipe}", f"{self.objective} {said(self.chosen.interval)}"]
        if self.chosen.recipe != self.baseline.recipe:
            lines[1] += f", baseline {said(self.baseline.interval)} ({self.baseline.recipe})"
        lines.append(f"{self.verdict}: gain {said(self.gain)}")
        if self.relative_gain is not None:
            lines[-1] += f" = {self.relative_gain.middle:+.1%}"
        lines[-1] += f", chance of being the best finalist {self.chance_best:.0%}"
        return "\n".join([*lines, *self.notes])


def _check_schema(fields: Fields) -> None:
    schema = fields.data.get("schema")
    if isinstance(schema, int) and not isinstance(schema, bool) and schema > SCHEMA:
        raise UsageError(
            f"this recommendation has schema {schema}, written by a newer autoopt; autoopt {__version__} "
            f"reads schema {SCHEMA}: upgrade with 'pip install --upgrade autoopt'"
        )
    if schema != SCHEMA or isinstance(schema, bool):
        raise fields.wrong("schema", f"{SCHEMA}, the one that autoopt {__version__} reads")


def _chance(fields: Fields) -> float:
    chance = fields.number("chance_best")
    if not 0 <= chance <= 1:
        raise fields.wrong("chance_best", "a number from 0 to 1")
    return chance


def _reason(fields: Fields) -> Reason:
    stance = fields.one_of("stance", get_args(Stance))
    return Reason(says=fields.text("says"), source=fields.text("source"), stance=stance)


def _spent(fields: Fields) -> Spent:
    return Spent(fields.number("search_runs"), fields.number("confirm_runs"), fields.number("seconds"))


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
